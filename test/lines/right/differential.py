import numpy as np

rng = np.random.default_rng(4)
n, c, H, d = 6, 12, 2, 3
dv = 6
x = rng.standard_normal((n, c))
Wq = rng.standard_normal((c, 2 * H * d)) * 0.4
Wk = rng.standard_normal((c, 2 * H * d)) * 0.4
Wv = rng.standard_normal((c, H * dv)) * 0.4
Wo = rng.standard_normal((H * dv, c)) * 0.4
lq1, lk1, lq2, lk2 = (rng.standard_normal(d) * 0.3 for _ in range(4))
gamma = 1 + 0.2 * rng.standard_normal(dv)
lambda_init = 0.8
eps = 1e-5


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def split(t, heads):
    return t.reshape(n, heads, -1).transpose(1, 0, 2)


# forward
q = split(x @ Wq, 2 * H).reshape(H, 2, n, d)
k = split(x @ Wk, 2 * H).reshape(H, 2, n, d)
v = split(x @ Wv, H)
scale = 1 / np.sqrt(d)
z1 = q[:, 0] @ k[:, 0].transpose(0, 2, 1) * scale
z2 = q[:, 1] @ k[:, 1].transpose(0, 2, 1) * scale
causal = np.triu(np.ones((n, n), bool), 1)
z1 = np.where(causal, -np.inf, z1)
z2 = np.where(causal, -np.inf, z2)
a1, a2 = softmax(z1), softmax(z2)
e1 = np.exp(np.dot(lq1, lk1))
e2 = np.exp(np.dot(lq2, lk2))
lam = e1 - e2 + lambda_init
a = a1 - lam * a2
o = a @ v
r = 1 / np.sqrt((o ** 2).mean(-1, keepdims=True) + eps)
on = o * r * gamma
os = on * (1 - lambda_init)
merged = os.transpose(1, 0, 2).reshape(n, H * dv)
y = merged @ Wo
loss = 0.5 * (y ** 2).sum()

# backward
dy = y
dWo = merged.T @ dy
dmerged = dy @ Wo.T
dos = dmerged.reshape(n, H, dv).transpose(1, 0, 2)
don = dos * (1 - lambda_init)
dgamma = (don * o * r).sum((0, 1))
dh = don * gamma
do = r * (dh - o * r ** 2 * (dh * o).mean(-1, keepdims=True))
da = do @ v.transpose(0, 2, 1)
dvh = a.transpose(0, 2, 1) @ do
da1 = da
da2 = -lam * da
dlam = -(da * a2).sum()
dlq1 = dlam * e1 * lk1
dlk1 = dlam * e1 * lq1
dlq2 = -dlam * e2 * lk2
dlk2 = -dlam * e2 * lq2
dz1 = a1 * (da1 - (da1 * a1).sum(-1, keepdims=True))
dz2 = a2 * (da2 - (da2 * a2).sum(-1, keepdims=True))
ds1, ds2 = dz1 * scale, dz2 * scale
dq = np.stack([ds1 @ k[:, 0], ds2 @ k[:, 1]], 1)
dk = np.stack([ds1.transpose(0, 2, 1) @ q[:, 0], ds2.transpose(0, 2, 1) @ q[:, 1]], 1)
dQ = dq.reshape(2 * H, n, d).transpose(1, 0, 2).reshape(n, -1)
dK = dk.reshape(2 * H, n, d).transpose(1, 0, 2).reshape(n, -1)
dV = dvh.transpose(1, 0, 2).reshape(n, -1)
dWq, dWk, dWv = x.T @ dQ, x.T @ dK, x.T @ dV
dx = dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T
print(loss)
