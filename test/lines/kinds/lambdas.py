# A list entry for each head; the linear biases are functions of the positions, one for each head.
import numpy as np

N, C, W, H = 5, 6, 4, 3
rng = np.random.default_rng(15)
x, dy = rng.normal(size=(N, C)), rng.normal(size=(N, C))
w_q, w_k, w_v = ([0.6 * rng.normal(size=(C, W)) for _ in range(H)] for _ in range(3))
w_o = [0.6 * rng.normal(size=(W, C)) for _ in range(H)]
slopes = [2.0 ** -(h + 1) for h in range(H)]
biases = [lambda i, j, slope=slope: -slope * np.abs(i - j) for slope in slopes]
rows, columns = np.meshgrid(np.arange(N), np.arange(N), indexing="ij")


def attend(q, k, v, bias):
    z = q @ k.T / W**0.5 + bias(rows, columns)
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p @ v, p


def attend_back(do, q, k, v, p):
    dp = do @ v.T
    dz = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / W**0.5
    return dz @ k, dz.T @ q, p.T @ do


qs, ks, vs = ([x @ w for w in ws] for ws in (w_q, w_k, w_v))
os, ps = zip(*(attend(*each) for each in zip(qs, ks, vs, biases)))
y = sum(o @ w for o, w in zip(os, w_o))
dos = [dy @ w.T for w in w_o]
dqs, dks, dvs = zip(*(attend_back(*each) for each in zip(dos, qs, ks, vs, ps)))
dx = np.zeros_like(x)
for h in range(H):
    dx += dqs[h] @ w_q[h].T + dks[h] @ w_k[h].T + dvs[h] @ w_v[h].T
dw_q, dw_k, dw_v = ([x.T @ d for d in ds] for ds in (dqs, dks, dvs))
dw_o = [o.T @ dy for o in os]
