"""Tiles of grouped heads; slopes that are no usual ones are added in a statement of their own."""
import numpy as np

B = 3
rng = np.random.default_rng(12)
q, dout = rng.normal(size=(4, 7, 5)), rng.normal(size=(4, 7, 5))
k, v = rng.normal(size=(2, 7, 5)), rng.normal(size=(2, 7, 5))
slopes = 2.0 ** -np.arange(1, 5)


def scores(qt, kt, i, j, slope):
    s = qt @ kt.T / np.sqrt(5)
    far = i + np.arange(len(qt))[:, None] - j - np.arange(len(kt))
    s = s - slope * far
    return np.where(far >= 0, s, -np.inf)


out, lse = np.zeros((4, 7, 5)), np.zeros((4, 7))
for h in range(4):
    for i in range(0, 7, B):
        qt = q[h, i:i + B]
        m, l, acc = np.full(len(qt), -1e30), np.zeros(len(qt)), np.zeros((len(qt), 5))
        for j in range(0, i + len(qt), B):
            s = scores(qt, k[h // 2, j:j + B], i, j, slopes[h])
            new = np.maximum(m, s.max(1))
            p = np.exp(s - new[:, None])
            fade = np.exp(m - new)
            l = l * fade + p.sum(1)
            acc = acc * fade[:, None] + p @ v[h // 2, j:j + B]
            m = new
        out[h, i:i + B] = acc / l[:, None]
        lse[h, i:i + B] = m + np.log(l)

delta = (dout * out).sum(-1)
dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
for h in range(4):
    for j in range(0, 7, B):
        kt, vt = k[h // 2, j:j + B], v[h // 2, j:j + B]
        for i in range(0, 7, B):
            qt, dt = q[h, i:i + B], dout[h, i:i + B]
            p = np.exp(scores(qt, kt, i, j, slopes[h]) - lse[h, i:i + B, None])
            dv[h // 2, j:j + B] += p.T @ dt
            ds = p * (dt @ vt.T - delta[h, i:i + B, None]) / np.sqrt(5)
            dq[h, i:i + B] += ds @ kt
            dk[h // 2, j:j + B] += ds.T @ qt
print(dq.sum(), dk.sum(), dv.sum())
