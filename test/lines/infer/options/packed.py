"""Packed documents with positions that begin anew, in NumPy: a token sees earlier ones of its own document."""
import numpy as np

rng = np.random.default_rng(12)
B, T, C, H = 2, 6, 8, 2
D = C // H
doc_ids = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
position_ids = np.array([[0, 1, 2, 0, 1, 2], [0, 1, 0, 1, 2, 3]])
x = rng.standard_normal((B, T, C))
W = {name: rng.standard_normal((C, C)) * 0.5 for name in ("q", "k", "v", "o")}
freqs = 10000.0 ** (-np.arange(D // 2) * 2 / D)
angle = position_ids[:, None, :, None] * freqs
cos, sin = np.cos(angle), np.sin(angle)


def heads(a):
    return a.reshape(B, T, H, D).transpose(0, 2, 1, 3)


def unheads(a):
    return a.transpose(0, 2, 1, 3).reshape(B, T, C)


def rope(a, s):
    even, odd = a[..., 0::2], a[..., 1::2]
    out = np.empty_like(a)
    out[..., 0::2] = even * cos - odd * s
    out[..., 1::2] = odd * cos + even * s
    return out


q, k, v = (heads(x @ W[name]) for name in "qkv")
qr, kr = rope(q, sin), rope(k, sin)
same = doc_ids[:, :, None] == doc_ids[:, None, :]
allowed = same & np.tri(T, dtype=bool)
logits = np.einsum("bhid,bhjd->bhij", qr, kr) / D**0.5
logits = np.where(allowed[:, None], logits, -1e9)
p = np.exp(logits - logits.max(-1, keepdims=True))
p = p / p.sum(-1, keepdims=True)
o = unheads(p @ v)
y = o @ W["o"]
dy = rng.standard_normal(y.shape)

do = heads(dy @ W["o"].T)
dWo = np.einsum("btc,bte->ce", o, dy)
dv = p.swapaxes(-1, -2) @ do
dp = do @ v.swapaxes(-1, -2)
dlogits = p * (dp - (dp * p).sum(-1, keepdims=True))
dqr = dlogits @ kr / D**0.5
dkr = dlogits.swapaxes(-1, -2) @ qr / D**0.5
dq, dk = unheads(rope(dqr, -sin)), unheads(rope(dkr, -sin))
dv = unheads(dv)
dWq, dWk, dWv = (np.einsum("btc,bte->ce", x, d) for d in (dq, dk, dv))
dx = dq @ W["q"].T + dk @ W["k"].T + dv @ W["v"].T
print(y.sum())
