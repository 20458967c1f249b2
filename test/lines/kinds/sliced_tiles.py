# Causal attention in tiles that slices pick, rows stored and loaded by functions of their own.
import numpy as np


def blocks(n, size):
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


def visible(rows, columns):
    r = np.arange(rows.start, rows.stop)
    c = np.arange(columns.start, columns.stop)
    return r[:, None] >= c[None, :]


def store(array, rows, part):
    array[rows] = part


def load(array, rows):
    part = np.zeros(rows.stop - rows.start)
    part[:] = array[rows]
    return part


def forward(q, k, v, o, lse):
    for rows in blocks(len(q), 3):
        top = np.full(rows.stop - rows.start, -np.inf)
        total, acc = np.zeros_like(top), np.zeros((len(top), v.shape[1]))
        for columns in blocks(len(k), 2):
            if columns.start >= rows.stop:
                break
            s = q[rows] @ k[columns].T / np.sqrt(q.shape[1])
            s[~visible(rows, columns)] = -np.inf
            new = np.maximum(top, s.max(axis=1))
            p, fade = np.exp(s - new[:, None]), np.exp(top - new)
            total = total * fade + p.sum(axis=1)
            acc = acc * fade[:, None] + p @ v[columns]
            top = new
        o[rows] = acc / total[:, None]
        store(lse, rows, top + np.log(total))


def backward(q, k, v, o, lse, do):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    delta = np.einsum("ij,ij->i", do, o)
    for columns in blocks(len(k), 2):
        for rows in blocks(len(q), 3):
            if rows.stop <= columns.start:
                continue
            own, d = load(lse, rows), load(delta, rows)
            s = q[rows] @ k[columns].T / np.sqrt(q.shape[1])
            p = np.exp(s - own[:, None]) * visible(rows, columns)
            dv[columns] += p.T @ do[rows]
            ds = p * (do[rows] @ v[columns].T - d[:, None]) / np.sqrt(q.shape[1])
            dq[rows] += ds @ k[columns]
            dk[columns] += ds.T @ q[rows]
    return dq, dk, dv


rng = np.random.default_rng(53)
q, k = rng.normal(size=(2, 8, 5))
v, do = rng.normal(size=(2, 8, 4))
o, lse = np.zeros_like(v), np.zeros(len(q))
forward(q, k, v, o, lse)
dq, dk, dv = backward(q, k, v, o, lse, do)
