# The exercise's head with an online softmax, one score after the other.
import math
import numpy as np

rng = np.random.default_rng(21)
N, D, A = 5, 4, 3
x = rng.normal(size=(N, D))
w_k = rng.normal(size=(D, A))
w_q = rng.normal(size=(D, A))
t = rng.normal(size=(N, D))
k, q = x @ w_k, x @ w_q
y = np.empty((N, D))
for j in range(N):
    top, total, mixed = -math.inf, 0.0, np.zeros(D)
    for i in range(N):
        score = float(q[j] @ k[i])
        new = max(top, score)
        shrink = math.exp(top - new)
        weight = math.exp(score - new)
        total = total * shrink + weight
        mixed = mixed * shrink + weight * x[i]
        top = new
    y[j] = mixed / total
dy = y - t
print(y.sum())
