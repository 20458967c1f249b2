# A list for each of queries, keys and values, with a tensor for each head; the softmax fills a matrix row by row.
import numpy as np

rng = np.random.default_rng(4)
n, d, H, a = 6, 5, 3, 2
x, goal = rng.normal(size=(n, d)), rng.normal(size=(n, d))
Wq, Wk, Wv = ([rng.normal(size=(d, a)) for _ in range(H)] for _ in range(3))
Wo = rng.normal(size=(H * a, d))


def softmax(z):
    p = np.zeros_like(z)
    for i, row in enumerate(z):
        e = np.exp(row - row.max())
        p[i] = e / e.sum()
    return p


queries, keys, values, weights, heads = [], [], [], [], []
for h in range(H):
    queries.append(x @ Wq[h])
    keys.append(x @ Wk[h])
    values.append(x @ Wv[h])
    weights.append(softmax(queries[h] @ keys[h].T / a**0.5))
    heads.append(weights[h] @ values[h])
merged = np.concatenate(heads, axis=1)
out = merged @ Wo
loss = ((out - goal) ** 2).mean()

dout = 2 * (out - goal) / out.size
dWo = merged.T @ dout
dheads = np.split(dout @ Wo.T, H, axis=1)
dWq, dWk, dWv, dx = [], [], [], np.zeros_like(x)
for h in range(H):
    dp = dheads[h] @ values[h].T
    dv = weights[h].T @ dheads[h]
    ds = weights[h] * (dp - (dp * weights[h]).sum(1, keepdims=True)) / a**0.5
    dq, dk = ds @ keys[h], ds.T @ queries[h]
    dWq.append(x.T @ dq)
    dWk.append(x.T @ dk)
    dWv.append(x.T @ dv)
    dx += dq @ Wq[h].T + dk @ Wk[h].T + dv @ Wv[h].T
print(loss, dx.sum(), dWo.sum())
