import math
import numpy as np

rng = np.random.default_rng(3)
B, T, C, H, D = 2, 7, 12, 2, 8
BASE, FACTOR = 10000.0, 4.0
x = rng.standard_normal((B, T, C))
Wq, Wk, Wv = (rng.standard_normal((C, H * D)) * 0.4 for _ in range(3))
Wo = rng.standard_normal((H * D, C)) * 0.4
g = rng.standard_normal((B, T, C))

inv_freq = 1 / ((BASE * FACTOR ** (D / (D - 2))) ** (np.arange(0, D, 2) / D))
mscale = 1.0
angles = np.outer(np.arange(T), inv_freq)
cos = np.cos(np.concatenate([angles, angles], -1)) * mscale
sin = np.sin(np.concatenate([angles, angles], -1)) * mscale


def rotate_half(t):
    return np.concatenate([-t[..., D // 2:], t[..., :D // 2]], -1)


def rotate_half_back(t):
    return np.concatenate([t[..., D // 2:], -t[..., :D // 2]], -1)


def split(t):
    return t.reshape(B, T, H, D).transpose(0, 2, 1, 3)


def merge(t):
    return t.transpose(0, 2, 1, 3).reshape(B, T, H * D)


q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
qr, kr = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
s = qr @ kr.transpose(0, 1, 3, 2) / math.sqrt(D)
s = np.where(np.tril(np.ones((T, T), bool)), s, -np.inf)
p = np.exp(s - s.max(-1, keepdims=True))
p = p / p.sum(-1, keepdims=True)
o = merge(p @ v)
y = o @ Wo

dWo = o.reshape(-1, H * D).T @ g.reshape(-1, C)
do = split(g @ Wo.T)
dv = p.transpose(0, 1, 3, 2) @ do
dp = do @ v.transpose(0, 1, 3, 2)
ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / math.sqrt(D)
dqr, dkr = ds @ kr, ds.transpose(0, 1, 3, 2) @ qr
dq = dqr * cos + rotate_half_back(dqr * sin)
dk = dkr * cos + rotate_half_back(dkr * sin)
dq, dk, dv = merge(dq), merge(dk), merge(dv)
flat = x.reshape(-1, C)
dWq, dWk, dWv = (flat.T @ t.reshape(-1, H * D) for t in (dq, dk, dv))
dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
print(y.sum())
