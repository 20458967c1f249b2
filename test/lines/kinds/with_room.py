# Token by token, with caches that have room for more than there are; query heads share keys.
import numpy as np

N, D, A, G, ROOM = 5, 4, 3, 2, 8
rng = np.random.default_rng(6)
q, do = rng.normal(size=(G, N, A)), rng.normal(size=(G, N, A))
k, v = rng.normal(size=(N, A)), rng.normal(size=(N, A))

keys, values = np.zeros((ROOM, A)), np.zeros((ROOM, A))
rows = []
o = np.zeros((G, N, A))
for t in range(N):
    keys[t], values[t] = k[t], v[t]
    s = q[:, t] @ keys[: t + 1].T / np.sqrt(A)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    rows.append(p)
    o[:, t] = p @ values[: t + 1]

dq = np.zeros_like(q)
dkeys, dvalues = np.zeros((G, ROOM, A)), np.zeros((G, ROOM, A))
for t in reversed(range(N)):
    p = rows[t]
    dp = do[:, t] @ values[: t + 1].T
    dvalues[:, : t + 1] += p[:, :, None] * do[:, t, None, :]
    ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(A)
    dq[:, t] = ds @ keys[: t + 1]
    dkeys[:, : t + 1] += ds[:, :, None] * q[:, t, None, :]
dk = dkeys.sum(axis=0)[:N]
dv = dvalues.sum(axis=0)[:N]
