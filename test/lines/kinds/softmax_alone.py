# A layer of the softmax alone, whose caller scales what it is given, and its gradient.
import numpy as np


class Softmax:
    def forward(self, z):
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p

    def backward(self, g):
        return self.p * (g - (g * self.p).sum(axis=-1, keepdims=True))


class Attention:
    def __init__(self, w_q, w_k, w_v):
        self.w_q, self.w_k, self.w_v, self.softmax = w_q, w_k, w_v, Softmax()

    def forward(self, x):
        self.x, self.q, self.k, self.v = x, x @ self.w_q, x @ self.w_k, x @ self.w_v
        self.scale = 1 / np.sqrt(self.q.shape[-1])
        self.p = self.softmax.forward(self.scale * (self.q @ self.k.T))
        return self.p @ self.v

    def backward(self, dy):
        dv, dp = self.p.T @ dy, dy @ self.v.T
        ds = self.scale * self.softmax.backward(dp)
        dq = ds @ self.k
        dk = ds.T @ self.q
        self.grads = self.x.T @ dq, self.x.T @ dk, self.x.T @ dv
        return dq @ self.w_q.T + dk @ self.w_k.T + dv @ self.w_v.T


rng = np.random.default_rng(3)
x, goal = rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
w_q, w_k, w_v = rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
layer = Attention(w_q, w_k, w_v)
y = layer.forward(x)
dx = layer.backward(y - goal)
