# One sample and one head after the other; buffers that are used again, gradients gathered in a dictionary of arrays.
import numpy as np


class Attention:
    def __init__(self, rng, width, heads):
        self.heads, self.d = heads, width // heads
        self.params = {name: 0.35 * rng.normal(size=(width, width)) for name in ("wq", "wk", "wv", "wo")}
        self.grads = {name: np.zeros_like(w) for name, w in self.params.items()}

    def part(self, h):
        return slice(h * self.d, (h + 1) * self.d)

    def forward(self, x):
        self.x = x
        self.q, self.k, self.v = (x @ self.params[name] for name in ("wq", "wk", "wv"))
        self.p = np.zeros((len(x), self.heads, x.shape[1], x.shape[1]))
        self.o = np.zeros_like(x)
        for b in range(len(x)):
            for h in range(self.heads):
                s = self.part(h)
                z = self.q[b][:, s] @ self.k[b][:, s].T / np.sqrt(self.d)
                z -= z.max(axis=1, keepdims=True)
                np.exp(z, out=z)
                z /= z.sum(axis=1, keepdims=True)
                self.p[b, h] = z
                self.o[b][:, s] = z @ self.v[b][:, s]
        return self.o @ self.params["wo"]

    def backward(self, dy):
        g, x = self.grads, self.x
        dx = np.empty_like(x)
        for b in range(len(x)):
            do = dy[b] @ self.params["wo"].T
            dq, dk, dv = (np.empty_like(self.q[b]) for _ in range(3))
            for h in range(self.heads):
                s = self.part(h)
                p = self.p[b, h]
                dp = do[:, s] @ self.v[b][:, s].T
                dz = p * (dp - (p * dp).sum(axis=1)[:, None])
                dz /= np.sqrt(self.d)
                dq[:, s] = dz @ self.k[b][:, s]
                dk[:, s] = dz.T @ self.q[b][:, s]
                dv[:, s] = p.T @ do[:, s]
            g["wo"] += self.o[b].T @ dy[b]
            g["wq"] += x[b].T @ dq
            g["wk"] += x[b].T @ dk
            g["wv"] += x[b].T @ dv
            dx[b] = dq @ self.params["wq"].T
            dx[b] += dk @ self.params["wk"].T
            dx[b] += dv @ self.params["wv"].T
        return dx


def mse(y, target):
    difference = y - target
    return np.mean(difference**2), 2 * difference / difference.size


rng = np.random.default_rng(77)
layer = Attention(rng, width=6, heads=2)
x, target = rng.normal(size=(3, 5, 6)), rng.normal(size=(3, 5, 6))
loss, dy = mse(layer.forward(x), target)
dx = layer.backward(dy)
print(loss, np.linalg.norm(dx), {name: np.linalg.norm(g) for name, g in layer.grads.items()})
