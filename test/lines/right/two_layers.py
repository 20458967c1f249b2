"""Two layers with residual connections, nothing bound between the weights and the sum; back through both."""
import numpy as np

rng = np.random.default_rng(2)
n, d = 5, 4


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(x, w):
    q, k, v = x @ w["q"], x @ w["k"], x @ w["v"]
    p = softmax(q @ k.T / np.sqrt(d))
    return x + p @ v @ w["o"], (x, q, k, v, p)


def attend_backward(dy, w, kept):
    x, q, k, v, p = kept
    z = p @ v
    dz = dy @ w["o"].T
    dp, dv = dz @ v.T, p.T @ dz
    ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(d)
    dq, dk = ds @ k, ds.T @ q
    grads = {"q": x.T @ dq, "k": x.T @ dk, "v": x.T @ dv, "o": z.T @ dy}
    return dy + dq @ w["q"].T + dk @ w["k"].T + dv @ w["v"].T, grads


layers = [{name: rng.normal(size=(d, d)) * 0.5 for name in "qkvo"} for _ in range(2)]
h = rng.normal(size=(n, d))
kept = []
for w in layers:
    h, own = attend(h, w)
    kept.append(own)
dh = h - 1
for w, own in zip(reversed(layers), reversed(kept)):
    dh, grads = attend_backward(dh, w, own)
print(h.sum(), dh.sum())
