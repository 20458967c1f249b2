"""A learned sink in the denominator, gradient by hand."""
import numpy as np
rng = np.random.default_rng(29)
B, T, H, D = 2, 5, 3, 4
C = H * D
x = rng.standard_normal((B, T, C))
Wq, Wk, Wv, Wo = (rng.standard_normal((C, C)) / np.sqrt(C) for _ in range(4))
sinks = rng.standard_normal(H)
split = lambda t: t.reshape(B, T, H, D).transpose(0, 2, 1, 3)
merge = lambda t: t.transpose(0, 2, 1, 3).reshape(B, T, C)
Q, K, V = split(x @ Wq), split(x @ Wk), split(x @ Wv)
S = Q @ K.transpose(0, 1, 3, 2) / np.sqrt(D)
S = np.where(np.tril(np.ones((T, T))) > 0, S, -np.inf)
sink = sinks[None, :, None, None]
m = np.maximum(S.max(-1, keepdims=True), sink)
E = np.exp(S - m)
E_sink = np.exp(sink - m)
Z = E.sum(-1, keepdims=True) + E_sink
P = E / Z
P_sink = E_sink / Z
O = P @ V
y = merge(O) @ Wo
loss = 0.5 * np.sum(y ** 2)
dy = y
dWo = np.einsum("btc,btd->cd", merge(O), dy)
dO = split(dy @ Wo.T)
dV = P.transpose(0, 1, 3, 2) @ dO
dP = dO @ V.transpose(0, 1, 3, 2)
delta = np.sum(P * dP, -1, keepdims=True)
dS = P * (dP - delta) / np.sqrt(D)
dsinks = -np.sum(P_sink * delta, axis=(0, 2, 3))
dQ = dS @ K
dK = dS.transpose(0, 1, 3, 2) @ Q
dq, dk, dv = merge(dQ), merge(dK), merge(dV)
dWq, dWk, dWv = (np.einsum("btc,btd->cd", x, t) for t in (dq, dk, dv))
dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
print(loss)
