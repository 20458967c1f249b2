import math
import random

random.seed(6)
T, C, D = 4, 3, 2


def drawn(rows, columns):
    return [[random.gauss(0, 1) for _ in range(columns)] for _ in range(rows)]


def zeros(rows, columns):
    return [[0.0] * columns for _ in range(rows)]


def product(a, b):
    out = zeros(len(a), len(b[0]))
    for i in range(len(a)):
        for j in range(len(b[0])):
            for k in range(len(b)):
                out[i][j] += a[i][k] * b[k][j]
    return out


def transposed(a):
    return [list(column) for column in zip(*a)]


x, target = drawn(T, C), drawn(T, D)
wq, wk, wv = drawn(C, D), drawn(C, D), drawn(C, D)
q, k, v = product(x, wq), product(x, wk), product(x, wv)
weights = zeros(T, T)
for j in range(T):
    scores = []
    for i in range(j + 1):
        scores.append(sum(q[j][a] * k[i][a] for a in range(D)) / math.sqrt(D))
    top = max(scores)
    total = sum(math.exp(each - top) for each in scores)
    for i in range(j + 1):
        weights[j][i] = math.exp(scores[i] - top) / total
y = product(weights, v)

dy = [[y[j][c] - target[j][c] for c in range(D)] for j in range(T)]
dv = product(transposed(weights), dy)
dp = product(dy, transposed(v))
ds = zeros(T, T)
for j in range(T):
    row = sum(dp[j][i] * weights[j][i] for i in range(T))
    for i in range(T):
        ds[j][i] = weights[j][i] * (dp[j][i] - row) / math.sqrt(D)
dq = product(ds, k)
dk = product(transposed(ds), q)
dwq, dwk, dwv = (product(transposed(x), each) for each in (dq, dk, dv))
