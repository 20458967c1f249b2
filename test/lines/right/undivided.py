# Head by head, the weights never bound: exponentials are divided where they meet the values, and made again.
import numpy as np

rng = np.random.default_rng(2)
H, n, d, a, c = 2, 6, 5, 4, 3
w = {name: rng.normal(size=(H, d, a)) * 0.5 for name in "qk"}
w["v"], w["o"] = rng.normal(size=(H, d, c)), rng.normal(size=(H, c, d))
x, goal = rng.normal(size=(n, d)), rng.normal(size=(n, d))
seen = np.tril(np.ones((n, n), bool))
kept, y = [], np.zeros((n, d))
for h in range(H):
    q, k, v = x @ w["q"][h], x @ w["k"][h], x @ w["v"][h]
    s = q @ k.T / np.sqrt(a)
    top = np.where(seen, s, -np.inf).max(axis=1, keepdims=True)
    e = np.where(seen, np.exp(s - top), 0.0)
    total = e.sum(axis=1, keepdims=True)
    z = (e / total) @ v
    y += z @ w["o"][h]
    kept.append((q, k, v, top, total, z))

dy = y - goal
dw, dx = {name: np.zeros_like(each) for name, each in w.items()}, np.zeros_like(x)
for h, (q, k, v, top, total, z) in enumerate(kept):
    p = np.where(seen, np.exp(q @ k.T / np.sqrt(a) - top), 0.0) / total
    dw["o"][h] = z.T @ dy
    dz = dy @ w["o"][h].T
    dp = dz @ v.T
    ds = p * (dp - np.sum(dz * z, axis=1, keepdims=True)) / np.sqrt(a)
    for name, each in zip("qkv", (ds @ k, ds.T @ q, p.T @ dz)):
        dw[name][h] = x.T @ each
        dx += each @ w[name][h].T
print(y.sum(), dx.sum(), sum(each.sum() for each in dw.values()))
