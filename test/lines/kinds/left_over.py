# Two loops over the heads: what the first one kept is taken by the second.
import numpy as np

H, T, W = 3, 6, 4
rng = np.random.default_rng(71)
q, k, v, do = (rng.normal(size=(H, T, W)) for _ in range(4))
o, kept = np.zeros_like(v), np.zeros((H, T, T))
for h in range(H):
    s = q[h] @ k[h].T
    s = s / 2
    s = s - s.max(axis=1, keepdims=True)
    e = np.exp(s)
    p = e / e.sum(axis=1, keepdims=True)
    kept[h] = p
    o[h] = p @ v[h]
dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
for h in range(H):
    dv[h] = kept[h].T @ do[h]
    dp = do[h] @ v[h].T
    ds = kept[h] * (dp - (dp * kept[h]).sum(axis=1, keepdims=True)) / np.sqrt(W)
    dq[h] = ds @ k[h]
    dk[h] = ds.T @ q[h]
