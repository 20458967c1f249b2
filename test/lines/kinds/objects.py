# A layer of objects, each of which keeps its own gradients in a dictionary.
import numpy as np


class Affine:
    def __init__(self, rows, columns, rng, kept=None):
        self.w = rng.normal(size=(rows, columns)) / 2
        self.b = rng.normal(size=columns) / 4
        self.kept = {} if kept is None else kept

    def forward(self, t):
        self.t = t
        return t @ self.w + self.b

    def backward(self, d):
        self.kept["w"] = self.t.T @ d
        self.kept["b"] = d.sum(axis=0)
        return d @ self.w.T


class Layer:
    def __init__(self, width, size, rng):
        self.q, self.k, self.v = (Affine(width, size, rng) for _ in range(3))
        self.o = Affine(size, width, rng)
        self.root = size**0.5

    def forward(self, x):
        self.qs, self.ks, self.vs = self.q.forward(x), self.k.forward(x), self.v.forward(x)
        e = np.exp(self.qs @ self.ks.T / self.root)
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.o.forward(self.p @ self.vs)

    def backward(self, dy):
        do = self.o.backward(dy)
        dp = do @ self.vs.T
        ds = self.p * (dp - (self.p * dp).sum(axis=1, keepdims=True)) / self.root
        dx = self.q.backward(ds @ self.ks) + self.k.backward(ds.T @ self.qs)
        return dx + self.v.backward(self.p.T @ do)


rng = np.random.default_rng(21)
layer = Layer(6, 5, rng)
x, dy = rng.normal(size=(7, 6)), rng.normal(size=(7, 6))
y = layer.forward(x)
dx = layer.backward(dy)
for name in "qkvo":
    part = getattr(layer, name)
    print(name, *(np.linalg.norm(each) for each in part.kept.values()))
