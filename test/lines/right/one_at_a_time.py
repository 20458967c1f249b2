# One sequence at a time: its tensors are handed on in a list, which each call is given with those of earlier ones.
import numpy as np

H = 2


def apart(rows):
    n, width = rows.shape
    return rows.reshape(n, 3, H, width // (3 * H)).transpose(1, 2, 0, 3)


def forward(rows, kept):
    q, k, v = apart(rows)
    heads, n, a = q.shape
    scaled = q * a**-0.5
    p, z = np.zeros((heads, n, n)), np.zeros((heads, n, a))
    for h in range(heads):
        for t in reversed(range(n)):
            e = np.exp(k[h, : t + 1] @ scaled[h, t])
            p[h, t, : t + 1] = e / e.sum()
            z[h, t] = p[h, t, : t + 1] @ v[h, : t + 1]
    kept.append((q, scaled, k, v, p))
    return z.transpose(1, 0, 2).reshape(n, -1)


def backward(dz, kept):
    q, scaled, k, v, p = kept
    heads, n, a = q.shape
    dz = dz.reshape(n, heads, a).transpose(1, 0, 2)
    dp = dz @ v.swapaxes(1, 2)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True))
    dq, dk, dv = ds @ k * a**-0.5, ds.swapaxes(1, 2) @ scaled, p.swapaxes(1, 2) @ dz
    return np.concatenate([each.transpose(1, 0, 2).reshape(n, -1) for each in (dq, dk, dv)], axis=1)


rng = np.random.default_rng(0)
B, n, d = 3, 5, 4
x = rng.normal(size=(B, n, d))
w, b = rng.normal(size=(3 * d, d)) * 0.5, rng.normal(size=3 * d)
dy = rng.normal(size=(B, n, d))
kept, y = [], np.zeros((B, n, d))
for i in range(B):
    y[i] = forward(x[i] @ w.T + b, kept)
dx, dw = np.zeros_like(x), np.zeros_like(w)
for i in range(B):
    rows = backward(dy[i], kept[i])
    dx[i] = rows @ w
    dw += rows.T @ x[i]
print(y.sum(), dx.sum(), dw.sum())
