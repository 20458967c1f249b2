# Dropout of the output, with its mask kept for the way back.
import numpy as np

rng = np.random.default_rng(6)
n, d, rate = 5, 6, 0.3
x, dkept = rng.normal(size=(n, d)), rng.normal(size=(n, d))
wq, wk, wv = (rng.normal(size=(d, d)) * 0.4 for _ in range(3))
q, k, v = x @ wq, x @ wk, x @ wv
s = q @ k.T / np.sqrt(d)
p = np.exp(s - s.max(-1, keepdims=True))
p = p / p.sum(-1, keepdims=True)
y = p @ v
keep = rng.random((n, d)) >= rate
kept = y * keep / (1 - rate)

dy = dkept * keep / (1 - rate)
dp, dv = dy @ v.T, p.T @ dy
ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(d)
dq, dk = ds @ k, ds.T @ q
dx = dq @ wq.T + dk @ wk.T + dv @ wv.T
print(kept.sum(), dx.sum(), (x.T @ dq).sum(), (x.T @ dk).sum(), (x.T @ dv).sum())
