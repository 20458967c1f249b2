import numpy as np
from math import sqrt

# scores are stored key first: s[h, i, j] for key i and query j


def build_bias(H, n):
    slopes = np.array([2.0 ** (-8.0 * (h + 1) / H) for h in range(H)])
    i, j = np.indices((n, n))
    bias = -slopes[:, None, None] * (j - i)
    bias[:, i > j] = -np.inf
    return bias


def fprop(Q, K, V):
    H, n, a = Q.shape
    Qs = Q / sqrt(a)
    s = K @ Qs.transpose(0, 2, 1) + build_bias(H, n)
    s = s - s.max(axis=1, keepdims=True)
    w = np.exp(s)
    w = w / w.sum(axis=1, keepdims=True)
    out = w.transpose(0, 2, 1) @ V
    return out, (Qs, K, V, w)


def bprop(gout, saved):
    Qs, K, V, w = saved
    gV = w @ gout
    gw = V @ gout.transpose(0, 2, 1)
    gs = w * gw
    gs = gs - w * gs.sum(axis=1, keepdims=True)
    gK = gs @ Qs
    gQs = gs.transpose(0, 2, 1) @ K
    gQ = gQs / sqrt(Qs.shape[-1])
    return gQ, gK, gV


def numeric(f, A, eps=1e-6):
    g = np.zeros_like(A)
    it = np.nditer(A, flags=["multi_index"])
    for _ in it:
        ix = it.multi_index
        keep = A[ix]
        A[ix] = keep + eps
        hi = f()
        A[ix] = keep - eps
        lo = f()
        A[ix] = keep
        g[ix] = (hi - lo) / (2 * eps)
    return g


rs = np.random.RandomState(13)
Q, K, V = rs.randn(4, 5, 3), rs.randn(4, 5, 3), rs.randn(4, 5, 2)
R = rs.randn(4, 5, 2)
out, saved = fprop(Q, K, V)
gQ, gK, gV = bprop(R, saved)
value = lambda: (fprop(Q, K, V)[0] * R).sum()
for label, g, A in (("Q", gQ, Q), ("K", gK, K), ("V", gV, V)):
    print(label, "analytic", np.abs(g).sum(), "largest difference", np.abs(g - numeric(value, A)).max())
