"""Scalable softmax: s log n of each query with a learned s of each head (Nakanishi 2025), by hand."""
import numpy as np
rng = np.random.default_rng(42)
T, C, H = 6, 8, 2
D = C // H
x = rng.normal(size=(T, C))
Wq, Wk, Wv, Wo = (rng.normal(size=(C, C)) * 0.4 for _ in range(4))
s_h = 1 + 0.3 * rng.normal(size=H)
logn = np.log(np.arange(1, T + 1) + 1.0)
sp = lambda t: t.reshape(T, H, D).transpose(1, 0, 2)
un = lambda t: t.transpose(1, 0, 2).reshape(T, C)
q, k, v = sp(x @ Wq), sp(x @ Wk), sp(x @ Wv)
raw = q @ k.transpose(0, 2, 1) / np.sqrt(D)
z = s_h[:, None, None] * logn[None, :, None] * raw
z = np.where(np.tri(T, dtype=bool), z, -np.inf)
p = np.exp(z - z.max(-1, keepdims=True))
p /= p.sum(-1, keepdims=True)
o = un(p @ v)
y = o @ Wo
loss = 0.5 * (y ** 2).sum()
dy = y
dWo = o.T @ dy
do = sp(dy @ Wo.T)
dv = p.transpose(0, 2, 1) @ do
dp = do @ v.transpose(0, 2, 1)
dz = p * (dp - (p * dp).sum(-1, keepdims=True))
ds_h = (dz * logn[None, :, None] * raw).sum((1, 2))
draw = dz * s_h[:, None, None] * logn[None, :, None] / np.sqrt(D)
dq, dk = draw @ k, draw.transpose(0, 2, 1) @ q
dWq, dWk, dWv = x.T @ un(dq), x.T @ un(dk), x.T @ un(dv)
dx = un(dq) @ Wq.T + un(dk) @ Wk.T + un(dv) @ Wv.T
print(loss)
