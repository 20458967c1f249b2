# Projections entry by entry, their weights and biases views of one buffer.
import numpy as np

T, C = 4, 6


def affine(out, x, w, b):
    for t in range(T):
        for o in range(len(w)):
            out[t, o] = b[o] + np.dot(x[t], w[o])


def affine_back(dx, dw, db, dout, x, w):
    for t in range(T):
        for o in range(len(w)):
            d = dout[t, o]
            dx[t] += w[o] * d
            dw[o] += x[t] * d
            db[o] += d


rng = np.random.default_rng(73)
params, grads = rng.normal(size=3 * C * C + 3 * C) * 0.5, np.zeros(3 * C * C + 3 * C)
w, b = params[: 3 * C * C].reshape(3 * C, C), params[3 * C * C :]
dw, db = grads[: 3 * C * C].reshape(3 * C, C), grads[3 * C * C :]
x, dy = rng.normal(size=(T, C)), rng.normal(size=(T, C))
qkv, dqkv, dx = np.zeros((T, 3 * C)), np.zeros((T, 3 * C)), np.zeros((T, C))
affine(qkv, x, w, b)
q, k, v = qkv[:, :C], qkv[:, C : 2 * C], qkv[:, 2 * C :]
s = q @ k.T / np.sqrt(C)
e = np.exp(s - s.max(axis=1, keepdims=True))
p = e / e.sum(axis=1, keepdims=True)
y = p @ v
dp = dy @ v.T
ds = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / np.sqrt(C)
dqkv[:, :C], dqkv[:, C : 2 * C], dqkv[:, 2 * C :] = ds @ k, ds.T @ q, p.T @ dy
affine_back(dx, dw, db, dqkv, x, w)
