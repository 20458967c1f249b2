"""Heads in groups that share keys and values: which head belongs to which is kept in whole numbers."""
import numpy as np

H, G, N, W, D = 6, 3, 5, 4, 6


def scores(query, key):
    return query @ key.T / np.sqrt(W)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def weights(q, k, h):
    shared = h * len(k) // len(q)
    return softmax(scores(q[h], k[shared]))


def backward_group(q, k, v, do, dq, kv):
    dk, dv = np.zeros_like(k[kv]), np.zeros_like(v[kv])
    size = len(q) // len(k)
    for h in range(kv * size, (kv + 1) * size):
        p = softmax(scores(q[h], k[kv]))
        dp = do[h] @ v[kv].T
        dz = p * (dp - (p * dp).sum(axis=1, keepdims=True))
        dv += p.T @ do[h]
        ds = dz / np.sqrt(W)
        dq[h] = ds @ k[kv]
        dk += ds.T @ q[h]
    return dk, dv


rng = np.random.default_rng(31)
x = rng.normal(size=(N, D))
wq = rng.normal(size=(H, D, W)) * 0.6
wk, wv = rng.normal(size=(2, G, D, W)) * 0.6
dy = rng.normal(size=(H, N, W))
of_head = [h // 2 for h in range(H)]
q, k, v = x @ wq, x @ wk, x @ wv
y = np.zeros((H, N, W))
for h in range(H):
    y[h] = weights(q, k, h) @ v[of_head[h]]
dq = np.zeros_like(q)
dk, dv = np.zeros_like(k), np.zeros_like(v)
for kv in range(G):
    dk[kv], dv[kv] = backward_group(q, k, v, dy, dq, kv)
dx = sum(g @ m.T for g, m in zip([*dq, *dk, *dv], [*wq, *wk, *wv]))
print(np.abs(y).sum(), np.abs(dx).sum())
