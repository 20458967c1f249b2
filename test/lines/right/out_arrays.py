"""Single precision without new arrays: products go into arrays that each head and the backward pass use again."""
import numpy as np

F = np.float32
rng = np.random.default_rng(6)
batch, n, width, heads, dim = 2, 5, 6, 2, 3
x = rng.standard_normal((batch, n, width), dtype=F)
dy = rng.standard_normal((batch, n, heads * dim), dtype=F)
wq, wk, wv = (rng.standard_normal((heads, width, dim), dtype=F) * F(0.4) for _ in range(3))
q, k, v = (np.empty((batch, heads, n, dim), F) for _ in range(3))
# What lies in the memory that is taken next is as a mask would be.
float(np.where(rng.random((batch, heads, n, n)) < 0.3, F(0), F(-1e9)).sum())
p, y = np.empty((batch, heads, n, n), F), np.empty_like(dy)
s, row, part = np.empty((n, n), F), np.empty(n, F), np.empty((n, dim), F)
dx, dwq, dwk, dwv = (np.zeros_like(t) for t in (x, wq, wk, wv))
scale = F(1 / np.sqrt(dim))

for b in range(batch):
    for h in range(heads):
        np.matmul(x[b], wq[h], out=q[b, h])
        np.matmul(x[b], wk[h], out=k[b, h])
        np.matmul(x[b], wv[h], out=v[b, h])
        np.matmul(q[b, h], k[b, h].T, out=s)
        np.multiply(s, scale, out=s)
        np.max(s, axis=1, out=row)
        np.subtract(s, row[:, None], out=s)
        np.exp(s, out=p[b, h])
        np.sum(p[b, h], axis=1, out=row)
        np.divide(p[b, h], row[:, None], out=p[b, h])
        np.matmul(p[b, h], v[b, h], out=y[b, :, h * dim:(h + 1) * dim])

for b in range(batch):
    for h in range(heads):
        g = dy[b, :, h * dim:(h + 1) * dim]
        np.matmul(p[b, h].T, g, out=part)
        dwv[h] += x[b].T @ part
        dx[b] += part @ wv[h].T
        np.matmul(g, v[b, h].T, out=s)
        np.einsum("ij,ij->i", s, p[b, h], out=row)
        np.subtract(s, row[:, None], out=s)
        np.multiply(s, p[b, h], out=s)
        np.multiply(s, scale, out=s)
        np.matmul(s, k[b, h], out=part)
        dwq[h] += x[b].T @ part
        dx[b] += part @ wq[h].T
        np.matmul(s.T, q[b, h], out=part)
        dwk[h] += x[b].T @ part
        dx[b] += part @ wk[h].T
print(y.sum(), dx.sum())
