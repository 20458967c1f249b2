"""The Transformer's own layer: attention, the residual connection, layer norm; NumPy with its own backward pass."""
import numpy as np

rng = np.random.default_rng(16)
n, c, h = 5, 8, 2
w = c // h
x = rng.standard_normal((n, c))
Wq, Wk, Wv, Wo = (rng.standard_normal((c, c)) / np.sqrt(c) for _ in range(4))
gamma, beta = 1 + 0.1 * rng.standard_normal(c), 0.1 * rng.standard_normal(c)
dout = rng.standard_normal((n, c))


def split(a):
    return a.reshape(n, h, w).swapaxes(0, 1)


def join(a):
    return a.swapaxes(0, 1).reshape(n, c)


q, k, v = split(x @ Wq), split(x @ Wk), split(x @ Wv)
scores = q @ k.swapaxes(1, 2) / np.sqrt(w)
weights = np.exp(scores - scores.max(-1, keepdims=True))
weights /= weights.sum(-1, keepdims=True)
context = join(weights @ v)
attended = context @ Wo
summed = x + attended
centred = summed - summed.mean(-1, keepdims=True)
std = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
hat = centred / std
out = gamma * hat + beta

dgamma, dbeta = (dout * hat).sum(0), dout.sum(0)
dhat = dout * gamma
dsummed = (dhat - dhat.mean(-1, keepdims=True) - hat * (dhat * hat).mean(-1, keepdims=True)) / std
dWo = context.T @ dsummed
dcontext = split(dsummed @ Wo.T)
dv = weights.swapaxes(1, 2) @ dcontext
dweights = dcontext @ v.swapaxes(1, 2)
dscores = weights * (dweights - (dweights * weights).sum(-1, keepdims=True)) / np.sqrt(w)
dq, dk = join(dscores @ k), join(dscores.swapaxes(1, 2) @ q)
dv = join(dv)
dWq, dWk, dWv = x.T @ dq, x.T @ dk, x.T @ dv
dx = dsummed + dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
print(out.sum())
