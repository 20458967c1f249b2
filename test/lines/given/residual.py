import numpy as np

rng = np.random.default_rng(3)
x, dr = rng.normal(size=(2, 5, 6)), rng.normal(size=(2, 5, 6))
wq, wk, wv, wo = (rng.normal(size=(6, 6)) for _ in range(4))


def heads(a):
    return a.reshape(2, 5, 2, 3).transpose(0, 2, 1, 3)


def merged(a):
    return a.transpose(0, 2, 1, 3).reshape(2, 5, 6)


q, k, v = heads(x @ wq), heads(x @ wk), heads(x @ wv)
s = q @ k.transpose(0, 1, 3, 2) / np.sqrt(3)
e = np.exp(s - s.max(-1, keepdims=True))
p = e / e.sum(-1, keepdims=True)
z = merged(p @ v)
r = x + z @ wo

dz = heads(dr @ wo.T)
dp = dz @ v.transpose(0, 1, 3, 2)
ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(3)
dq, dk, dv = merged(ds @ k), merged(ds.transpose(0, 1, 3, 2) @ q), merged(p.transpose(0, 1, 3, 2) @ dz)
dwo = np.einsum("btc,bto->co", z, dr)
dx = dr + dq @ wq.T + dk @ wk.T + dv @ wv.T
