# New tokens beside earlier ones in a cache, whose keys and values are kept apart.
import numpy as np

rng = np.random.default_rng(14)
new, past, width, size = 3, 4, 6, 5
x = rng.normal(size=(new, width))
w_q, w_k, w_v = (rng.normal(size=(width, size)) for _ in range(3))
old_k, old_v = rng.normal(size=(past, size)), rng.normal(size=(past, size))
dy = rng.normal(size=(new, size))

q = x @ w_q
k, v = np.vstack([old_k, x @ w_k]), np.vstack([old_v, x @ w_v])
s = q @ k.T / np.sqrt(size)
at = np.arange(past + new)
s[at[None, :] > at[past:, None]] = -np.inf
e = np.exp(s - s.max(axis=1, keepdims=True))
p = e / e.sum(axis=1, keepdims=True)
y = p @ v

dv = p.T @ dy
dp = dy @ v.T
ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(size)
dq = ds @ k
dk = ds.T @ q
new_dk, new_dv = dk[past:], dv[past:]
dw_q, dw_k, dw_v = x.T @ dq, x.T @ new_dk, x.T @ new_dv
dx = dq @ w_q.T + new_dk @ w_k.T + new_dv @ w_v.T
