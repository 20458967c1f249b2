# Loops over sequences and heads, a mask that is added, and a loss called as people call it elsewhere.
import numpy as np

rng = np.random.default_rng(6)
B, n, d, H, a = 2, 5, 4, 2, 3
x = rng.normal(size=(B, n, d))
Wq, Wk, Wv = (rng.normal(size=(d, H * a)) * 0.5 for _ in range(3))
Wo = rng.normal(size=(H * a, d))


def softmax(rows):
    out = np.empty_like(rows)
    for r, row in enumerate(rows):
        e = np.exp(row - row.max())
        out[r] = e / e.sum()
    return out


q, k, v = x.dot(Wq), x.dot(Wk), x.dot(Wv)
mask = np.tril(np.ones((n, n)))
p, z = np.zeros((B, H, n, n)), np.zeros(q.shape)
for b in range(B):
    for h in range(H):
        at = slice(h * a, (h + 1) * a)
        s = q[b, :, at].dot(k[b, :, at].T) / np.sqrt(a)
        s = s + (1 - mask) * -1e9
        p[b, h] = softmax(s)
        z[b, :, at] = p[b, h].dot(v[b, :, at])
y = z.dot(Wo)
perte = (y**2).sum()

dy = 2 * y
dz = dy.dot(Wo.T)
dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
for b in range(B):
    for h in range(H):
        at = slice(h * a, (h + 1) * a)
        dp = dz[b, :, at].dot(v[b, :, at].T)
        dv[b, :, at] = p[b, h].T.dot(dz[b, :, at])
        ds = p[b, h] * (dp - (dp * p[b, h]).sum(axis=1, keepdims=True)) / np.sqrt(a)
        dq[b, :, at], dk[b, :, at] = ds.dot(k[b, :, at]), ds.T.dot(q[b, :, at])
dWo = np.tensordot(z, dy, axes=([0, 1], [0, 1]))
dWq, dWk, dWv = (np.tensordot(x, each, axes=([0, 1], [0, 1])) for each in (dq, dk, dv))
dx = dq.dot(Wq.T) + dk.dot(Wk.T) + dv.dot(Wv.T)
print(perte, dx.sum(), dWo.sum(), dWq.sum(), dWk.sum(), dWv.sum())
