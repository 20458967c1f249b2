import numpy as np

rng = np.random.default_rng(3)
B, T, C, heads = 2, 4, 6, 2
hs = C // heads
x = rng.standard_normal((B, T, C))
w = rng.standard_normal((C, 3 * C)) * 0.5
wo = rng.standard_normal((C, C)) * 0.5
dout = rng.standard_normal((B, T, C))
scale = 1.0 / np.sqrt(hs)

qkv = x @ w
att = np.zeros((B, heads, T, T))
z = np.zeros((B, T, C))
for b in range(B):
    for h in range(heads):
        for t in range(T):
            query = qkv[b, t, h * hs : (h + 1) * hs]
            keys = qkv[b, : t + 1, C + h * hs : C + (h + 1) * hs]
            row = keys @ query * scale
            row = np.exp(row - row.max())
            att[b, h, t, : t + 1] = row / row.sum()
            for t2 in range(t + 1):
                z[b, t, h * hs : (h + 1) * hs] += (
                    att[b, h, t, t2] * qkv[b, t2, 2 * C + h * hs : 2 * C + (h + 1) * hs]
                )
out = z @ wo

dwo = np.einsum("bti,btj->ij", z, dout)
dz = dout @ wo.T
dqkv = np.zeros_like(qkv)
for b in range(B):
    for t in range(T):
        for h in range(heads):
            datt = np.zeros(T)
            query = qkv[b, t, h * hs : (h + 1) * hs]
            dquery = dqkv[b, t, h * hs : (h + 1) * hs]
            g = dz[b, t, h * hs : (h + 1) * hs]
            for t2 in range(t + 1):
                value = qkv[b, t2, 2 * C + h * hs : 2 * C + (h + 1) * hs]
                dvalue = dqkv[b, t2, 2 * C + h * hs : 2 * C + (h + 1) * hs]
                for i in range(hs):
                    datt[t2] += value[i] * g[i]
                    dvalue[i] += att[b, h, t, t2] * g[i]
            dscore = att[b, h, t] * (datt - datt @ att[b, h, t]) * scale
            for t2 in range(t + 1):
                key = qkv[b, t2, C + h * hs : C + (h + 1) * hs]
                dkey = dqkv[b, t2, C + h * hs : C + (h + 1) * hs]
                for i in range(hs):
                    dquery[i] += dscore[t2] * key[i]
                    dkey[i] += dscore[t2] * query[i]
dx = dqkv @ w.T
dw = np.einsum("bti,btj->ij", x, dqkv)
print(np.abs(dx).sum(), np.abs(dw).sum(), np.abs(dwo).sum(), np.abs(out).sum())
