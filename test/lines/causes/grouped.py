"""Causal attention with grouped keys, RoPE, dropout and biases: forward and backward by hand."""
import numpy as np


def softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def rotate(t, cos, sin):
    a, b = np.split(t, 2, axis=-1)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def rotate_back(g, cos, sin):
    a, b = np.split(g, 2, axis=-1)
    return np.concatenate([a * cos + b * sin, b * cos - a * sin], axis=-1)


def split(t, heads):
    B, T, E = t.shape
    return t.reshape(B, T, heads, E // heads).transpose(0, 2, 1, 3)


def merge(t):
    B, H, T, dh = t.shape
    return t.transpose(0, 2, 1, 3).reshape(B, T, H * dh)


def forward(x, w, H, G, keep, rate):
    B, T, C = x.shape
    dh = w["q"].shape[1] // H
    rep = H // G
    freq = 10000.0 ** (-np.arange(0, dh, 2) / dh)
    angle = np.arange(T)[:, None] * freq[None, :]
    cos, sin = np.cos(angle), np.sin(angle)
    q = split(x @ w["q"] + w["bq"], H)
    k = split(x @ w["k"] + w["bk"], G)
    v = split(x @ w["v"] + w["bv"], G)
    qr = rotate(q, cos, sin)
    kr = rotate(k, cos, sin)
    kk = np.repeat(kr, rep, axis=1)
    vv = np.repeat(v, rep, axis=1)
    att = qr @ kk.transpose(0, 1, 3, 2) / np.sqrt(dh)
    hide = np.triu(np.ones((T, T), dtype=bool), k=1)
    att = np.where(hide, -np.inf, att)
    p = softmax(att)
    pd = p * keep / (1 - rate)
    o = pd @ vv
    c = merge(o)
    y = c @ w["o"] + w["bo"]
    return y, (x, qr, kr, kk, vv, p, pd, c, cos, sin, dh, rep)


def backward(dy, w, cache, H, G, keep, rate):
    x, qr, kr, kk, vv, p, pd, c, cos, sin, dh, rep = cache
    B, T, C = x.shape
    g = {}
    g["o"] = np.einsum("btc,btd->cd", c, dy)
    g["bo"] = dy.sum(axis=(0, 1))
    dc = dy @ w["o"].T
    do = split(dc, H)
    dpd = do @ vv.transpose(0, 1, 3, 2)
    dvv = pd.transpose(0, 1, 3, 2) @ do
    dp = dpd * keep / (1 - rate)
    datt = p * (dp - (dp * p).sum(axis=-1, keepdims=True))
    datt = datt / np.sqrt(dh)
    dqr = datt @ kk
    dkk = datt.transpose(0, 1, 3, 2) @ qr
    dkr = dkk.reshape(B, G, rep, T, dh).sum(axis=2)
    dv = dvv.reshape(B, G, rep, T, dh).sum(axis=2)
    dq = rotate_back(dqr, cos, sin)
    dk = rotate_back(dkr, cos, sin)
    mq, mk, mv = merge(dq), merge(dk), merge(dv)
    g["q"] = np.einsum("btc,btd->cd", x, mq)
    g["k"] = np.einsum("btc,btd->cd", x, mk)
    g["v"] = np.einsum("btc,btd->cd", x, mv)
    g["bq"] = mq.sum(axis=(0, 1))
    g["bk"] = mk.sum(axis=(0, 1))
    g["bv"] = mv.sum(axis=(0, 1))
    dx = mq @ w["q"].T + mk @ w["k"].T + mv @ w["v"].T
    return dx, g


if __name__ == "__main__":
    rng = np.random.default_rng(3)
    B, T, C, H, G, dh = 2, 5, 7, 4, 2, 6
    w = {
        "q": rng.normal(size=(C, H * dh)) * 0.4,
        "k": rng.normal(size=(C, G * dh)) * 0.4,
        "v": rng.normal(size=(C, G * dh)) * 0.4,
        "o": rng.normal(size=(H * dh, C)) * 0.4,
        "bq": rng.normal(size=H * dh) * 0.1,
        "bk": rng.normal(size=G * dh) * 0.1,
        "bv": rng.normal(size=G * dh) * 0.1,
        "bo": rng.normal(size=C) * 0.1,
    }
    x = rng.normal(size=(B, T, C))
    rate = 0.25
    keep = (rng.random((B, H, T, T)) > rate).astype(float)
    dy = rng.normal(size=(B, T, C))
    y, cache = forward(x, w, H, G, keep, rate)
    dx, grads = backward(dy, w, cache, H, G, keep, rate)
    print(np.abs(y).sum(), np.abs(dx).sum())
