# The gradients of queries, keys and values are views of one buffer.
import numpy as np

H, T, W = 2, 5, 4


def backward(q, k, v, p, do, dq, dk, dv):
    np.matmul(p.transpose(0, 2, 1), do, out=dv)
    dp = do @ v.transpose(0, 2, 1)
    ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True)) / np.sqrt(W)
    np.matmul(ds, k, out=dq)
    np.matmul(ds.transpose(0, 2, 1), q, out=dk)


rng = np.random.default_rng(31)
qkv = rng.normal(size=(T, 3 * H * W))
do = rng.normal(size=(H, T, W))
q, k, v = qkv.reshape(T, 3, H, W).transpose(1, 2, 0, 3)
s = q @ k.transpose(0, 2, 1) / np.sqrt(W)
e = np.exp(s - s.max(axis=-1, keepdims=True))
p = e / e.sum(axis=-1, keepdims=True)
o = p @ v
dqkv = np.zeros_like(qkv)
dq, dk, dv = dqkv.reshape(T, 3, H, W).transpose(1, 2, 0, 3)
backward(q, k, v, p, do, dq, dk, dv)
total = np.abs(dqkv).reshape(T, 3, H * W).sum()
