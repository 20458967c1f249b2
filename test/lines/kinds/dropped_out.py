# Dropout behind the output: its layer passes back what it kept.
import numpy as np


class Dropout:
    def __init__(self, rng, p):
        self.rng, self.p = rng, p

    def forward(self, a):
        self.keep = self.rng.random(a.shape) >= self.p
        return a * self.keep / (1 - self.p)

    def backward(self, da):
        return da * self.keep / (1 - self.p)


class Softmax:
    def forward(self, z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        self.p = p
        return p

    def backward(self, dp):
        inner = np.sum(dp * self.p, axis=1, keepdims=True)
        return self.p * (dp - inner)


class Attention:
    def __init__(self, rng):
        self.w = {name: rng.normal(size=(6, 6)) * 0.5 for name in "qkvo"}
        self.softmax, self.drop, self.grads = Softmax(), Dropout(rng, 0.25), {}

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = (x @ self.w[name] for name in "qkv")
        self.p = self.softmax.forward(self.q @ self.k.T / 6**0.5)
        self.c = self.p @ self.v
        return self.drop.forward(self.c @ self.w["o"])

    def backward(self, dr):
        dy = self.drop.backward(dr)
        self.grads["o"] = self.c.T @ dy
        dc = dy @ self.w["o"].T
        ds = self.softmax.backward(dc @ self.v.T) / 6**0.5
        parts = {"q": ds @ self.k, "k": ds.T @ self.q, "v": self.p.T @ dc}
        for name, part in parts.items():
            self.grads[name] = self.x.T @ part
        return sum(part @ self.w[name].T for name, part in parts.items())


rng = np.random.default_rng(61)
attention, x = Attention(rng), rng.normal(size=(7, 6))
res = attention.forward(x)
dres = rng.normal(size=res.shape)
dx = attention.backward(dres)
keep = attention.drop.keep
