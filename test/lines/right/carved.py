# All parameters lie in one flat buffer, and are views of it; products are loops over rows and outputs.
import numpy as np

rng = np.random.default_rng(1)
n, d, a = 5, 6, 4
shapes = {"query": (a, d), "key": (a, d), "value": (a, d), "end": (d, a), "shift": (d,)}


def carve(memory):
    parts, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        parts[name] = memory[start : start + size].reshape(shape)
        start += size
    return parts


def linear(out, rows, weight, shift):
    for t in range(len(rows)):
        for o in range(len(weight)):
            out[t, o] = rows[t] @ weight[o] + shift[o]


def linear_back(drows, dweight, dshift, dout, rows, weight):
    for t in range(len(rows)):
        for o in range(len(weight)):
            drows[t] += dout[t, o] * weight[o]
            dweight[o] += dout[t, o] * rows[t]
            dshift[o] += dout[t, o]


size = sum(int(np.prod(shape)) for shape in shapes.values())
memory, grads = rng.normal(size=size) * 0.5, np.zeros(size)
w, g = carve(memory), carve(grads)
x, goal = rng.normal(size=(n, d)), rng.normal(size=(n, d))
q, k, v, y = np.zeros((n, a)), np.zeros((n, a)), np.zeros((n, a)), np.zeros((n, d))
none = np.zeros(a)
for out, name in ((q, "query"), (k, "key"), (v, "value")):
    linear(out, x, w[name], none)
p, z = np.zeros((n, n)), np.zeros((n, a))
for t in range(n):
    row = k[: t + 1] @ q[t] / np.sqrt(a)
    row = np.exp(row - row.max())
    p[t, : t + 1] = row / row.sum()
    z[t] = p[t, : t + 1] @ v[: t + 1]
linear(y, z, w["end"], w["shift"])
loss = np.mean((y - goal) ** 2)

dy = 2.0 * (y - goal) / y.size
dz, dx = np.zeros_like(z), np.zeros_like(x)
linear_back(dz, g["end"], g["shift"], dy, z, w["end"])
dp = dz @ v.T
ds = p * (dp - (dp * p).sum(1, keepdims=True)) / np.sqrt(a)
for each, name in ((ds @ k, "query"), (ds.T @ q, "key"), (p.T @ dz, "value")):
    linear_back(dx, g[name], np.zeros(a), each, x, w[name])
print(loss, dx.sum(), grads.sum())
