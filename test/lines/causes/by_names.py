"""Multi-head attention whose projections go by a loop over their names."""
import numpy as np

rng = np.random.default_rng(7)
B, T, E, H = 2, 5, 6, 3
dh = 4
x = rng.normal(size=(B, T, E))
params = {n: rng.normal(size=(E, H * dh)) * 0.5 for n in "qkv"}
params["o"] = rng.normal(size=(H * dh, E)) * 0.5
dout = rng.normal(size=(B, T, E))


def heads(t):
    return t.reshape(B, T, H, dh).transpose(0, 2, 1, 3)


def flat(t):
    return t.transpose(0, 2, 1, 3).reshape(B, T, H * dh)


act = {n: heads(x @ params[n]) for n in "qkv"}
att = act["q"] @ act["k"].swapaxes(-1, -2) * dh ** -0.5
att = np.exp(att - att.max(-1, keepdims=True))
att = att / att.sum(-1, keepdims=True)
ctx = flat(att @ act["v"])
out = ctx @ params["o"]

grad = {"o": np.tensordot(ctx, dout, ((0, 1), (0, 1)))}
dctx = heads(dout @ params["o"].T)
datt = dctx @ act["v"].swapaxes(-1, -2)
dact = {"v": att.swapaxes(-1, -2) @ dctx}
dlogit = att * (datt - (datt * att).sum(-1, keepdims=True))
dlogit = dlogit * dh ** -0.5
dact["q"] = dlogit @ act["k"]
dact["k"] = dlogit.swapaxes(-1, -2) @ act["q"]
dx = np.zeros_like(x)
for n in "qkv":
    d = flat(dact[n])
    grad[n] = np.tensordot(x, d, ((0, 1), (0, 1)))
    dx += d @ params[n].T
print(np.abs(dx).sum())
