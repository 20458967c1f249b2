# Capped scores in a window; queries in blocks; the log-sum-exp is kept for the backward pass.
import numpy as np

N, D, K, BLOCK = 8, 5, 4, 3


def scores(q, k, first, window, cap):
    z = q @ k.T
    z = cap * np.tanh(z / cap)
    i = first + np.arange(len(q))[:, None]
    j = np.arange(len(k))[None, :]
    return np.where((j <= i) & (i - j < window), z, -np.inf)


def forward(q, k, v, window, cap):
    y, lse = np.empty_like(v), np.empty((len(q), 1))
    for first in range(0, len(q), BLOCK):
        rows = q[first:first + BLOCK] / np.sqrt(K)
        z = scores(rows, k, first, window, cap)
        top = z.max(axis=1, keepdims=True)
        block_lse = top + np.log(np.exp(z - top).sum(axis=1, keepdims=True))
        y[first:first + BLOCK] = np.exp(z - block_lse) @ v
        lse[first:first + BLOCK] = block_lse
    return y, lse


def backward(dy, q, k, v, y, lse, window, cap):
    p = np.empty((len(q), len(k)))
    for first in range(0, len(q), BLOCK):
        queries = q[first:first + BLOCK]
        z = scores(queries / np.sqrt(K), k, first, window, cap)
        p[first:first + BLOCK] = np.exp(z - lse[first:first + BLOCK])
    dv = p.T @ dy
    dz = p * (dy @ v.T - (dy * y).sum(axis=1, keepdims=True))
    slope = 1 - np.tanh(q @ k.T / np.sqrt(K) / cap) ** 2
    ds = dz * slope / np.sqrt(K)
    return ds @ k, ds.T @ q, dv


rng = np.random.default_rng(8)
x, w_q, w_k, w_v = (rng.normal(size=size) for size in ((N, D), (D, K), (D, K), (D, K)))
goal = rng.normal(size=(N, K))
q, k, v = x @ w_q, x @ w_k, x @ w_v
y, lse = forward(q, k, v, 4, 2.5)
dq, dk, dv = backward(y - goal, q, k, v, y, lse, 4, 2.5)
dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
