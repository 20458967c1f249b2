"""A layer around an attention: norm, residual; the input and its upstream gradient are drawn in one statement."""
import numpy as np

rng = np.random.default_rng(8)


def draw(*shape, scale=1.0):
    return rng.normal(size=shape) * scale


def norm(x, gain, shift):
    mean = x.mean(axis=-1, keepdims=True)
    inverse = 1 / np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + 1e-5)
    hat = (x - mean) * inverse
    return hat * gain + shift, (hat, inverse)


def norm_backward(dy, gain, kept):
    hat, inverse = kept
    dhat = dy * gain
    dx = dhat - dhat.mean(-1, keepdims=True) - hat * (dhat * hat).mean(-1, keepdims=True)
    return dx * inverse, (dy * hat).sum(0), dy.sum(0)


n, d = 5, 6
wq, wk, wv, wo = (draw(d, d, scale=0.4) for _ in range(4))
gain, shift = 1 + draw(d, scale=0.2), draw(d, scale=0.2)
x, dy = draw(n, d) + 0.5, draw(n, d)

h, kept = norm(x, gain, shift)
q, k, v = h @ wq, h @ wk, h @ wv
s = q @ k.T / np.sqrt(d)
e = np.exp(s - s.max(-1, keepdims=True))
p = e / e.sum(-1, keepdims=True)
z = p @ v
branch = z @ wo
y = x + branch

dwo = z.T @ dy
dz = dy @ wo.T
dp, dv = dz @ v.T, p.T @ dz
ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(d)
dq, dk = ds @ k, ds.T @ q
dwq, dwk, dwv = h.T @ dq, h.T @ dk, h.T @ dv
dh = dq @ wq.T + dk @ wk.T + dv @ wv.T
dx, dgain, dshift = norm_backward(dh, gain, kept)
dx = dx + dy
print(round(float(abs(dx).sum()), 6), round(float(abs(dgain).sum()), 6))
