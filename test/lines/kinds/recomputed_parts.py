# A few queries at a time: a helper computes their weights, in the forward pass and again in the backward pass.
import numpy as np

T, W, PART = 7, 4, 3


def softmax_parts(q, k, v, first):
    """The weights before they are divided, what they give, and their sums."""
    s = q @ k.T / np.sqrt(W)
    later = np.arange(T)[None, :] > np.arange(first, first + len(q))[:, None]
    s = np.where(later, -np.inf, s)
    e = np.exp(s - s.max(-1, keepdims=True))
    return e, e @ v, e.sum(-1, keepdims=True)


def forward(q, k, v):
    outs = []
    for at in range(0, T, PART):
        _, top, total = softmax_parts(q[at : at + PART], k, v, at)
        outs.append(top / total)
    return np.concatenate(outs)


def backward(do, q, k, v):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for at in range(0, T, PART):
        rows = slice(at, at + PART)
        e, top, total = softmax_parts(q[rows], k, v, at)
        doc = do[rows]
        dtop = doc / total
        dtotal = -(doc * top).sum(-1, keepdims=True) / total**2
        dv += e.T @ dtop
        de = dtop @ v.T
        ds = (de + dtotal) * e / np.sqrt(W)
        dq[rows] = ds @ k
        dk += ds.T @ q[rows]
    return dq, dk, dv


rng = np.random.default_rng(31)
q, k, v = (rng.normal(size=(T, W)) for _ in range(3))
target = rng.normal(size=(T, W))
o = forward(q, k, v)
loss = (o * target).sum()
print(loss, *(np.abs(each).sum() for each in backward(target, q, k, v)))
