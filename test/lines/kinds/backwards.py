# Heads in lists, gone through from the last one to the first one.
import numpy as np

n, width, size, heads = 5, 6, 4, 3
rng = np.random.default_rng(23)
x, dy = rng.normal(size=(n, width)), rng.normal(size=(n, width))
w = {name: [rng.normal(size=(width, size)) for _ in range(heads)] for name in "qkv"}
w["o"] = [rng.normal(size=(size, width)) for _ in range(heads)]

seen = {name: [x @ each for each in w[name]] for name in "qkv"}
ps = []
for q, k in zip(seen["q"], seen["k"]):
    e = np.exp(q @ k.T / size**0.5)
    ps.append(e / e.sum(axis=1, keepdims=True))
os = [p @ v for p, v in zip(ps, seen["v"])]
y = sum(o @ each for o, each in zip(os, w["o"]))

grads = {name: [] for name in "qkvo"}
dx = np.zeros_like(x)
for h in reversed(range(heads)):
    q, k, v = (seen[name][h] for name in "qkv")
    p = ps[h]
    grads["o"].insert(0, os[h].T @ dy)
    do = dy @ w["o"][h].T
    dp = do @ v.T
    ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / size**0.5
    parts = {"q": ds @ k, "k": ds.T @ q, "v": p.T @ do}
    for name in "qkv":
        grads[name].insert(0, x.T @ parts[name])
        for t in range(n):
            dx[t] += w[name][h] @ parts[name][t]
print(np.linalg.norm(dx))
for name in grads:
    print(name, *(np.linalg.norm(each) for each in grads[name]))
