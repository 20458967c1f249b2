# Sequences are sorted by length, and what comes out of them is put back.
import numpy as np

rng = np.random.default_rng(5)
B, n, d = 4, 5, 6
lengths = np.array([3, 5, 2, 4])
order = np.argsort(-lengths)
given, dgiven = rng.normal(size=(B, n, d)), rng.normal(size=(B, n, d))
x, dy = given[order], dgiven[order]
seen = np.arange(n) < lengths[order][:, None]
wq, wk, wv = (rng.normal(size=(d, d)) * 0.4 for _ in range(3))
q, k, v = x @ wq, x @ wk, x @ wv
s = np.where(seen[:, None], q @ k.swapaxes(1, 2) / np.sqrt(d), -1e9)
p = np.exp(s - s.max(-1, keepdims=True))
p = p / p.sum(-1, keepdims=True)
z = p @ v
y = z[np.argsort(order)]

dv = p.swapaxes(1, 2) @ dy
dp = dy @ v.swapaxes(1, 2)
ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(d)
dq, dk = ds @ k, ds.swapaxes(1, 2) @ q
dx = (dq @ wq.T + dk @ wk.T + dv @ wv.T)[np.argsort(order)]
print(y.sum(), dx.sum())
