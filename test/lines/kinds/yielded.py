# Causal attention in tiles that a generator gives; the backward pass masks the weights after it made them again.
import numpy as np


def pieces(n, size):
    for first in range(0, n, size):
        yield first, min(first + size, n)


def forward(q, k, v, scale):
    o, lse = np.empty_like(v), np.empty(len(q))
    for a, b in pieces(len(q), 4):
        top, total = np.full(b - a, -np.inf), np.zeros(b - a)
        acc = np.zeros((b - a, v.shape[1]))
        for c, d in pieces(len(k), 3):
            if c >= b:
                break
            s = q[a:b] @ k[c:d].T * scale
            s = np.where(np.arange(c, d)[None, :] <= np.arange(a, b)[:, None], s, -np.inf)
            new = np.maximum(top, s.max(axis=1))
            p = np.exp(s - new[:, None])
            fade = np.exp(top - new)
            total = total * fade + p.sum(axis=1)
            acc = acc * fade[:, None] + p @ v[c:d]
            top = new
        o[a:b] = acc / total[:, None]
        lse[a:b] = top + np.log(total)
    return o, lse


def backward(q, k, v, o, lse, do, scale):
    delta = (o * do).sum(axis=1)
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for c, d in pieces(len(k), 3):
        for a, b in pieces(len(q), 4):
            if b <= c:
                continue
            p = np.exp(q[a:b] @ k[c:d].T * scale - lse[a:b, None])
            seen = np.arange(c, d)[None, :] <= np.arange(a, b)[:, None]
            p = np.where(seen, p, 0.0)
            dv[c:d] += p.T @ do[a:b]
            ds = p * (do[a:b] @ v[c:d].T - delta[a:b, None]) * scale
            dq[a:b] += ds @ k[c:d]
            dk[c:d] += ds.T @ q[a:b]
    return dq, dk, dv


rng = np.random.default_rng(23)
q, k = rng.normal(size=(10, 5)), rng.normal(size=(10, 5))
v, do = rng.normal(size=(10, 6)), rng.normal(size=(10, 6))
scale = 1 / np.sqrt(5)
o, lse = forward(q, k, v, scale)
dq, dk, dv = backward(q, k, v, o, lse, do, scale)
