"""Packed documents with reset positions, NumPy, gradients by hand."""
import numpy as np

rng = np.random.default_rng(17)
T, C, H, D = 7, 8, 2, 4
doc = np.array([0, 0, 0, 1, 1, 2, 2])
pos = np.array([0, 1, 2, 0, 1, 0, 1])
x = rng.normal(size=(T, C))
Wq, Wk, Wv, Wo = (rng.normal(size=(C, C)) * 0.4 for _ in range(4))
freq = 10000.0 ** (-np.arange(D // 2) * 2 / D)
c, s = np.cos(pos[:, None] * freq), np.sin(pos[:, None] * freq)


def turn(u, sign=1):
    a, b = u[..., : D // 2], u[..., D // 2 :]
    return np.concatenate([a * c - sign * b * s, b * c + sign * a * s], -1)


q, k, v = ((x @ W).reshape(T, H, D).transpose(1, 0, 2) for W in (Wq, Wk, Wv))
qr, kr = turn(q), turn(k)
scores = qr @ kr.transpose(0, 2, 1) / np.sqrt(D)
same = doc[:, None] == doc[None, :]
causal = np.arange(T)[None, :] <= np.arange(T)[:, None]
scores = np.where(same & causal, scores, -np.inf)
w = np.exp(scores - scores.max(-1, keepdims=True))
w /= w.sum(-1, keepdims=True)
o = (w @ v).transpose(1, 0, 2).reshape(T, C)
y = o @ Wo
G = rng.normal(size=y.shape)
loss = (G * y).sum()
dWo = o.T @ G
do = (G @ Wo.T).reshape(T, H, D).transpose(1, 0, 2)
dv = w.transpose(0, 2, 1) @ do
dw = do @ v.transpose(0, 2, 1)
ds = w * (dw - (w * dw).sum(-1, keepdims=True)) / np.sqrt(D)
dq, dk = turn(ds @ kr, -1), turn(ds.transpose(0, 2, 1) @ qr, -1)
dq, dk, dv = (u.transpose(1, 0, 2).reshape(T, C) for u in (dq, dk, dv))
dWq, dWk, dWv = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
print(loss)
