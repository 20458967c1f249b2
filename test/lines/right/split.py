import numpy as np

rng = np.random.default_rng(11)
n, m, heads, groups, d = 2, 8, 4, 2, 3
tokens, memory = rng.normal(size=(n, 5)), rng.normal(size=(m, 6))
wq = rng.normal(size=(5, heads * d))
wk, wv = rng.normal(size=(6, groups * d)), rng.normal(size=(6, groups * d))
upstream = rng.normal(size=(n, heads, d))


def partial(q, k, v):
    k, v = np.repeat(k, heads // groups, axis=1), np.repeat(v, heads // groups, axis=1)
    s = np.einsum("qhd,khd->hqk", q, k) * d**-0.5
    top = s.max(-1, keepdims=True)
    p = np.exp(s - top)
    total = p.sum(-1, keepdims=True)
    return np.einsum("hqk,khd->hqd", p, v) / total, (top + np.log(total))[..., 0]


q = (tokens @ wq).reshape(n, heads, d)
k, v = (memory @ wk).reshape(m, groups, d), (memory @ wv).reshape(m, groups, d)
parts = [partial(q, k[start : start + 3], v[start : start + 3]) for start in range(0, m, 3)]
lses = np.stack([lse for _, lse in parts])
lse = np.log(np.exp(lses).sum(0))
out = sum(np.exp(own - lse)[..., None] * o for o, own in parts).transpose(1, 0, 2)

dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
delta = (upstream * out).sum(-1).T
for start in range(0, m, 3):
    own = slice(start, min(start + 3, m))
    for j in range(heads):
        g = j // (heads // groups)
        s = q[:, j] @ k[own, g].T * d**-0.5
        p = np.exp(s - lse[j][:, None])
        dv[own, g] += p.T @ upstream[:, j]
        ds = p * (upstream[:, j] @ v[own, g].T - delta[j][:, None]) * d**-0.5
        dq[:, j] += ds @ k[own, g]
        dk[own, g] += ds.T @ q[:, j]
