# Distances as a bias, and a drawn table of what is kept: it is the share of the kept that has a name.
import numpy as np

rng = np.random.default_rng(5)
H, n, a = 4, 5, 3
keep_share = 0.75
q, k, v, dz = (rng.normal(size=(H, n, a)) for _ in range(4))
places = np.arange(n)
slopes = 2.0 ** (-8.0 * np.arange(1, H + 1) / H)
s = np.einsum("hia,hja->hij", q, k) / np.sqrt(a) - slopes[:, None, None] * (places[:, None] - places)
s[:, places[:, None] < places] = -np.inf
p = np.exp(s - s.max(-1, keepdims=True))
p /= p.sum(-1, keepdims=True)
table = (rng.random((H, n, n)) < keep_share) / keep_share
used = p * table
z = np.einsum("hij,hja->hia", used, v)

dv = np.einsum("hij,hia->hja", used, dz)
dp = np.einsum("hia,hja->hij", dz, v) * table
ds = p * (dp - np.einsum("hij,hij->hi", dp, p)[:, :, None]) / np.sqrt(a)
dq, dk = np.einsum("hij,hja->hia", ds, k), np.einsum("hij,hia->hja", ds, q)
print(z.sum(), dq.sum(), dk.sum(), dv.sum())
