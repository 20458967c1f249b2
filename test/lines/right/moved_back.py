# Tokens are values too; a check moves an entry of each input there and back under one name.
import numpy as np

rng = np.random.default_rng(5)
x, other = rng.normal(size=(6, 3)), rng.normal(size=(4, 2))
A, B = 0.6 * rng.normal(size=(3, 5)), 0.6 * rng.normal(size=(2, 5))
goal = rng.normal(size=(4, 3))


def attend():
    k, q = x @ A, other @ B
    e = np.exp(k @ q.T)
    p = e / e.sum(0)
    return [sum(p[i, j] * x[i] for i in range(6)) for j in range(4)], p, k, q


def value():
    return 0.5 * np.sum((np.array(attend()[0]) - goal) ** 2)


y, p, k, q = attend()
dx, dk, dq = np.zeros_like(x), np.zeros((6, 5)), np.zeros((4, 5))
for j in range(4):
    g = y[j] - goal[j]
    dp = [g @ x[i] for i in range(6)]
    mean = sum(p[i, j] * dp[i] for i in range(6))
    for i in range(6):
        dz = p[i, j] * (dp[i] - mean)
        dk[i] += dz * q[j]
        dq[j] += dz * k[i]
        dx[i] += p[i, j] * g
dA, dB = x.T @ dk, other.T @ dq
dx += dk @ A.T
h = 1e-6
for own, found in ((x, dx), (A, dA), (B, dB)):
    own[1, 0] += h
    more = value()
    own[1, 0] -= 2 * h
    less = value()
    own[1, 0] += h
    print(found[1, 0], (more - less) / (2 * h))
