# One batch in several calls, whose gradients add up.
import numpy as np

B, N, D, K = 6, 4, 5, 4
SIZES = (3, 3)
rng = np.random.default_rng(44)
w = {name: rng.normal(size=(D, K)) / 2 for name in ("q", "k", "v")}
b = {name: rng.normal(size=K) / 4 for name in ("q", "k", "v")}
inputs, goals = rng.normal(size=(B, N, D)), rng.normal(size=(B, N, K))


def attend(x):
    q, k, v = (x @ w[name] + b[name] for name in ("q", "k", "v"))
    s = q @ k.transpose(0, 2, 1) / np.sqrt(K)
    s = np.where(np.triu(np.ones((N, N), dtype=bool), 1), -np.inf, s)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return p @ v, (q, k, v, p)


def backward(x, dy, kept, dw, db):
    q, k, v, p = kept
    dp = dy @ v.transpose(0, 2, 1)
    ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True)) / np.sqrt(K)
    d = {"q": ds @ k, "k": ds.transpose(0, 2, 1) @ q, "v": p.transpose(0, 2, 1) @ dy}
    dw["q"] += np.einsum("bic,bik->ck", x, d["q"])
    dw["k"] += np.einsum("bic,bik->ck", x, d["k"])
    dw["v"] += np.einsum("bic,bik->ck", x, d["v"])
    for name in d:
        db[name] += d[name].sum(axis=(0, 1))
    return sum(d[name] @ w[name].T for name in d)


dw = {name: np.zeros((D, K)) for name in w}
db = {name: np.zeros(K) for name in b}
loss, done = 0.0, 0
for size in SIZES:
    x, goal = inputs[done : done + size], goals[done : done + size]
    y, kept = attend(x)
    loss += ((y - goal) ** 2).sum() / B
    dx = backward(x, 2 * (y - goal) / B, kept, dw, db)
    done += size
