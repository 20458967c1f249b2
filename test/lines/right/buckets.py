"""T5 buckets in NumPy, the table's gradient with np.add.at."""
import numpy as np
rng = np.random.default_rng(34)
B, N, C, H, buckets, max_distance = 2, 9, 6, 2, 8, 12
D = C // H


def bucket(rel):
    n = buckets // 2
    out = (rel > 0).astype(int) * n
    rel = np.abs(rel)
    exact = n // 2
    large = exact + (np.log(np.maximum(rel, 1) / exact) / np.log(max_distance / exact) * (n - exact)).astype(int)
    large = np.minimum(large, n - 1)
    return out + np.where(rel < exact, rel, large)


x = rng.normal(size=(B, N, C))
Wq, Wk, Wv, Wo = (rng.normal(size=(C, C)) * 0.4 for _ in range(4))
table = rng.normal(size=(buckets, H)) * 0.5
index = bucket(np.arange(N)[None, :] - np.arange(N)[:, None])
sp = lambda t: t.reshape(B, N, H, D).transpose(0, 2, 1, 3)
un = lambda t: t.transpose(0, 2, 1, 3).reshape(B, N, C)
q, k, v = sp(x @ Wq), sp(x @ Wk), sp(x @ Wv)
s = q @ k.transpose(0, 1, 3, 2)
s = s + table[index].transpose(2, 0, 1)
p = np.exp(s - s.max(-1, keepdims=True))
p /= p.sum(-1, keepdims=True)
o = un(p @ v)
y = o @ Wo
loss = (y ** 2).sum() / 2
dy = y
dWo = np.einsum("bni,bnj->ij", o, dy)
do = sp(dy @ Wo.T)
dv = p.transpose(0, 1, 3, 2) @ do
dp = do @ v.transpose(0, 1, 3, 2)
ds = p * (dp - (dp * p).sum(-1, keepdims=True))
dtable = np.zeros_like(table)
np.add.at(dtable, index, ds.sum(0).transpose(1, 2, 0))
dq, dk = ds @ k, ds.transpose(0, 1, 3, 2) @ q
dWq, dWk, dWv = (np.einsum("bni,bnj->ij", x, un(g)) for g in (dq, dk, dv))
dx = un(dq) @ Wq.T + un(dk) @ Wk.T + un(dv) @ Wv.T
print(loss)
