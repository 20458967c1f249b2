"""Every step returns its value and a closure that pulls a gradient back (like jax.vjp, by hand)."""
import numpy as np


def matmul(a, b):
    return a @ b, lambda g: (g @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ g)


def scale_by(a, c):
    return a * c, lambda g: g * c


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)

    def pull(g):
        return p * (g - (g * p).sum(-1, keepdims=True))

    return p, pull


def hide(z, hidden, value=-1e30):
    return np.where(hidden, value, z), lambda g: np.where(hidden, 0.0, g)


def transpose(a):
    return a.swapaxes(-1, -2), lambda g: g.swapaxes(-1, -2)


def attention(x, w_q, w_k, w_v, hidden):
    q, pull_q = matmul(x, w_q)
    k, pull_k = matmul(x, w_k)
    v, pull_v = matmul(x, w_v)
    kt, pull_kt = transpose(k)
    s, pull_s = matmul(q, kt)
    z, pull_z = scale_by(s, 1 / np.sqrt(w_k.shape[1]))
    m, pull_m = hide(z, hidden)
    p, pull_p = softmax(m)
    y, pull_y = matmul(p, v)

    def pull(dy):
        dp, dv = pull_y(dy)
        dq, dkt = pull_s(pull_z(pull_m(pull_p(dp))))
        dk = pull_kt(dkt)
        dx_q, dw_q = pull_q(dq)
        dx_k, dw_k = pull_k(dk)
        dx_v, dw_v = pull_v(dv)
        return dx_q + dx_k + dx_v, dw_q, dw_k, dw_v

    return y, pull


rng = np.random.default_rng(17)
n, d, a, c = 7, 5, 3, 4
x = rng.normal(size=(n, d))
w_q, w_k, w_v = rng.normal(size=(d, a)), rng.normal(size=(d, a)), rng.normal(size=(d, c))
offset = np.subtract.outer(np.arange(n), np.arange(n))
hidden = offset < 0
y, pull = attention(x, w_q, w_k, w_v, hidden)
seed = np.cos(np.arange(n * c)).reshape(n, c)
dx, dw_q, dw_k, dw_v = pull(seed)
print("f", np.vdot(seed, y))
print("dx", dx.round(5))
print("dw", *(np.linalg.norm(g).round(6) for g in (dw_q, dw_k, dw_v)))
