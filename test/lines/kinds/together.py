"""One head by hand; several results in one statement."""

import numpy as np

rng = np.random.default_rng(7)
T, C, D = 6, 8, 5
x = rng.normal(size=(T, C))
Wq, Wk, Wv = rng.normal(size=(3, C, D)) * 0.3


def forward(x):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    s = q @ k.T / np.sqrt(D)
    p = np.exp(s)
    p = p / p.sum(-1, keepdims=True)
    return p @ v, (x, q, k, v, p)


def backward(dy, cache):
    x, q, k, v, p = cache
    dv = p.T @ dy
    dp = dy @ v.T
    ds = p * (dp - (p * dp).sum(-1, keepdims=True))
    dq = ds @ k / np.sqrt(D)
    dk = ds.T @ q / np.sqrt(D)
    dWq, dWk, dWv = x.T @ dq, x.T @ dk, x.T @ dv
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    return dx, dWq, dWk, dWv


y, cache = forward(x)
dy = rng.normal(size=y.shape)
dx, dWq, dWk, dWv = backward(dy, cache)
