"""Port of the attention loops of train_gpt2.c to Python, to understand them.

inp is (B, T, 3C) holding query, key and value; preatt and att are (B, NH, T, T); out is (B, T, C).
"""
import math
import numpy as np


def attention_forward(out, preatt, att, inp, B, T, C, NH):
    hs = C // NH
    scale = 1.0 / math.sqrt(hs)
    for b in range(B):
        for t in range(T):
            for h in range(NH):
                q = inp[b, t, h * hs:(h + 1) * hs]
                # pass 1: query dot key, and the maximum
                maxval = -10000.0
                for t2 in range(t + 1):
                    k = inp[b, t2, C + h * hs:C + (h + 1) * hs]
                    val = 0.0
                    for i in range(hs):
                        val += q[i] * k[i]
                    val *= scale
                    if val > maxval:
                        maxval = val
                    preatt[b, h, t, t2] = val
                # pass 2: exp and the sum
                expsum = 0.0
                for t2 in range(t + 1):
                    ev = math.exp(preatt[b, h, t, t2] - maxval)
                    expsum += ev
                    att[b, h, t, t2] = ev
                inv = 0.0 if expsum == 0.0 else 1.0 / expsum
                # pass 3: normalise
                for t2 in range(T):
                    if t2 <= t:
                        att[b, h, t, t2] *= inv
                    else:
                        att[b, h, t, t2] = 0.0
                # pass 4: weighted values
                for t2 in range(t + 1):
                    v = inp[b, t2, 2 * C + h * hs:2 * C + (h + 1) * hs]
                    for i in range(hs):
                        out[b, t, h * hs + i] += att[b, h, t, t2] * v[i]


def attention_backward(dinp, dpreatt, datt, dout, inp, att, B, T, C, NH):
    hs = C // NH
    scale = 1.0 / math.sqrt(hs)
    for b in range(B):
        for t in range(T):
            for h in range(NH):
                o = h * hs
                # backward pass 4
                for t2 in range(t + 1):
                    for i in range(hs):
                        datt[b, h, t, t2] += inp[b, t2, 2 * C + o + i] * dout[b, t, o + i]
                        dinp[b, t2, 2 * C + o + i] += att[b, h, t, t2] * dout[b, t, o + i]
                # backward pass 2 and 3, softmax
                for t2 in range(t + 1):
                    for t3 in range(t + 1):
                        indicator = 1.0 if t2 == t3 else 0.0
                        local = att[b, h, t, t2] * (indicator - att[b, h, t, t3])
                        dpreatt[b, h, t, t3] += local * datt[b, h, t, t2]
                # backward pass 1
                for t2 in range(t + 1):
                    for i in range(hs):
                        dinp[b, t, o + i] += inp[b, t2, C + o + i] * dpreatt[b, h, t, t2] * scale
                        dinp[b, t2, C + o + i] += inp[b, t, o + i] * dpreatt[b, h, t, t2] * scale


if __name__ == "__main__":
    B, T, C, NH = 2, 4, 6, 2
    rs = np.random.RandomState(42)
    inp = rs.uniform(-1, 1, (B, T, 3 * C)).astype(np.float32)
    dout = rs.uniform(-1, 1, (B, T, C)).astype(np.float32)
    out = np.zeros((B, T, C), dtype=np.float32)
    preatt = np.zeros((B, NH, T, T), dtype=np.float32)
    att = np.zeros_like(preatt)
    attention_forward(out, preatt, att, inp, B, T, C, NH)
    dinp, dpreatt, datt = np.zeros_like(inp), np.zeros_like(att), np.zeros_like(att)
    attention_backward(dinp, dpreatt, datt, dout, inp, att, B, T, C, NH)
    print("out[0, 3]", out[0, 3])
    for name, part in zip(("dq", "dk", "dv"), np.split(dinp, 3, axis=2)):
        print(name, part[1, 0], "norm", np.sqrt((part ** 2).sum()))
