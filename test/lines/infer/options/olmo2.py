"""OLMo 2: the norm is over all heads together, before they are split, in NumPy with its own backward pass."""
import numpy as np


def rms_norm(a, gain, eps=1e-6):
    r = 1 / np.sqrt((a * a).mean(-1, keepdims=True) + eps)
    return a * r * gain, r


def rms_norm_backward(d, a, r, gain):
    dgain = (d * a * r).reshape(-1, a.shape[-1]).sum(0)
    dhat = d * gain
    da = r * dhat - a * r**3 * (dhat * a).mean(-1, keepdims=True)
    return da, dgain


def turn(a, angles, sign=1):
    c, s = np.cos(angles), sign * np.sin(angles)
    lo, hi = np.split(a, 2, axis=-1)
    return np.concatenate([lo * c - hi * s, hi * c + lo * s], axis=-1)


rng = np.random.default_rng(3)
n, d, h, w = 6, 8, 2, 4
x = rng.normal(size=(n, d))
wq, wk, wv, wo = (rng.normal(size=(d, d)) * 0.5 for _ in range(4))
gq, gk = 1 + 0.2 * rng.normal(size=(2, d))
theta = 500000.0
angles = np.arange(n)[:, None] * theta ** (-np.arange(0, w, 2) / w)


def split(a):
    return a.reshape(n, h, w).transpose(1, 0, 2)


def merge(a):
    return a.transpose(1, 0, 2).reshape(n, d)


q0, k0, v0 = x @ wq, x @ wk, x @ wv
qn, rq = rms_norm(q0, gq)
kn, rk = rms_norm(k0, gk)
q, k, v = turn(split(qn), angles), turn(split(kn), angles), split(v0)
scores = q @ k.transpose(0, 2, 1) / np.sqrt(w)
scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
p = np.exp(scores - scores.max(-1, keepdims=True))
p /= p.sum(-1, keepdims=True)
o = merge(p @ v)
y = o @ wo

dy = rng.normal(size=y.shape)
dwo = o.T @ dy
do = split(dy @ wo.T)
dv = p.transpose(0, 2, 1) @ do
dp = do @ v.transpose(0, 2, 1)
ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(w)
dq, dk = ds @ k, ds.transpose(0, 2, 1) @ q
dqn, dkn = merge(turn(dq, angles, -1)), merge(turn(dk, angles, -1))
dq0, dgq = rms_norm_backward(dqn, q0, rq, gq)
dk0, dgk = rms_norm_backward(dkn, k0, rk, gk)
dv0 = merge(dv)
dwq, dwk, dwv = x.T @ dq0, x.T @ dk0, x.T @ dv0
dx = dq0 @ wq.T + dk0 @ wk.T + dv0 @ wv.T
print(y.sum())
