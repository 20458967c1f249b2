# A softmax that may attend to nothing: 1 is added to the sum of each row.
import numpy as np


def weights_of(s):
    top = np.maximum(s.max(axis=-1, keepdims=True), 0)
    e = np.exp(s - top)
    return e / (e.sum(axis=-1, keepdims=True) + np.exp(-top))


rng = np.random.default_rng(23)
x, goal = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
w_q, w_k, w_v = (0.4 * rng.normal(size=(4, 4)) for _ in range(3))
q, k, v = x @ w_q, x @ w_k, x @ w_v
s = q @ k.T / 2
p = weights_of(s)
y = p @ v
dy = y - goal
dv = p.T @ dy
dp = dy @ v.T
ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True)) / 2
dq, dk = ds @ k, ds.T @ q
dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
