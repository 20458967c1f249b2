"""Heads with a factor of each query, a gate and a sink, forward and backward."""
import numpy as np

rng = np.random.RandomState(7)
n, d, h, e = 7, 6, 2, 4


def split(z):
    return z.reshape(n, h, e).transpose(1, 0, 2)


def merge(z):
    return z.transpose(1, 0, 2).reshape(n, h * e)


x = rng.randn(n, d)
w_q, w_k, w_v, w_g = (rng.randn(d, h * e) * 0.6 for _ in range(4))
w_o = rng.randn(h * e, d) * 0.6
sinks = rng.randn(h)
dy = rng.randn(n, d)

pos = np.arange(1, n + 1)
tau = np.maximum(1.0, np.log(pos) / np.log(3))
q, k, v = split(x @ w_q), split(x @ w_k), split(x @ w_v)
qs = q * tau[:, None]
s = qs @ k.transpose(0, 2, 1) / np.sqrt(e)
s = np.where(np.tril(np.ones((n, n))) > 0, s, -np.inf)
exps = np.exp(s)
beside = np.exp(sinks)[:, None, None]
total = exps.sum(-1, keepdims=True) + beside
p = exps / total
p_sink = beside / total
o = merge(p @ v)
gate = 1 / (1 + np.exp(-(x @ w_g)))
og = o * gate
y = og @ w_o

dw_o = og.T @ dy
dog = dy @ w_o.T
do = split(dog * gate)
dlogits = dog * o * gate * (1 - gate)
dw_g = x.T @ dlogits
dv = p.transpose(0, 2, 1) @ do
dp = do @ v.transpose(0, 2, 1)
delta = (p * dp).sum(-1, keepdims=True)
ds = p * (dp - delta) / np.sqrt(e)
dsinks = -(p_sink * delta).sum((1, 2))
dqs = ds @ k
dq = dqs * tau[:, None]
dk = ds.transpose(0, 2, 1) @ qs
fq, fk, fv = merge(dq), merge(dk), merge(dv)
dw_q, dw_k, dw_v = x.T @ fq, x.T @ fk, x.T @ fv
dx = fq @ w_q.T + fk @ w_k.T + fv @ w_v.T + dlogits @ w_g.T
