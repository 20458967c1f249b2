"""Attention in the windows of an image: a learned number for each difference of places and head, its gradient by hand."""
import numpy as np

rng = np.random.default_rng(12)
windows, height, width, heads, dim = 2, 2, 3, 2, 4
n = height * width
x = rng.normal(size=(windows, n, heads * dim))
wqkv = rng.normal(size=(heads * dim, 3 * heads * dim)) * 0.3
wo = rng.normal(size=(heads * dim, heads * dim)) * 0.3
table = rng.normal(size=((2 * height - 1) * (2 * width - 1), heads))
dy = rng.normal(size=x.shape)

places = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij")).reshape(2, -1)
apart = places[:, :, None] - places[:, None, :]
index = (apart[0] + height - 1) * (2 * width - 1) + apart[1] + width - 1


def split(a):
    return a.reshape(windows, n, heads, dim).transpose(0, 2, 1, 3)


def merge(a):
    return a.transpose(0, 2, 1, 3).reshape(windows, n, heads * dim)


q, k, v = (split(a) for a in np.split(x @ wqkv, 3, axis=-1))
bias = table[index].transpose(2, 0, 1)
s = q @ k.swapaxes(-1, -2) * dim**-0.5 + bias
e = np.exp(s - s.max(-1, keepdims=True))
p = e / e.sum(-1, keepdims=True)
z = merge(p @ v)
y = z @ wo

dwo = np.einsum("wni,wnj->ij", z, dy)
dz = split(dy @ wo.T)
dp, dv = dz @ v.swapaxes(-1, -2), p.swapaxes(-1, -2) @ dz
ds = p * (dp - (p * dp).sum(-1, keepdims=True))
dtable = np.zeros_like(table)
np.add.at(dtable, index, ds.sum(0).transpose(1, 2, 0))
dq, dk = ds @ k * dim**-0.5, ds.swapaxes(-1, -2) @ q * dim**-0.5
dqkv = np.concatenate([merge(a) for a in (dq, dk, dv)], -1)
dwqkv = np.einsum("wni,wnj->ij", x, dqkv)
dx = dqkv @ wqkv.T
print(y.sum(), dx.sum(), dtable.sum())
