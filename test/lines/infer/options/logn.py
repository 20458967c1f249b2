"""Scores of later queries are larger, by the logarithm of how many keys they see."""
import numpy as np
rng = np.random.default_rng(20)
T, D, L = 8, 4, 4
Q, K, V = (rng.normal(size=(T, D)) for _ in range(3))
logn = np.maximum(1.0, np.log(np.arange(1, T + 1)) / np.log(L))
q = Q * logn[:, None]
S = q @ K.T / np.sqrt(D)
S = np.where(np.tri(T) > 0, S, -np.inf)
P = np.exp(S - S.max(1, keepdims=True)); P /= P.sum(1, keepdims=True)
O = P @ V
dO = rng.normal(size=O.shape)
dV = P.T @ dO
dP = dO @ V.T
dS = P * (dP - (dP * P).sum(1, keepdims=True)) / np.sqrt(D)
dQ = dS @ K * logn[:, None]
dK = dS.T @ q
print(O.sum())
