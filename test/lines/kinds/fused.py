# One buffer of queries, keys and values, its gradient written through views, then joined again for the weights.
import numpy as np

B, T, H, W = 2, 4, 3, 5
C = H * W


def forward(x, w):
    qkv = x @ w
    q, k, v = qkv.reshape(B, T, 3, H, W).transpose(2, 0, 3, 1, 4)
    s = q @ k.swapaxes(2, 3) / np.sqrt(W)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    o = p @ v
    return q, k, v, p, o.swapaxes(1, 2).reshape(B, T, C)


def backward(x, q, k, v, p, do):
    do = do.reshape(B, T, H, W).swapaxes(1, 2)
    stacked = np.empty((3, B, H, T, W))
    stacked[2] = p.swapaxes(2, 3) @ do
    dp = do @ v.swapaxes(2, 3)
    ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / np.sqrt(W)
    stacked[0] = ds @ k
    stacked[1] = ds.swapaxes(2, 3) @ q
    joined = stacked.transpose(1, 3, 0, 2, 4).reshape(B * T, 3 * C)
    return x.reshape(B * T, C).T @ joined, joined


rng = np.random.default_rng(5)
x, w = rng.normal(size=(B, T, C)), rng.normal(size=(C, 3 * C))
do = rng.normal(size=(B, T, C))
q, k, v, p, o = forward(x, w)
dw, joined = backward(x, q, k, v, p, do)
dx = (joined @ w.T).reshape(B, T, C)
