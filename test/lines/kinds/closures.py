# Functional: every step returns its result and a closure that takes the gradient back; biases by distance, made when imported.
import numpy as np

T, C, H = 6, 9, 3
W = C // H
SLOPES = np.array([0.5, 0.25, 0.125])
rows, columns = np.arange(T)[:, None], np.arange(T)[None, :]
DISTANCE = rows - columns
BIAS = -SLOPES[:, None, None] * np.abs(DISTANCE)
HIDDEN = DISTANCE < 0


def linear(x, w):
    def back(dy):
        return dy @ w.T, x.T @ dy

    return x @ w, back


def heads(x):
    out = x.reshape(T, H, W).transpose(1, 0, 2)

    def back(d):
        return d.transpose(1, 0, 2).reshape(T, C)

    return out, back


def softmax(z):
    e = np.exp(z - z.max(axis=2, keepdims=True))
    p = e / e.sum(axis=2, keepdims=True)

    def back(dp):
        return p * (dp - (dp * p).sum(axis=2, keepdims=True))

    return p, back


def attend(q, k, v, bias):
    s = np.einsum("hid,hjd->hij", q, k) * W**-0.5
    z = s + bias
    z[:, HIDDEN] = -np.inf
    p, softmax_back = softmax(z)
    o = np.einsum("hij,hjd->hid", p, v)

    def back(do):
        dv = np.einsum("hij,hid->hjd", p, do)
        dz = softmax_back(np.einsum("hid,hjd->hij", do, v))
        dq = np.einsum("hij,hjd->hid", dz, k) * W**-0.5
        dk = np.einsum("hij,hid->hjd", dz, q) * W**-0.5
        return dq, dk, dv

    return o, back


rs = np.random.RandomState(9)
x, dy = rs.randn(T, C), rs.randn(T, C)
ws = [rs.randn(C, C) / 3 for _ in range(4)]

projected = [linear(x, w) for w in ws[:3]]
split = [heads(out) for out, _ in projected]
(q, _), (k, _), (v, _) = split
o, attend_back = attend(q, k, v, BIAS)
merged = o.transpose(1, 0, 2).reshape(T, C)
y, out_back = linear(merged, ws[3])

dmerged, dwo = out_back(dy)
dqkv = attend_back(dmerged.reshape(T, H, W).transpose(1, 0, 2))
dx = np.zeros_like(x)
dws = []
for d, (_, join), (_, back) in zip(dqkv, split, projected):
    part, dw = back(join(d))
    dx += part
    dws.append(dw)
print(np.linalg.norm(dx), [np.linalg.norm(dw) for dw in dws], np.linalg.norm(dwo))
