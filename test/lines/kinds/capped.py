# A temperature and a cap; the weights are recomputed in the backward pass.
import numpy as np

N, D, K = 5, 6, 4
TAU, CAP = 0.7, 2.5
rng = np.random.default_rng(12)
x, w_q, w_k, w_v = (rng.normal(size=shape) for shape in ((N, D), (D, K), (D, K), (D, K)))
upstream = rng.normal(size=(N, K))


def forward(q, k, v):
    s = q @ k.T / (TAU * K**0.5)
    z = CAP * np.tanh(s / CAP)
    lse = np.log(np.exp(z).sum(axis=1, keepdims=True))
    return np.exp(z - lse) @ v, lse


def backward(dy, q, k, v, y, lse):
    again = q @ k.T / (TAU * K**0.5)
    z = CAP * np.tanh(again / CAP)
    p = np.exp(z - lse)
    dv = p.T @ dy
    dz = p * (dy @ v.T - (dy * y).sum(axis=1, keepdims=True))
    ds = dz * (1 - (z / CAP) ** 2) / (TAU * K**0.5)
    return ds @ k, ds.T @ q, dv


q, k, v = x @ w_q, x @ w_k, x @ w_v
y, lse = forward(q, k, v)
dq, dk, dv = backward(upstream, q, k, v, y, lse)
dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
