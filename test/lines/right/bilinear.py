"""Pooling of tokens by one matrix: y_j = sum_i p_ij x_i, p a softmax over i of x_i W x_j, and its gradients."""
import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(5, 4))
W = rng.normal(size=(4, 4)) * 0.5
target = rng.normal(size=(5, 4))

S = X @ W @ X.T
E = np.exp(S - S.max(axis=0, keepdims=True))
P = E / E.sum(axis=0, keepdims=True)
Y = P.T @ X
f = 0.5 * np.sum((Y - target) ** 2)

dY = Y - target
dP = X @ dY.T
dX = P @ dY
dS = P * (dP - (P * dP).sum(axis=0, keepdims=True))
dX += dS @ X @ W.T
dX += dS.T @ X @ W
dW = X.T @ dS @ X
print(f, dX.sum(), dW.sum())
