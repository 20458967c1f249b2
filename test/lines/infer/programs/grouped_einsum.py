# Query heads in groups: batch, heads and groups are of one length, the axes in the order of the einsums.
import numpy as np

rng = np.random.default_rng(8)
B, N, D, H, G, A = 2, 4, 6, 2, 2, 3
x = rng.normal(size=(B, N, D))
w_q = rng.normal(size=(D, H, G, A)) * 0.6
w_k = rng.normal(size=(D, H, A)) * 0.6
w_v = rng.normal(size=(D, H, A)) * 0.6
w_o = rng.normal(size=(H, G, A, D)) * 0.6
dy = rng.normal(size=(B, N, D))

q = np.einsum("bnd,dhga->bnhga", x, w_q)
k = np.einsum("bnd,dha->bnha", x, w_k)
v = np.einsum("bnd,dha->bnha", x, w_v)
s = np.einsum("bihga,bjha->bhgij", q, k) / np.sqrt(A)
s = np.where(np.tril(np.ones((N, N), dtype=bool)), s, -np.inf)
e = np.exp(s - s.max(-1, keepdims=True))
p = e / e.sum(-1, keepdims=True)
c = np.einsum("bhgij,bjha->bihga", p, v)
y = np.einsum("bihga,hgad->bid", c, w_o)

dw_o = np.einsum("bihga,bid->hgad", c, dy)
print(y.sum())
