# Scores are capped: divided, through a tanh, and multiplied again.
import numpy as np

rng = np.random.default_rng(7)
CAP, n, d = 2.0, 5, 4
x, dy = rng.normal(size=(n, d)), rng.normal(size=(n, d))
wq, wk, wv = (rng.normal(size=(d, d)) for _ in range(3))
q, k, v = x @ wq, x @ wk, x @ wv
z = q @ k.T / np.sqrt(d)
bent = np.tanh(z / CAP)
capped = CAP * bent
p = np.exp(capped - capped.max(1, keepdims=True))
p = p / p.sum(1, keepdims=True)
y = p @ v

dp, dv = dy @ v.T, p.T @ dy
dcapped = p * (dp - (p * dp).sum(1, keepdims=True))
dz = dcapped * (1 - bent**2) / np.sqrt(d)
dq, dk = dz @ k, dz.T @ q
dx = dq @ wq.T + dk @ wk.T + dv @ wv.T
print(y.sum(), dx.sum(), (x.T @ dq).sum(), (x.T @ dk).sum(), (x.T @ dv).sum())
