# Two heads with rotary positions, causal; cosines and sines are made once and handed on, weights by a function.
import numpy as np

T, C, H, W = 6, 8, 2, 4


def circle(n, width, base):
    theta = np.arange(n)[:, None] / base ** (np.arange(0, width, 2) / width)
    return np.cos(theta), np.sin(theta)


def rotate(t, cos, sin):
    left, right = t[..., : W // 2], t[..., W // 2 :]
    turned = np.empty_like(t)
    turned[..., : W // 2] = left * cos - right * sin
    turned[..., W // 2 :] = right * cos + left * sin
    return turned


def normalised(z, axis=-1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def forward(x, w, circles):
    cos, sin = circles
    q, k, v = ((x @ w[name]).reshape(T, H, W).swapaxes(0, 1) for name in ("q", "k", "v"))
    q, k = rotate(q, cos, sin), rotate(k, cos, sin)
    s = q @ k.swapaxes(1, 2) / np.sqrt(W)
    s = np.where(np.tri(T, dtype=bool), s, -np.inf)
    p = normalised(s)
    return (p @ v).swapaxes(0, 1).reshape(T, C), (q, k, v, p)


def backward(dy, x, w, circles, saved):
    q, k, v, p = saved
    cos, sin = circles
    do = dy.reshape(T, H, W).swapaxes(0, 1)
    dv = p.swapaxes(1, 2) @ do
    dp = do @ v.swapaxes(1, 2)
    ds = p * (dp - (dp * p).sum(axis=2, keepdims=True)) / np.sqrt(W)
    dq, dk = rotate(ds @ k, cos, -sin), rotate(ds.swapaxes(1, 2) @ q, cos, -sin)
    dq, dk, dv = (d.swapaxes(0, 1).reshape(T, C) for d in (dq, dk, dv))
    dx = dq @ w["q"].T + dk @ w["k"].T + dv @ w["v"].T
    return dx, {"q": x.T @ dq, "k": x.T @ dk, "v": x.T @ dv}


rng = np.random.default_rng(30)
x, dy = rng.normal(size=(T, C)), rng.normal(size=(T, C))
w = {name: rng.normal(size=(C, C)) * 0.4 for name in ("q", "k", "v")}
circles = circle(T, W, 50.0)
y, saved = forward(x, w, circles)
dx, grads = backward(dy, x, w, circles, saved)
