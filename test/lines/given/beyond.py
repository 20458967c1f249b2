# Rotated queries and keys, keys and values of groups, and a norm of what is added to the outputs.
import numpy as np


def turned(t, cos, sin):
    half = t.shape[-1] // 2
    other = np.concatenate([-t[..., half:], t[..., :half]], axis=-1)
    return t * cos + other * sin


def turned_back(g, cos, sin):
    half = g.shape[-1] // 2
    part = g * sin
    return g * cos + np.concatenate([part[..., half:], -part[..., :half]], axis=-1)


def normed(r):
    centred = r - r.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return centred / deviation, deviation


def normed_back(d, hat, deviation):
    return (d - d.mean(-1, keepdims=True) - hat * (d * hat).mean(-1, keepdims=True)) / deviation


def repeated(t):
    return np.repeat(t, h // g, axis=1)


rng = np.random.default_rng(4)
b, h, g, n, a = 2, 4, 2, 5, 6
q = rng.normal(size=(b, h, n, a))
k, v = (rng.normal(size=(b, g, n, a)) for _ in range(2))
stream, dr = rng.normal(size=(b, n, h * a)), rng.normal(size=(b, n, h * a))
angle = np.arange(n)[:, None] * 100.0 ** (-np.arange(0, a, 2) / a)
angle = np.concatenate([angle, angle], axis=-1)
cos, sin = np.cos(angle), np.sin(angle)

turned_q = turned(q, cos, sin)
turned_k = turned(k, cos, sin)
keys, values = repeated(turned_k), repeated(v)
scores = turned_q @ keys.swapaxes(-1, -2) / np.sqrt(a)
e = np.exp(scores - scores.max(-1, keepdims=True))
p = e / e.sum(-1, keepdims=True)
z = (p @ values).swapaxes(1, 2).reshape(b, n, h * a)
r = stream + z
hat, deviation = normed(r)
out = r + hat

dnorm = normed_back(dr, hat, deviation)
dz = dr + dnorm
do = dz.reshape(b, n, h, a).swapaxes(1, 2)
dp = do @ values.swapaxes(-1, -2)
dvalues = p.swapaxes(-1, -2) @ do
ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(a)
dturned_q, dkeys = ds @ keys, ds.swapaxes(-1, -2) @ turned_q
dturned_k = dkeys.reshape(b, g, h // g, n, a).sum(2)
dv = dvalues.reshape(b, g, h // g, n, a).sum(2)
dq, dk = turned_back(dturned_q, cos, sin), turned_back(dturned_k, cos, sin)
print(np.abs(out).sum(), np.abs(dq).sum(), np.abs(dk).sum(), np.abs(dv).sum())
