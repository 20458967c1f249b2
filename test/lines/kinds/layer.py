# A causal head whose gradients are written by hand, in place where that is usual.
import numpy as np

N, D, K = 6, 5, 4


def forward(x, w_q, w_k, w_v):
    q = x @ w_q
    k = x @ w_k
    v = x @ w_v
    s = q @ k.T / np.sqrt(K)
    future = np.triu(np.ones((N, N), dtype=bool), 1)
    s = np.where(future, -np.inf, s)
    p = np.exp(s - s.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return q, k, v, p, p @ v


def backward(dy, x, w_q, w_k, w_v, q, k, v, p):
    dq, dk, dv = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    np.matmul(p.T, dy, out=dv)
    dp = dy @ v.T
    ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(K)
    np.matmul(ds, k, out=dq)
    np.matmul(ds.T, q, out=dk)
    dx = dq @ w_q.T
    dx += dk @ w_k.T
    dx += dv @ w_v.T
    return x.T @ dq, x.T @ dk, x.T @ dv, dx


rng = np.random.default_rng(5)
x = rng.normal(size=(N, D))
w_q, w_k, w_v = (rng.normal(size=(D, K)) for _ in range(3))
goal = rng.normal(size=(N, K))
q, k, v, p, y = forward(x, w_q, w_k, w_v)
dy = y - goal
dw_q, dw_k, dw_v, dx = backward(dy, x, w_q, w_k, w_v, q, k, v, p)
