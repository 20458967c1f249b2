# Queries, keys and values of all heads by one weight; nothing but their names tells which is which where the softmax is wrong.
import numpy as np

rng = np.random.default_rng(1)
H, n, d, a = 3, 5, 4, 2
x, goal = rng.normal(size=(n, d)), rng.normal(size=(n, d))
W, Wo = rng.normal(size=(d, 3 * H * a)), rng.normal(size=(H * a, d))
q, k, v = (x @ W).reshape(n, 3, H, a).transpose(1, 2, 0, 3)
s = q @ k.transpose(0, 2, 1) / np.sqrt(a)
e = np.exp(s)
p = e / e.sum(axis=2, keepdims=True)
z = p @ v
merged = z.transpose(1, 0, 2).reshape(n, H * a)
y = merged @ Wo
loss = ((y - goal) ** 2).sum()

dy = 2 * (y - goal)
dz = (dy @ Wo.T).reshape(n, H, a).transpose(1, 0, 2)
dp, dv = dz @ v.transpose(0, 2, 1), p.transpose(0, 2, 1) @ dz
ds = p * (dp - (dp * p).sum(axis=2, keepdims=True)) / np.sqrt(a)
dq, dk = ds @ k, ds.transpose(0, 2, 1) @ q
dW = x.T @ np.stack([dq, dk, dv]).transpose(2, 0, 1, 3).reshape(n, -1)
print(loss, dW.sum(), (merged.T @ dy).sum())
