# A tiled kernel in the manner of Triton: blocks are loaded whole, and stored up to where their arrays end.
import numpy as np

BLOCK_M, BLOCK_N = 3, 4
rng = np.random.default_rng(8)
q, k, v, do = (rng.normal(size=shape) for shape in ((5, 3), (7, 3), (7, 2), (5, 2)))


def load(source, rows):
    inside = rows < len(source)
    block = np.zeros((len(rows),) + source.shape[1:])
    block[inside] = source[rows[inside]]
    return block


def store(target, rows, block):
    inside = rows < len(target)
    target[rows[inside]] = block[inside]


def forward(q, k, v, out, lse, scale):
    for a in range(0, len(q), BLOCK_M):
        rows = a + np.arange(BLOCK_M)
        own = load(q, rows)
        top, total, acc = np.full(BLOCK_M, -np.inf), np.zeros(BLOCK_M), np.zeros((BLOCK_M, v.shape[1]))
        for c in range(0, len(k), BLOCK_N):
            columns = c + np.arange(BLOCK_N)
            s = own @ load(k, columns).T * scale
            s = np.where(columns < len(k), s, -np.inf)
            new = np.maximum(top, s.max(axis=1))
            p = np.exp(s - new[:, None])
            fade = np.exp(top - new)
            total = total * fade + p.sum(axis=1)
            acc = acc * fade[:, None] + p @ load(v, columns)
            top = new
        store(out, rows, acc / total[:, None])
        store(lse, rows, top + np.log(total))


def backward(q, k, v, do, lse, delta, dq, dk, dv, scale):
    for c in range(0, len(k), BLOCK_N):
        columns = c + np.arange(BLOCK_N)
        ks, vs = load(k, columns), load(v, columns)
        dks, dvs = np.zeros_like(ks), np.zeros_like(vs)
        for a in range(0, len(q), BLOCK_M):
            rows = a + np.arange(BLOCK_M)
            qs, dos = load(q, rows), load(do, rows)
            p = np.exp(qs @ ks.T * scale - load(lse, rows)[:, None])
            p = np.where(columns < len(k), p, 0.0)
            dvs += p.T @ dos
            ds = p * (dos @ vs.T - load(delta, rows)[:, None])
            dks += ds.T @ qs
            store(dq, rows, load(dq, rows) + ds @ ks * scale)
        store(dk, columns, dks * scale)
        store(dv, columns, dvs)


out, lse = np.empty((5, 2)), np.empty(5)
dq, dk, dv = np.zeros_like(q), np.empty_like(k), np.empty_like(v)
forward(q, k, v, out, lse, 3**-0.5)
backward(q, k, v, do, lse, (out * do).sum(axis=1), dq, dk, dv, 3**-0.5)
