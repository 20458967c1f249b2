"""Attention with dropout on the weights. The keep-mask is given, so that runs can be compared."""
from collections import namedtuple
import numpy as np

Saved = namedtuple("Saved", "q k v p keep rate dropped")


def dropout(a, keep, rate):
    return a * keep / (1.0 - rate)


def dropout_grad(g, keep, rate):
    return g * keep / (1.0 - rate)


def softmax(a):
    a = np.exp(a - np.amax(a, axis=-1, keepdims=True))
    a /= np.sum(a, axis=-1, keepdims=True)
    return a


def softmax_grad(g, p):
    gp = g * p
    return gp - p * np.sum(gp, axis=-1, keepdims=True)


def attend(x, Wq, Wk, Wv, keep, rate):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    p = softmax(q @ np.moveaxis(k, 1, 2) * Wq.shape[1] ** -0.5)
    dropped = dropout(p, keep, rate)
    return dropped @ v, Saved(q, k, v, p, keep, rate, dropped)


def attend_grad(g, x, Wq, Wk, Wv, s):
    gv = np.moveaxis(s.dropped, 1, 2) @ g
    gdropped = g @ np.moveaxis(s.v, 1, 2)
    gp = dropout_grad(gdropped, s.keep, s.rate)
    gs = softmax_grad(gp, s.p) * Wq.shape[1] ** -0.5
    gq = gs @ s.k
    gk = np.moveaxis(gs, 1, 2) @ s.q
    gx = gq @ Wq.T + gk @ Wk.T + gv @ Wv.T
    gWq, gWk, gWv = (sum(xb.T @ gb for xb, gb in zip(x, ga)) for ga in (gq, gk, gv))
    return gx, gWq, gWk, gWv


def demo(batch=3, tokens=6, dim=5, att=4, val=6, rate=0.3, seed=8):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, tokens, dim))
    Wq, Wk = rng.normal(size=(2, dim, att)) * 0.6
    Wv = rng.normal(size=(dim, val)) * 0.6
    keep = (rng.random((batch, tokens, tokens)) >= rate).astype(np.float64)
    out, saved = attend(x, Wq, Wk, Wv, keep, rate)
    g = rng.normal(size=out.shape)
    grads = attend_grad(g, x, Wq, Wk, Wv, saved)
    print("out", np.linalg.norm(out))
    print("grads", [float(np.linalg.norm(a).round(6)) for a in grads])
    return out


demo()
