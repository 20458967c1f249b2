"""A residual connection in the statement that weighs the values."""
import numpy as np
rng = np.random.RandomState(0)
n, d = 6, 8
x = rng.randn(n, d)
Wq, Wk, Wv = rng.randn(d, d) * .2, rng.randn(d, d) * .2, rng.randn(d, d) * .2
target = rng.randn(n, d)

def block(x):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    s = q @ k.T / np.sqrt(d)
    e = np.exp(s - s.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return x + p @ v, (q, k, v, p)

def block_backward(dy, x, cache):
    q, k, v, p = cache
    dv = p.T @ dy
    dp = dy @ v.T
    ds = p * (dp - (dp * p).sum(1, keepdims=True)) / np.sqrt(d)
    dq, dk = ds @ k, ds.T @ q
    dx = dy + dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    return dx, x.T @ dq, x.T @ dk, x.T @ dv

y, cache = block(x)
loss = 0.5 * ((y - target) ** 2).sum()
dx, dWq, dWk, dWv = block_backward(y - target, x, cache)
print(y.sum())
