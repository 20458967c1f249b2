"""A learned bias for each pair and head, gradient by hand."""
import numpy as np
rng = np.random.default_rng(33)
B, N, C, H = 3, 5, 8, 2
D = C // H
x = rng.normal(0, 1, (B, N, C))
Wq, Wk, Wv, Wo = [rng.normal(0, 0.4, (C, C)) for _ in range(4)]
bias = rng.normal(0, 0.5, (H, N, N))
sp = lambda t: t.reshape(B, N, H, D).transpose(0, 2, 1, 3)
un = lambda t: t.transpose(0, 2, 1, 3).reshape(B, N, C)
Q, K, V = sp(x @ Wq), sp(x @ Wk), sp(x @ Wv)
logits = np.matmul(Q, K.swapaxes(2, 3)) / D ** 0.5 + bias
P = np.exp(logits - logits.max(3, keepdims=True))
P = P / P.sum(3, keepdims=True)
A = un(P @ V)
Y = A @ Wo
loss = 0.5 * (Y ** 2).sum()
dY = Y
dWo = np.tensordot(A, dY, ((0, 1), (0, 1)))
dO = sp(dY @ Wo.T)
dV = P.swapaxes(2, 3) @ dO
dP = dO @ V.swapaxes(2, 3)
dlogits = P * (dP - (P * dP).sum(3, keepdims=True))
dbias = dlogits.sum(axis=0)
dS = dlogits / D ** 0.5
dQ, dK = dS @ K, dS.swapaxes(2, 3) @ Q
dWq, dWk, dWv = (np.tensordot(x, un(g), ((0, 1), (0, 1))) for g in (dQ, dK, dV))
dx = un(dQ) @ Wq.T + un(dK) @ Wk.T + un(dV) @ Wv.T
print(loss)
