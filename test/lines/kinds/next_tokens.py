# Logits of the next token, whose gradient is changed in place.
import numpy as np

N, D, A, V = 6, 4, 3, 5
rng = np.random.default_rng(9)
x, goal = rng.normal(size=(N, D)), np.array([1, 4, 0, 2, 3, 1])
w_q, w_k, w_v = (rng.normal(size=(D, size)) for size in (A, A, V))

q, k, v = x @ w_q, x @ w_k, x @ w_v
s = q @ k.T / np.sqrt(A)
e = np.exp(s - s.max(axis=1, keepdims=True))
p = e / e.sum(axis=1, keepdims=True)
logits = p @ v
guess = np.exp(logits - logits.max(axis=1, keepdims=True))
guess /= guess.sum(axis=1, keepdims=True)
loss = -np.log(guess[np.arange(N), goal]).mean()

dlogits = guess.copy()
dlogits[np.arange(N), goal] -= 1
dlogits /= N
dv, dp = p.T @ dlogits, dlogits @ v.T
ds = p * (dp - (p * dp).sum(axis=1, keepdims=True)) / np.sqrt(A)
dq, dk = ds @ k, ds.T @ q
dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
