# One head after the other, each with matrices of its own; a padded, causal mask; a function for every matrix product.
import numpy as np


def times(a, b):
    return a @ b


def softmax(a):
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


rng = np.random.default_rng(8)
n, width, heads, size = 5, 6, 3, 4
x = rng.normal(size=(n, width))
target = rng.normal(size=(n, width))
w_q = [rng.normal(size=(width, size)) for _ in range(heads)]
w_k = [rng.normal(size=(width, size)) for _ in range(heads)]
w_v = [rng.normal(size=(width, size)) for _ in range(heads)]
w_o = [rng.normal(size=(size, width)) for _ in range(heads)]
at = np.arange(n)
earlier = at[None, :] <= at[:, None]
real = (at < 4)[None, :]
seen = earlier & real
y = np.zeros((n, width))
saved = []
for h in range(heads):
    q, k, v = times(x, w_q[h]), times(x, w_k[h]), times(x, w_v[h])
    s = times(q, k.T) / np.sqrt(size)
    s = np.where(seen, s, -np.inf)
    p = softmax(s)
    o = times(p, v)
    y += times(o, w_o[h])
    saved.append((q, k, v, p, o))
dy = 2 * (y - target) / n
dx = np.zeros((n, width))
dw_q, dw_k, dw_v, dw_o = [], [], [], []
for h in range(heads):
    q, k, v, p, o_h = saved[h]
    dw_o.append(times(o_h.T, dy))
    do = times(dy, w_o[h].T)
    dv = times(p.T, do)
    dp = times(do, v.T)
    jacobian = [np.diag(row) - np.outer(row, row) for row in p]
    ds = np.zeros((n, n))
    for i in range(n):
        ds[i] = jacobian[i] @ dp[i]
    ds /= np.sqrt(size)
    dq = times(ds, k)
    dk = times(ds.T, q)
    dw_q.append(times(x.T, dq))
    dw_k.append(times(x.T, dk))
    dw_v.append(times(x.T, dv))
    of_head = times(dq, w_q[h].T)
    of_head = of_head + times(dk, w_k[h].T)
    of_head = of_head + times(dv, w_v[h].T)
    dx += of_head
