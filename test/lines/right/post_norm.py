"""The norm after the residual connection, by a root mean square, of a sum that is nowhere bound by itself."""
import numpy as np

rng = np.random.default_rng(3)
n, d = 5, 6


def norm(u, gain):
    inverse = 1 / np.sqrt((u * u).mean(-1, keepdims=True) + 1e-6)
    return u * inverse * gain, (u, inverse)


def norm_backward(dy, gain, kept):
    u, inverse = kept
    dhat = dy * gain
    du = inverse * dhat - u * inverse**3 * (dhat * u).mean(-1, keepdims=True)
    return du, (dy * u * inverse).sum(0)


wq, wk, wv, wo = (rng.normal(size=(d, d)) * 0.4 for _ in range(4))
bo, gain = rng.normal(size=d) * 0.1, 1 + rng.normal(size=d) * 0.2
x, dy = rng.normal(size=(n, d)), rng.normal(size=(n, d))

q, k, v = x @ wq, x @ wk, x @ wv
s = q @ k.T / np.sqrt(d)
e = np.exp(s - s.max(-1, keepdims=True))
p = e / e.sum(-1, keepdims=True)
z = p @ v
y, kept = norm(x + z @ wo + bo, gain)

du, dgain = norm_backward(dy, gain, kept)
dbo, dwo = du.sum(0), z.T @ du
dz = du @ wo.T
dp, dv = dz @ v.T, p.T @ dz
ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / np.sqrt(d)
dq, dk = ds @ k, ds.T @ q
dwq, dwk, dwv = x.T @ dq, x.T @ dk, x.T @ dv
dx = du + dq @ wq.T + dk @ wk.T + dv @ wv.T
print(y.sum(), dx.sum(), dgain.sum())
