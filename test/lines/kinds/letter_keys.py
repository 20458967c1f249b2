# Weights and their gradients under the letters alone; the loss is the sum of squares.
import numpy as np

rng = np.random.default_rng(12)
B, N, D, H, A, O = 2, 5, 6, 2, 4, 3
x = rng.normal(size=(B, N, D))
w = {key: rng.normal(size=(H, D, A)) / 2 for key in "qkv"}
w_o = rng.normal(size=(H, A, O)) / 2

q, k, v = (np.einsum("bnd,hda->bhna", x, w[key]) for key in "qkv")
mask = np.tri(N)
s = q @ k.swapaxes(2, 3) / np.sqrt(A)
s = np.where(mask, s, -np.inf)
e = np.exp(s - s.max(axis=-1, keepdims=True))
p = e / e.sum(axis=-1, keepdims=True)
o = p @ v
out = np.einsum("bhna,hao->bno", o, w_o)
loss = (out**2).sum()

d_out = 2 * out
gr = {"o": np.einsum("bhna,bno->hao", o, d_out)}
do = np.einsum("bno,hao->bhna", d_out, w_o)
dp = do @ v.swapaxes(2, 3)
dv = p.swapaxes(2, 3) @ do
ds = np.zeros_like(p)
for b in range(B):
    for h in range(H):
        for i in range(N):
            a = p[b, h, i, : i + 1]
            jac = np.diag(a) - np.outer(a, a)
            ds[b, h, i, : i + 1] = jac @ dp[b, h, i, : i + 1]
ds /= np.sqrt(A)
dq, dk = ds @ k, ds.swapaxes(2, 3) @ q
gr["q"] = np.einsum("bnd,bhna->hda", x, dq)
gr["k"] = np.einsum("bnd,bhna->hda", x, dk)
gr["v"] = np.einsum("bnd,bhna->hda", x, dv)
dx = sum(np.einsum("bhna,hda->bnd", g, w[key]) for key, g in zip("qkv", (dq, dk, dv)))
