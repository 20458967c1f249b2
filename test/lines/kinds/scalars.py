# One number after the other: sums that begin anew for each query.
import numpy as np

rng = np.random.default_rng(41)
n, width = 5, 3
x, goal = rng.normal(size=(n, 4)), rng.normal(size=(n, width))
w_q, w_k, w_v = (rng.normal(size=(4, width)) for _ in range(3))
q, k, v = x @ w_q, x @ w_k, x @ w_v
scale = width**-0.5
p, y = np.zeros((n, n)), np.zeros((n, width))
for i in range(n):
    row = []
    for j in range(i + 1):
        s = 0.0
        for a in range(width):
            s += q[i, a] * k[j, a]
        row.append(s * scale)
    total = 0.0
    for j in range(i + 1):
        p[i, j] = np.exp(row[j] - max(row))
        total += p[i, j]
    for j in range(i + 1):
        p[i, j] /= total
        for a in range(width):
            y[i, a] += p[i, j] * v[j, a]
dy = y - goal
dp, dv = np.zeros((n, n)), np.zeros((n, width))
dq, dk = np.zeros((n, width)), np.zeros((n, width))
for i in range(n):
    dot = 0.0
    for j in range(i + 1):
        for a in range(width):
            dp[i, j] += dy[i, a] * v[j, a]
            dv[j, a] += p[i, j] * dy[i, a]
        dot += dp[i, j] * p[i, j]
    for j in range(i + 1):
        ds = p[i, j] * (dp[i, j] - dot) * scale
        for a in range(width):
            dq[i, a] += ds * k[j, a]
            dk[j, a] += ds * q[i, a]
dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
