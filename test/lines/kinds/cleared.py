# Several heads with biases, whose gradients are added to what the layer was cleared of.
import numpy as np

N, C, H, W = 6, 7, 2, 5


def split(t):
    return t.reshape(N, H, W).transpose(1, 0, 2)


def merge(t):
    return t.transpose(1, 0, 2).reshape(N, H * W)


class Attention:
    def __init__(self, rng):
        self.at = {"w" + name: rng.normal(size=(C, H * W)) / 2 for name in "qkv"}
        self.at.update({"b" + name: rng.normal(size=H * W) for name in "qkv"})
        self.at["wo"] = rng.normal(size=(H * W, C)) / 2
        self.clear()

    def clear(self):
        self.total = {name: np.zeros_like(each) for name, each in self.at.items()}

    def forward(self, x):
        q = split(x @ self.at["wq"] + self.at["bq"])
        k = split(x @ self.at["wk"] + self.at["bk"])
        v = split(x @ self.at["wv"] + self.at["bv"])
        scale = 1 / np.sqrt(W)
        s = q @ k.transpose(0, 2, 1) * scale
        e = np.exp(s - s.max(axis=2, keepdims=True))
        p = e / e.sum(axis=2, keepdims=True)
        o = merge(p @ v)
        self.saved = x, q, k, v, p, o, scale
        return o @ self.at["wo"]

    def backward(self, dy):
        x, q, k, v, p, o, scale = self.saved
        self.total["wo"] += o.T @ dy
        do = split(dy @ self.at["wo"].T)
        dp = do @ v.transpose(0, 2, 1)
        ds = p * (dp - (p * dp).sum(axis=2, keepdims=True)) * scale
        dx = np.zeros_like(x)
        for name, d in (("q", ds @ k), ("k", ds.transpose(0, 2, 1) @ q), ("v", p.transpose(0, 2, 1) @ do)):
            d = merge(d)
            self.total["w" + name] += x.T @ d
            self.total["b" + name] += d.sum(axis=0)
            dx += d @ self.at["w" + name].T
        return dx


rng = np.random.default_rng(22)
layer = Attention(rng)
x, dy = rng.normal(size=(N, C)), rng.normal(size=(N, C))
layer.clear()
y = layer.forward(x)
dx = layer.backward(dy)
print(y.sum(), dx.sum())
for name in layer.at:
    print(name, np.linalg.norm(layer.total[name]))
