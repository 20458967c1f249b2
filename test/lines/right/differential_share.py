"""One differential head, NumPy, cross attention, no norm: lambda is a number."""
import numpy as np

rng = np.random.default_rng(21)
n, m, c, d, e = 5, 4, 6, 3, 4
x, xp = rng.standard_normal((n, c)), rng.standard_normal((m, c))
W_Q1, W_Q2, W_K1, W_K2 = (rng.standard_normal((c, d)) for _ in range(4))
W_V = rng.standard_normal((c, e))
lam = 0.6


def softmax(s):
    w = np.exp(s - s.max(axis=1, keepdims=True))
    return w / w.sum(axis=1, keepdims=True)


def softmax_backward(p, dp):
    return p * (dp - np.sum(p * dp, axis=1, keepdims=True))


q1, q2, k1, k2, v = xp @ W_Q1, xp @ W_Q2, x @ W_K1, x @ W_K2, x @ W_V
p1 = softmax(q1 @ k1.T / np.sqrt(d))
p2 = softmax(q2 @ k2.T / np.sqrt(d))
y = (p1 - lam * p2) @ v
loss = 0.5 * np.sum(y ** 2)

dy = y
dv = (p1 - lam * p2).T @ dy
dp = dy @ v.T
ds1 = softmax_backward(p1, dp) / np.sqrt(d)
ds2 = softmax_backward(p2, -lam * dp) / np.sqrt(d)
dq1, dq2 = ds1 @ k1, ds2 @ k2
dk1, dk2 = ds1.T @ q1, ds2.T @ q2
dW_Q1, dW_Q2 = xp.T @ dq1, xp.T @ dq2
dW_K1, dW_K2 = x.T @ dk1, x.T @ dk2
dW_V = x.T @ dv
dx = dk1 @ W_K1.T + dk2 @ W_K2.T + dv @ W_V.T
dxp = dq1 @ W_Q1.T + dq2 @ W_Q2.T
print(loss)
