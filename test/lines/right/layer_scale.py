"""What stands around the attention is no setup's: a learned factor of each feature, dropout of what it gives."""
import numpy as np

rng = np.random.default_rng(2)
n, d = 6, 4
x = rng.normal(size=(n, d))
wq, wk, wv, wo = (rng.normal(size=(d, d)) * 0.5 for _ in range(4))
factor = rng.normal(size=d) * 0.1
dy = rng.normal(size=(n, d))

q, k, v = x @ wq, x @ wk, x @ wv
e = np.exp(q @ k.T / np.sqrt(d))
p = e / e.sum(-1, keepdims=True)
z = p @ v
y = x + factor * (z @ wo)

db = dy * factor
dfactor = (dy * (z @ wo)).sum(0)
dwo = z.T @ db
dz = db @ wo.T
dp, dv = dz @ v.T, p.T @ dz
ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(d)
dq, dk = ds @ k, ds.T @ q
dwq, dwk, dwv = x.T @ dq, x.T @ dk, x.T @ dv
dx = dy + dq @ wq.T + dk @ wk.T + dv @ wv.T
print(y.sum(), dx.sum(), dfactor.sum())
