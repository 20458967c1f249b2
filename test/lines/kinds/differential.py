"""Differential attention, forward and backward in NumPy, one layer."""
import numpy as np

rng = np.random.default_rng(8)
N, D, H, E = 6, 8, 2, 3
LAMBDA_INIT = 0.8 - 0.6 * np.exp(-0.3 * 2)
X = rng.normal(size=(N, D))
Wq, Wk, Wv = (rng.normal(size=(D, H * 2 * E)) * 0.5 for _ in range(3))
Wo = rng.normal(size=(H * 2 * E, D)) * 0.5
lq1, lk1, lq2, lk2 = (rng.normal(size=E) * 0.4 for _ in range(4))
gain = 1 + 0.2 * rng.normal(size=2 * E)
G = rng.normal(size=(N, D))


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(p, dp):
    return p * (dp - (p * dp).sum(-1, keepdims=True))


hidden = np.triu(np.ones((N, N), bool), 1)
scale = E**-0.5

# forward
q = (X @ Wq).reshape(N, 2 * H, E).transpose(1, 0, 2)
k = (X @ Wk).reshape(N, 2 * H, E).transpose(1, 0, 2)
v = (X @ Wv).reshape(N, H, 2 * E).transpose(1, 0, 2)
s = np.where(hidden, -np.inf, q @ k.transpose(0, 2, 1) * scale)
a = softmax(s).reshape(H, 2, N, N)
l1, l2 = np.exp(lq1 @ lk1), np.exp(lq2 @ lk2)
lam = l1 - l2 + LAMBDA_INIT
A = a[:, 0] - lam * a[:, 1]
o = A @ v
r = 1 / np.sqrt((o**2).mean(-1, keepdims=True) + 1e-5)
normed = o * r * gain
scaled = normed * (1 - LAMBDA_INIT)
merged = scaled.transpose(1, 0, 2).reshape(N, -1)
Y = merged @ Wo

# backward
dWo = merged.T @ G
dscaled = (G @ Wo.T).reshape(N, H, 2 * E).transpose(1, 0, 2)
dnormed = dscaled * (1 - LAMBDA_INIT)
dgain = (dnormed * o * r).sum((0, 1))
u = dnormed * gain
do = r * (u - o * r**2 * (u * o).mean(-1, keepdims=True))
dv = A.transpose(0, 2, 1) @ do
dA = do @ v.transpose(0, 2, 1)
dlam = -(dA * a[:, 1]).sum()
da = np.stack([dA, -lam * dA], axis=1)
ds = softmax_backward(a, da).reshape(2 * H, N, N)
dq = ds @ k * scale
dk = ds.transpose(0, 2, 1) @ q * scale
dlq1, dlk1 = dlam * l1 * lk1, dlam * l1 * lq1
dlq2, dlk2 = -dlam * l2 * lk2, -dlam * l2 * lq2
fq, fk, fv = (g.transpose(1, 0, 2).reshape(N, -1) for g in (dq, dk, dv))
dWq, dWk, dWv = X.T @ fq, X.T @ fk, X.T @ fv
dX = fq @ Wq.T + fk @ Wk.T + fv @ Wv.T

