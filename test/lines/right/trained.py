"""One head that is trained for three steps: its weights are moved in one statement."""
import numpy as np

rng = np.random.default_rng(0)
T, D = 6, 4
X = rng.normal(size=(T, D))
target = rng.normal(size=(T, D))
Wq, Wk, Wv = (rng.normal(size=(D, D)) * 0.4 for _ in range(3))

for step in range(3):
    Q, K, V = X @ Wq, X @ Wk, X @ Wv
    S = Q @ K.T / np.sqrt(D)
    A = np.exp(S - S.max(-1, keepdims=True))
    A /= A.sum(-1, keepdims=True)
    O = A @ V
    loss = ((O - target) ** 2).mean()
    dO = 2 * (O - target) / O.size
    dA = dO @ V.T
    dV = A.T @ dO
    dS = A * (dA - (A * dA).sum(-1, keepdims=True)) / np.sqrt(D)
    dQ, dK = dS @ K, dS.T @ Q
    dWq, dWk, dWv = X.T @ dQ, X.T @ dK, X.T @ dV
    Wq, Wk, Wv = Wq - 0.1 * dWq, Wk - 0.1 * dWk, Wv - 0.1 * dWv
    print(step, loss)
