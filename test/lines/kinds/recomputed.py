# Two sequences with padding: a helper makes the mask, and the weights, in the forward pass and again in the backward pass.
import numpy as np

B, T, D, H, W = 2, 6, 8, 2, 4
LENGTHS = (6, 4)
POSITION = np.arange(T)
EARLIER = POSITION[None, :] <= POSITION[:, None]


def visible(lengths):
    real = np.stack([POSITION < n for n in lengths])
    return EARLIER[None, None] & real[:, None, None, :]


def split(t):
    b, n, _ = t.shape
    return t.reshape(b, n, H, W).transpose(0, 2, 1, 3)


def merge(t):
    b, h, n, w = t.shape
    return t.transpose(0, 2, 1, 3).reshape(b, n, h * w)


def weights(q, k, lengths):
    s = q @ k.swapaxes(2, 3) / np.sqrt(W)
    s = np.where(visible(lengths), s, -1e30)
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def forward(x, params):
    q, k, v = (split(x @ params[name]) for name in ("q", "k", "v"))
    o = weights(q, k, LENGTHS) @ v
    return merge(o) @ params["o"], (q, k, v, o)


def attention_grads(do, q, k, v, lengths):
    p = weights(q, k, lengths)
    dv = p.swapaxes(2, 3) @ do
    dp = do @ v.swapaxes(2, 3)
    ds = p * (dp - np.sum(dp * p, axis=-1, keepdims=True)) / np.sqrt(W)
    dq = ds @ k
    dk = ds.swapaxes(2, 3) @ q
    return dq, dk, dv


def backward(dy, x, params, saved):
    q, k, v, o = saved
    grads = {}
    grads["o"] = np.einsum("bti,bto->io", merge(o), dy)
    do = split(dy @ params["o"].T)
    dq, dk, dv = attention_grads(do, q, k, v, LENGTHS)
    dx = np.zeros_like(x)
    for name, d in (("q", dq), ("k", dk), ("v", dv)):
        d = merge(d)
        grads[name] = np.einsum("bti,bto->io", x, d)
        dx += d @ params[name].T
    return dx, grads


rng = np.random.default_rng(12)
params = {name: rng.normal(size=(D, H * W)) * 0.4 for name in ("q", "k", "v")}
params["o"] = rng.normal(size=(H * W, D)) * 0.4
x = rng.normal(size=(B, T, D))
target = rng.normal(size=(B, T, D))
y, saved = forward(x, params)
loss = 0.5 * np.sum((y - target) ** 2)
dx, grads = backward(y - target, x, params, saved)
print(loss, np.abs(dx).sum())
