# Kernels over flat buffers: the heads are laid out apart, and back together for the outputs.
import numpy as np

B, T, H, W = 2, 3, 2, 4
SIZE = B * T * H * W


def apart(to, x):
    for b in range(B):
        for h in range(H):
            for t in range(T):
                a, c = ((b * H + h) * T + t) * W, ((b * T + t) * H + h) * W
                to[a:a + W] = x[c:c + W]


def together(to, x):
    for b in range(B):
        for h in range(H):
            for t in range(T):
                a, c = ((b * H + h) * T + t) * W, ((b * T + t) * H + h) * W
                to[c:c + W] = x[a:a + W]


def attend(p, o, q, k, v):
    for r in range(B * H * T):
        keys = slice(r // T * T * W, (r // T + 1) * T * W)
        s = k[keys].reshape(T, W) @ q[r * W:(r + 1) * W] / np.sqrt(W)
        e = np.exp(s - s.max())
        p[r * T:(r + 1) * T] = e / e.sum()
        o[r * W:(r + 1) * W] = p[r * T:(r + 1) * T] @ v[keys].reshape(T, W)


def attend_back(dq, dk, dv, do, p, q, k, v):
    for r in range(B * H * T):
        own, row = slice(r * W, (r + 1) * W), p[r * T:(r + 1) * T]
        keys = slice(r // T * T * W, (r // T + 1) * T * W)
        dp = v[keys].reshape(T, W) @ do[own]
        ds = row * (dp - row @ dp) / np.sqrt(W)
        dq[own] = ds @ k[keys].reshape(T, W)
        dk[keys] += np.outer(ds, q[own]).ravel()
        dv[keys] += np.outer(row, do[own]).ravel()


rng = np.random.default_rng(23)
queries, keys, values, dy = (rng.normal(size=SIZE) for _ in range(4))
q, k, v, do, o, y = (np.zeros(SIZE) for _ in range(6))
dq, dk, dv = (np.zeros(SIZE) for _ in range(3))
p = np.zeros(B * H * T * T)
for to, x in ((q, queries), (k, keys), (v, values)):
    apart(to, x)
attend(p, o, q, k, v)
together(y, o)
apart(do, dy)
attend_back(dq, dk, dv, do, p, q, k, v)
