# single head attention, everything is columns: X is (features x tokens)
import numpy as np

np.random.seed(3)
d, n, dk, dv = 5, 7, 4, 3
X = np.random.randn(d, n)
Wq = np.random.randn(dk, d) * 0.5
Wk = np.random.randn(dk, d) * 0.5
Wv = np.random.randn(dv, d) * 0.5
T = np.random.randn(dv, n)

# --- forward ---
Q = Wq @ X
K = Wk @ X
V = Wv @ X
S = K.T @ Q / np.sqrt(dk)          # S[i, j]: key i, query j
S = S - S.max(axis=0)
E = np.exp(S)
A = E / E.sum(axis=0)
Y = V @ A
L = 0.5 * np.sum((Y - T) ** 2)

# --- backward ---
dY = Y - T
dV = dY @ A.T
dA = V.T @ dY
dS = A * (dA - (A * dA).sum(axis=0))
dK = Q @ dS.T / np.sqrt(dk)
dQ = K @ dS / np.sqrt(dk)
dWq = dQ @ X.T
dWk = dK @ X.T
dWv = dV @ X.T
dX = Wq.T @ dQ + Wk.T @ dK + Wv.T @ dV

print("loss", L)
print("dX", np.linalg.norm(dX))
print("dWq", np.linalg.norm(dWq), "dWk", np.linalg.norm(dWk), "dWv", np.linalg.norm(dWv))
