# Causal attention over tiles of keys, then of queries: outputs, maxima and sums are kept right after each tile.
import numpy as np


def forward(q, k, v, rows, columns):
    n, width = q.shape
    o, total, top = np.zeros_like(v), np.zeros((n, 1)), np.full((n, 1), -np.inf)
    for j in range(0, n, columns):
        keys, values = k[j : j + columns], v[j : j + columns]
        for i in range(j // rows * rows, n, rows):
            here = slice(i, i + rows)
            s = q[here] @ keys.T / np.sqrt(width)
            hidden = np.arange(j, j + s.shape[1])[None, :] > np.arange(i, i + s.shape[0])[:, None]
            s = np.where(hidden, -1e30, s)
            own = s.max(axis=1, keepdims=True)
            e = np.exp(s - own)
            peak = np.maximum(top[here], own)
            old, new = np.exp(top[here] - peak), np.exp(own - peak)
            both = old * total[here] + new * e.sum(axis=1, keepdims=True)
            o[here] = (total[here] * old * o[here] + new * (e @ values)) / both
            total[here], top[here] = both, peak
    return o, total, top


def backward(q, k, v, o, total, top, do, rows, columns):
    n, width = q.shape
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    delta = (do * o).sum(axis=1, keepdims=True)
    for i in range(0, n, rows):
        here = slice(i, i + rows)
        for j in range(0, min(i + rows, n), columns):
            there = slice(j, j + columns)
            s = q[here] @ k[there].T / np.sqrt(width)
            w = np.exp(s - top[here]) / total[here]
            w = w * (np.arange(j, j + s.shape[1]) <= np.arange(i, i + s.shape[0])[:, None])
            dv[there] += w.T @ do[here]
            ds = w * (do[here] @ v[there].T - delta[here]) / np.sqrt(width)
            dq[here] += ds @ k[there]
            dk[there] += ds.T @ q[here]
    return dq, dk, dv


rng = np.random.default_rng(29)
q, k, v, do = (rng.normal(size=(11, 6)) for _ in range(4))
o, total, top = forward(q, k, v, 3, 5)
dq, dk, dv = backward(q, k, v, o, total, top, do, 3, 5)
