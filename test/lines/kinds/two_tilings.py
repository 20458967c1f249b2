# Tiles that are normalised one by one and joined, over other tiles in the backward pass than before.
import numpy as np

rng = np.random.default_rng(4)
q, k, v, do = (rng.normal(size=shape) for shape in ((5, 3), (10, 3), (10, 2), (5, 2)))


def blocks(n, size):
    return [slice(a, min(a + size, n)) for a in range(0, n, size)]


out, total, top = np.zeros((5, 2)), np.zeros(5), np.full(5, -np.inf)
for c in blocks(10, 4):
    for r in blocks(5, 2):
        s = q[r] @ k[c].T / np.sqrt(3)
        peak = s.max(axis=1)
        e = np.exp(s - peak[:, None])
        new = np.maximum(top[r], peak)
        old, own = np.exp(top[r] - new), np.exp(peak - new)
        norm = old * total[r] + own * e.sum(axis=1)
        out[r] = ((total[r] * old)[:, None] * out[r] + own[:, None] * (e @ v[c])) / norm[:, None]
        total[r] = norm
        top[r] = new

dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
for c in blocks(10, 5):
    for r in blocks(5, 3):
        s = q[r] @ k[c].T / np.sqrt(3)
        p = np.exp(s - top[r][:, None]) / total[r][:, None]
        dv[c] += p.T @ do[r]
        ds = p * (do[r] @ v[c].T - (do[r] * out[r]).sum(axis=1)[:, None]) / np.sqrt(3)
        dq[r] += ds @ k[c]
        dk[c] += ds.T @ q[r]
