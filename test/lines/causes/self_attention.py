"""Single-head self-attention, forward and backward, in NumPy."""
import numpy as np

rng = np.random.default_rng(0)
T, D = 6, 5
x = rng.normal(size=(T, D))
W_q = rng.normal(size=(D, D)) * 0.6
W_k = rng.normal(size=(D, D)) * 0.6
W_v = rng.normal(size=(D, D)) * 0.6
target = rng.normal(size=(T, D))

q = x @ W_q
k = x @ W_k
v = x @ W_v
scores = q @ k.T / np.sqrt(D)
e = np.exp(scores - scores.max(axis=1, keepdims=True))
p = e / e.sum(axis=1, keepdims=True)
y = p @ v
loss = ((y - target) ** 2).mean()

dy = 2 * (y - target) / y.size
dv = p.T @ dy
grad_p = dy @ v.T
delta = (p * grad_p).sum(axis=1, keepdims=True)
ds = p * (grad_p - delta)
ds = ds / np.sqrt(D)
dq = ds @ k
dk = ds.T @ q
dW_q = x.T @ dq
dW_k = x.T @ dk
dW_v = x.T @ dv
dx = dq @ W_q.T + dk @ W_k.T + dv @ W_v.T
print(loss, np.abs(dx).sum())
