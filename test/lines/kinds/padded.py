# Sentences of several lengths, padded; the loss is a mean over their own tokens.
import numpy as np

B, N, D, K = 3, 5, 6, 4
rng = np.random.default_rng(21)
lengths = np.array([5, 3, 4])
own = np.arange(N)[None, :] < lengths[:, None]
x, goal = rng.normal(size=(B, N, D)) * own[..., None], rng.normal(size=(B, N, K)) * own[..., None]
w_q, w_k, w_v = (rng.normal(size=(D, K)) / 2 for _ in range(3))


def loss_of(y, goal, own):
    off = (y - goal) * own[..., None]
    count = own.sum() * K
    return (off**2).sum() / count, 2 * off / count


q, k, v = x @ w_q, x @ w_k, x @ w_v
s = np.where(own[:, None, :], q @ k.transpose(0, 2, 1) / np.sqrt(K), -np.inf)
e = np.exp(s - s.max(axis=2, keepdims=True))
p = e / e.sum(axis=2, keepdims=True)
loss, dy = loss_of(p @ v, goal, own)
dp = dy @ v.transpose(0, 2, 1)
ds = p * (dp - (p * dp).sum(axis=2, keepdims=True)) / np.sqrt(K)
dq, dk, dv = ds @ k, ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ dy
dw_q, dw_k, dw_v = (np.einsum("bic,bik->ck", x, each) for each in (dq, dk, dv))
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
