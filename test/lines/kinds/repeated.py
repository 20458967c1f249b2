# The same step several times over, in arrays that are made once.
import numpy as np

N, D, K = 6, 5, 4
rng = np.random.default_rng(31)
x, w_q, w_k, w_v = (rng.normal(size=shape) for shape in ((N, D), (D, K), (D, K), (D, K)))
dy = rng.normal(size=(N, K))
q, k, v, y, dq, dk, dv = (np.empty((N, K)) for _ in range(7))
p, ds = np.empty((N, N)), np.empty((N, N))
g_q, g_k, g_v = np.zeros_like(w_q), np.zeros_like(w_k), np.zeros_like(w_v)


def forward():
    np.matmul(x, w_q, out=q)
    np.matmul(x, w_k, out=k)
    np.matmul(x, w_v, out=v)
    np.matmul(q, k.T, out=p)
    np.divide(p, np.sqrt(K), out=p)
    np.subtract(p, p.max(axis=1, keepdims=True), out=p)
    np.exp(p, out=p)
    np.divide(p, p.sum(axis=1, keepdims=True), out=p)
    np.matmul(p, v, out=y)


def backward():
    np.matmul(p.T, dy, out=dv)
    np.matmul(dy, v.T, out=ds)
    np.multiply(ds, p, out=ds)
    np.subtract(ds, p * ds.sum(axis=1, keepdims=True), out=ds)
    np.divide(ds, np.sqrt(K), out=ds)
    np.matmul(ds, k, out=dq)
    np.matmul(ds.T, q, out=dk)
    np.add(g_q, x.T @ dq, out=g_q)
    np.add(g_k, x.T @ dk, out=g_k)
    np.add(g_v, x.T @ dv, out=g_v)


for _ in range(3):
    for each in (g_q, g_k, g_v):
        each.fill(0)
    forward()
    backward()
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
