"""Exercise sheet 4: gradients of f(y) for y_j = sum_i p_ij x_i, written out index by index."""
import math
import numpy as np

n, d, a = 5, 3, 2
rng = np.random.RandomState(4)
x = rng.randn(n, d)
WK = rng.randn(a, d)          # k_i = WK x_i (columns)
WQ = rng.randn(a, d)


def forward(x):
    k = [WK.dot(xi) for xi in x]
    q = [WQ.dot(xj) for xj in x]
    score = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            score[i, j] = k[i].dot(q[j])
    p = np.zeros((n, n))
    for j in range(n):
        total = sum(math.exp(score[i, j]) for i in range(n))
        for i in range(n):
            p[i, j] = math.exp(score[i, j]) / total
    y = np.zeros((n, d))
    for j in range(n):
        for i in range(n):
            y[j] += p[i, j] * x[i]
    return k, q, score, p, y


k, q, score, p, y = forward(x)
f = 0.5 * np.sum(y * y)
dfdy = y.copy()

dfdp = np.zeros((n, n))
for i in range(n):
    for j in range(n):
        dfdp[i, j] = dfdy[j].dot(x[i])

dfds = np.zeros((n, n))
for j in range(n):
    for i in range(n):
        for l in range(n):
            delta = 1.0 if i == l else 0.0
            dfds[i, j] += dfdp[l, j] * p[l, j] * (delta - p[i, j])

as_value = np.zeros_like(x)
as_key = np.zeros_like(x)
as_query = np.zeros_like(x)
for i in range(n):
    for j in range(n):
        as_value[i] += p[i, j] * dfdy[j]
        as_key[i] += dfds[i, j] * WK.T.dot(q[j])
        as_query[j] += dfds[i, j] * WQ.T.dot(k[i])
dfdx = as_value + as_key + as_query

dWK = np.zeros_like(WK)
dWQ = np.zeros_like(WQ)
for i in range(n):
    for j in range(n):
        dWK += dfds[i, j] * np.outer(q[j], x[i])
        dWQ += dfds[i, j] * np.outer(k[i], x[j])

print("f =", f)
for i in range(n):
    print("df/dx_%d =" % (i + 1), dfdx[i])
print("|dWK| = %.6f  |dWQ| = %.6f" % (np.linalg.norm(dWK), np.linalg.norm(dWQ)))
