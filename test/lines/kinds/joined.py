# One sequence after the other, each query from the last to the first; the gradients of queries, keys and values are joined.
import numpy as np

HEADS = 3


class Linear:
    def __init__(self, rng, n, m):
        self.w, self.b = rng.normal(size=(m, n)) * 0.4, rng.normal(size=m) * 0.1
        self.dw, self.db = np.zeros_like(self.w), np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.w.T + self.b

    def backward(self, dy):
        self.dw += dy.T @ self.x
        self.db += dy.sum(axis=0)
        return dy @ self.w


def attend(row, kept):
    n = len(row)
    q, k, v = row.reshape(n, 3, HEADS, -1).transpose(1, 2, 0, 3)
    scaled = q * q.shape[2] ** -0.5
    p, z = np.zeros((HEADS, n, n)), np.zeros_like(q)
    for h in range(HEADS):
        for t in reversed(range(n)):
            line = k[h, : t + 1] @ scaled[h, t]
            line = np.exp(line - line.max())
            p[h, t, : t + 1] = line / line.sum()
            z[h, t] = p[h, t, : t + 1] @ v[h, : t + 1]
    kept.append((scaled, k, v, p, z))
    return z.transpose(1, 0, 2).reshape(n, -1)


def gradient(dz, scaled, k, v, p, z):
    n = len(dz)
    dz = dz.reshape(n, HEADS, -1).transpose(1, 0, 2)
    dq, dk, dv = np.zeros_like(k), np.zeros_like(k), np.zeros_like(k)
    for h in range(HEADS):
        for t in reversed(range(n)):
            seen = p[h, t, : t + 1]
            dp = v[h, : t + 1] @ dz[h, t]
            mean = z[h, t] @ dz[h, t]
            ds = seen * (dp - mean)
            dv[h, : t + 1] += np.outer(seen, dz[h, t])
            dk[h, : t + 1] += np.outer(ds, scaled[h, t])
            dq[h, t] = ds @ k[h, : t + 1] * k.shape[2] ** -0.5
    merged = [each.transpose(1, 0, 2).reshape(n, -1) for each in (dq, dk, dv)]
    return np.concatenate(merged, axis=1)


rng = np.random.default_rng(41)
x, dy = rng.normal(size=(4, 5, 6)), rng.normal(size=(4, 5, 6))
layer = Linear(rng, 6, 18)
dx = np.zeros_like(x)
for b in range(4):
    kept = []
    y = attend(layer.forward(x[b]), kept)
    dx[b] = layer.backward(gradient(dy[b], *kept[0]))
