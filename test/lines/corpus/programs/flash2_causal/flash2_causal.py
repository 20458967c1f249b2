"""FlashAttention-2, causal, forward and backward on blocks, for every batch entry and head.

Blocks above the diagonal are skipped. N need not be a multiple of the block sizes.
"""
import numpy as np

BLOCK_M = 4   # queries
BLOCK_N = 3   # keys


def causal_block(s, m0, n0):
    i = m0 + np.arange(s.shape[0])
    j = n0 + np.arange(s.shape[1])
    return np.where(i[:, None] >= j[None, :], s, -np.inf)


def fwd_kernel(q, k, v, sm_scale):
    N, d = q.shape
    o = np.empty_like(q)
    L = np.empty(N)
    for m0 in range(0, N, BLOCK_M):
        m1 = min(m0 + BLOCK_M, N)
        m_i = np.full(m1 - m0, -np.inf)
        l_i = np.zeros(m1 - m0)
        acc = np.zeros((m1 - m0, d))
        for n0 in range(0, m1, BLOCK_N):
            n1 = min(n0 + BLOCK_N, N)
            s = (q[m0:m1] @ k[n0:n1].T) * sm_scale
            s = causal_block(s, m0, n0)
            m_new = np.maximum(m_i, s.max(-1))
            alpha = np.exp(m_i - m_new)
            p = np.exp(s - m_new[:, None])
            acc *= alpha[:, None]
            acc += p @ v[n0:n1]
            l_i = l_i * alpha + p.sum(-1)
            m_i = m_new
        o[m0:m1] = acc / l_i[:, None]
        L[m0:m1] = m_i + np.log(l_i)
    return o, L


def bwd_kernel(q, k, v, o, L, do, sm_scale):
    N, d = q.shape
    delta = np.sum(o * do, axis=-1)
    dq = np.zeros_like(q)
    dk = np.empty_like(k)
    dv = np.empty_like(v)
    for n0 in range(0, N, BLOCK_N):
        n1 = min(n0 + BLOCK_N, N)
        dk_acc = np.zeros((n1 - n0, d))
        dv_acc = np.zeros((n1 - n0, d))
        start = n0 // BLOCK_M * BLOCK_M
        for m0 in range(start, N, BLOCK_M):
            m1 = min(m0 + BLOCK_M, N)
            s = causal_block(q[m0:m1] @ k[n0:n1].T * sm_scale, m0, n0)
            p = np.exp(s - L[m0:m1, None])
            dv_acc += p.T @ do[m0:m1]
            dp = do[m0:m1] @ v[n0:n1].T
            ds = p * (dp - delta[m0:m1, None])
            dk_acc += ds.T @ q[m0:m1]
            dq[m0:m1] += ds @ k[n0:n1] * sm_scale
        dk[n0:n1] = dk_acc * sm_scale
        dv[n0:n1] = dv_acc
    return dq, dk, dv


rng = np.random.RandomState(0)
B, H, N, D = 1, 2, 10, 5
q, k, v, do = (rng.randn(B, H, N, D) for _ in range(4))
o = np.zeros_like(q)
L = np.zeros((B, H, N))
dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
for b in range(B):
    for h in range(H):
        o[b, h], L[b, h] = fwd_kernel(q[b, h], k[b, h], v[b, h], D ** -0.5)
        dq[b, h], dk[b, h], dv[b, h] = bwd_kernel(q[b, h], k[b, h], v[b, h], o[b, h], L[b, h], do[b, h], D ** -0.5)
print("o", np.abs(o).mean())
print("dq", np.abs(dq).mean(), "dk", np.abs(dk).mean(), "dv", np.abs(dv).mean())
