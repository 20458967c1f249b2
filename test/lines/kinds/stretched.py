"""Heads whose features turn by stretched frequencies: Llama 3.1's, in pairs that lie side by side."""
import math

import numpy as np

rng = np.random.RandomState(11)
OLD, FACTOR, LOW, HIGH = 64, 8.0, 1.0, 4.0


def stretched(freqs):
    new = []
    for freq in freqs:
        wavelen = 2 * math.pi / freq
        if wavelen < OLD / HIGH:
            new.append(freq)
        elif wavelen > OLD / LOW:
            new.append(freq / FACTOR)
        else:
            smooth = (OLD / wavelen - LOW) / (HIGH - LOW)
            new.append((1 - smooth) * freq / FACTOR + smooth * freq)
    return np.array(new)


def turned(z, cos, sin):
    a, b = z[..., 0::2], z[..., 1::2]
    return np.stack((a * cos - b * sin, a * sin + b * cos), -1).reshape(z.shape)


n, d, h, e = 6, 7, 2, 8
x = rng.randn(n, d)
w = {name: rng.randn(d, h * e) * 0.5 for name in "qkv"}
w_o = rng.randn(h * e, d) * 0.5
dy = rng.randn(n, d)

q, k, v = ((x @ w[name]).reshape(n, h, e).transpose(1, 0, 2) for name in "qkv")
freqs = stretched(1.0 / 1000.0 ** (np.arange(0, e, 2) / e))
angles = np.outer(np.arange(n), freqs)
cos, sin = np.cos(angles), np.sin(angles)
qr, kr = turned(q, cos, sin), turned(k, cos, sin)
s = qr @ kr.transpose(0, 2, 1) / math.sqrt(e)
s = np.where(np.tril(np.ones((n, n))) > 0, s, -np.inf)
p = np.exp(s - s.max(-1, keepdims=True))
p = p / p.sum(-1, keepdims=True)
merged = (p @ v).transpose(1, 0, 2).reshape(n, h * e)
y = merged @ w_o

do = (dy @ w_o.T).reshape(n, h, e).transpose(1, 0, 2)
dp = do @ v.transpose(0, 2, 1)
ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / math.sqrt(e)
dq = turned(ds @ kr, cos, -sin)
dk = turned(ds.transpose(0, 2, 1) @ qr, cos, -sin)
dv = p.transpose(0, 2, 1) @ do
flat = {name: each.transpose(1, 0, 2).reshape(n, h * e) for name, each in zip("qkv", (dq, dk, dv))}
dw = {name: x.T @ flat[name] for name in "qkv"}
dw_o = merged.T @ dy
dx = sum(flat[name] @ w[name].T for name in "qkv")
