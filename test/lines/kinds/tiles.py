# Causal attention in tiles of queries and keys, forward and backward.
import numpy as np

BQ, BK = 4, 3


def hidden(s, i, j):
    rows, columns = np.arange(i, i + s.shape[0]), np.arange(j, j + s.shape[1])
    return np.where(rows[:, None] >= columns[None, :], s, -np.inf)


def forward(q, k, v, scale):
    n = len(q)
    o, lse = np.empty_like(v), np.empty(n)
    for i in range(0, n, BQ):
        end = min(i + BQ, n)
        top = np.full(end - i, -np.inf)
        total = np.zeros(end - i)
        acc = np.zeros((end - i, v.shape[1]))
        for j in range(0, end, BK):
            s = hidden(q[i:end] @ k[j:j + BK].T * scale, i, j)
            new = np.maximum(top, s.max(axis=1))
            fade = np.exp(top - new)
            p = np.exp(s - new[:, None])
            acc = acc * fade[:, None] + p @ v[j:j + BK]
            total = total * fade + p.sum(axis=1)
            top = new
        o[i:end] = acc / total[:, None]
        lse[i:end] = top + np.log(total)
    return o, lse


def backward(q, k, v, o, lse, do, scale):
    n = len(q)
    delta = (o * do).sum(axis=1)
    dq, dk, dv = np.zeros_like(q), np.empty_like(k), np.empty_like(v)
    for j in range(0, n, BK):
        end = min(j + BK, n)
        dk_acc = np.zeros((end - j, k.shape[1]))
        dv_acc = np.zeros((end - j, v.shape[1]))
        start = j // BQ * BQ
        for i in range(start, n, BQ):
            s = hidden(q[i:i + BQ] @ k[j:end].T * scale, i, j)
            p = np.exp(s - lse[i:i + BQ, None])
            dv_acc += p.T @ do[i:i + BQ]
            ds = p * (do[i:i + BQ] @ v[j:end].T - delta[i:i + BQ, None])
            dk_acc += ds.T @ q[i:i + BQ]
            dq[i:i + BQ] += ds @ k[j:end] * scale
        dk[j:end] = dk_acc * scale
        dv[j:end] = dv_acc
    return dq, dk, dv


rng = np.random.default_rng(7)
q, k, v, do = (rng.normal(size=(10, 5)) for _ in range(4))
scale = 1 / np.sqrt(5)
o, lse = forward(q, k, v, scale)
dq, dk, dv = backward(q, k, v, o, lse, do, scale)
