import numpy as np

rng = np.random.default_rng(9)
n, c, h, d = 5, 6, 2, 3
x = rng.standard_normal((n, c))
A = {k: rng.standard_normal((c + 1, h * d)) for k in "qkv"}
out = rng.standard_normal((h * d + 1, c))
up = rng.standard_normal((n, c))


def with_one(t):
    return np.hstack([t, np.ones((len(t), 1))])


x1 = with_one(x)
q, k, v = ((x1 @ A[name]).reshape(n, h, d).transpose(1, 0, 2) for name in "qkv")
s = q @ k.transpose(0, 2, 1) / np.sqrt(d)
p = np.exp(s - s.max(-1, keepdims=True))
p /= p.sum(-1, keepdims=True)
o1 = with_one((p @ v).transpose(1, 0, 2).reshape(n, h * d))
y = o1 @ out

dout = o1.T @ up
do = (up @ out.T)[:, :-1].reshape(n, h, d).transpose(1, 0, 2)
dv = p.transpose(0, 2, 1) @ do
dp = do @ v.transpose(0, 2, 1)
ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(d)
grads, dx1 = {}, np.zeros_like(x1)
for name, g in (("q", ds @ k), ("k", ds.transpose(0, 2, 1) @ q), ("v", dv)):
    flat = g.transpose(1, 0, 2).reshape(n, h * d)
    grads[name] = x1.T @ flat
    dx1 = dx1 + flat @ A[name].T
dx = dx1[:, :-1]
