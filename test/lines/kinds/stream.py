# Keys one by one: a running maximum, sum and output.
import math

import numpy as np

N, D, K = 5, 4, 3
rng = np.random.default_rng(8)
x, w_q, w_k, w_v = (rng.normal(size=shape) for shape in ((N, D), (D, K), (D, K), (D, K)))
q, k, v = x @ w_q, x @ w_k, x @ w_v
y = np.zeros((N, K))
for j in range(N):
    top, total, mixed = -math.inf, 0.0, np.zeros(K)
    for i in range(N):
        s = q[j] @ k[i] / math.sqrt(K)
        new = max(top, s)
        shrink = math.exp(top - new)
        top = new
        e = math.exp(s - top)
        total = total * shrink + e
        mixed = mixed * shrink + e * v[i]
    y[j] = mixed / total
