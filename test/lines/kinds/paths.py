# Layers that keep the gradients of their weights and give back that of their input.
import numpy as np


class Dense:
    def __init__(self, rng, n, m):
        self.w = rng.normal(size=(n, m)) * 0.5
        self.dw = np.zeros_like(self.w)

    def __call__(self, x):
        self.x = x
        return x @ self.w

    def backward(self, dy):
        self.dw += self.x.T @ dy
        return dy @ self.w.T


class Attention:
    def __init__(self, rng, width, size):
        self.q, self.k, self.v = (Dense(rng, width, size) for _ in range(3))

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        s = q @ k.T / np.sqrt(q.shape[1])
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        self.cache = q, k, v, p
        return p @ v

    def backward(self, dy):
        q, k, v, p = self.cache
        dp = dy @ v.T
        ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(q.shape[1])
        dx = self.q.backward(ds @ k)
        dx += self.k.backward(ds.T @ q)
        dx += self.v.backward(p.T @ dy)
        return dx


rng = np.random.default_rng(43)
x, dy = rng.normal(size=(6, 5)), rng.normal(size=(6, 4))
layer = Attention(rng, 5, 4)
y = layer.forward(x)
dx = layer.backward(dy)
