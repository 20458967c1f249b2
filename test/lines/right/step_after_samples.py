# Gradients of samples are added up, a step is taken, and the loss is computed once more; heads are columns that a loop takes.
import numpy as np

H = 3
rng = np.random.default_rng(8)
w = {name: rng.normal(size=(5, H * 2)) * 0.6 for name in ("q", "k", "v")}
w["o"], w["shift"] = rng.normal(size=(H * 2, 4)) * 0.6, rng.normal(size=4) * 0.2


def shares(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def passes(x, goal):
    q, k, v = x @ w["q"], x @ w["k"], x @ w["v"]
    width = q.shape[1] // H
    p, heads = [], []
    for h in range(H):
        at = slice(h * width, (h + 1) * width)
        p.append(shares(q[:, at] @ k[:, at].T / np.sqrt(width)))
        heads.append(p[h] @ v[:, at])
    z = np.hstack(heads)
    y = z @ w["o"] + w["shift"]
    dy = y - goal
    g = {"o": z.T @ dy, "shift": dy.sum(axis=0)}
    dz = dy @ w["o"].T
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for h in range(H):
        at = slice(h * width, (h + 1) * width)
        dv[:, at] = p[h].T @ dz[:, at]
        ds = p[h] * (dz[:, at] @ v[:, at].T)
        ds = ds - p[h] * ds.sum(axis=1, keepdims=True)
        ds = ds / np.sqrt(width)
        dq[:, at], dk[:, at] = ds @ k[:, at], ds.T @ q[:, at]
    g["q"], g["k"], g["v"] = x.T @ dq, x.T @ dk, x.T @ dv
    return 0.5 * (dy * dy).sum(), g, dq @ w["q"].T + dk @ w["k"].T + dv @ w["v"].T


xs, goals = rng.normal(size=(2, 6, 5)), rng.normal(size=(2, 6, 4))
total, sums = 0.0, {name: np.zeros_like(each) for name, each in w.items()}
for i in range(2):
    loss, g, dx = passes(xs[i], goals[i])
    total += loss
    for name in sums:
        sums[name] += g[name]
for name in w:
    w[name] = w[name] - 0.05 * sums[name]
print(total, sum(passes(xs[i], goals[i])[0] for i in range(2)))
