# Attention over lists of Python's own numbers.
import math
import random

random.seed(5)
N, D, A = 4, 3, 2


def drawn(rows, columns):
    return [[random.gauss(0, 1) for _ in range(columns)] for _ in range(rows)]


def times(a, b):
    return [[sum(u * w for u, w in zip(row, column)) for column in zip(*b)] for row in a]


def turned(a):
    return [list(row) for row in zip(*a)]


x, w_q, w_k, w_v, goal = drawn(N, D), drawn(D, A), drawn(D, A), drawn(D, A), drawn(N, A)
q, k, v = times(x, w_q), times(x, w_k), times(x, w_v)
p = []
for i in range(N):
    row = []
    for j in range(N):
        dot = 0.0
        for c in range(A):
            dot += q[i][c] * k[j][c]
        row.append(dot / math.sqrt(A))
    top = max(row)
    e = [math.exp(s - top) for s in row]
    total = sum(e)
    p.append([each / total for each in e])
y = times(p, v)
dy = [[y[i][c] - goal[i][c] for c in range(A)] for i in range(N)]
dv = times(turned(p), dy)
dp = times(dy, turned(v))
ds = []
for i in range(N):
    mean = sum(p[i][j] * dp[i][j] for j in range(N))
    ds.append([p[i][j] * (dp[i][j] - mean) / math.sqrt(A) for j in range(N)])
dq, dk = times(ds, k), times(turned(ds), q)
dw_q, dw_k, dw_v = (times(turned(x), each) for each in (dq, dk, dv))
