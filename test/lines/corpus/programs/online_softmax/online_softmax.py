"""Tiled attention as in the first FlashAttention paper: key blocks outside, the output kept normalised."""
import numpy as np


def tiles(length, size):
    return [slice(a, min(a + size, length)) for a in range(0, length, size)]


def attention_forward(Q, K, V, B_r, B_c):
    N, d = Q.shape
    O = np.zeros((N, V.shape[1]))
    l = np.zeros((N, 1))
    m = np.full((N, 1), -np.inf)
    tau = 1 / np.sqrt(d)
    for c in tiles(len(K), B_c):
        K_c, V_c = K[c], V[c]
        for r in tiles(N, B_r):
            S = tau * Q[r] @ K_c.T
            m_tilde = S.max(axis=1, keepdims=True)
            P_tilde = np.exp(S - m_tilde)
            l_tilde = P_tilde.sum(axis=1, keepdims=True)
            m_new = np.maximum(m[r], m_tilde)
            l_new = np.exp(m[r] - m_new) * l[r] + np.exp(m_tilde - m_new) * l_tilde
            O[r] = (l[r] * np.exp(m[r] - m_new) * O[r] + np.exp(m_tilde - m_new) * (P_tilde @ V_c)) / l_new
            l[r] = l_new
            m[r] = m_new
    return O, l, m


def attention_backward(dO, Q, K, V, O, l, m, B_r, B_c):
    tau = 1 / np.sqrt(Q.shape[1])
    dQ = np.zeros(Q.shape)
    dK = np.zeros(K.shape)
    dV = np.zeros(V.shape)
    for c in tiles(len(K), B_c):
        dK_c = np.zeros_like(K[c])
        dV_c = np.zeros_like(V[c])
        for r in tiles(len(Q), B_r):
            S = tau * Q[r] @ K[c].T
            P = np.exp(S - m[r]) / l[r]
            dV_c += P.T @ dO[r]
            dP = dO[r] @ V[c].T
            D = np.sum(dO[r] * O[r], axis=1, keepdims=True)
            dS = P * (dP - D)
            dQ[r] += tau * dS @ K[c]
            dK_c += tau * dS.T @ Q[r]
        dK[c] = dK_c
        dV[c] = dV_c
    return dQ, dK, dV


gen = np.random.default_rng(1010)
x_enc, x_dec = gen.normal(size=(11, 6)), gen.normal(size=(8, 4))
W_Q, W_K, W_V = gen.normal(size=(4, 5)), gen.normal(size=(6, 5)), gen.normal(size=(6, 3))
Q, K, V = x_dec @ W_Q, x_enc @ W_K, x_enc @ W_V
O, l, m = attention_forward(Q, K, V, B_r=3, B_c=4)
dO = gen.normal(size=O.shape)
dQ, dK, dV = attention_backward(dO, Q, K, V, O, l, m, B_r=3, B_c=4)
dW_Q, dW_K, dW_V = x_dec.T @ dQ, x_enc.T @ dK, x_enc.T @ dV
dx_dec = dQ @ W_Q.T
dx_enc = dK @ W_K.T + dV @ W_V.T
print("O", O.sum(), "f", (O * dO).sum())
for name in ("dx_enc", "dx_dec", "dW_Q", "dW_K", "dW_V"):
    print(name, np.sqrt(np.square(globals()[name]).sum()))
