# Keys and values in arrays that grow by a token at a time, and gradients from the last token to the first.
import numpy as np

rng = np.random.default_rng(14)
n, d, a = 6, 5, 3
x, goal = rng.normal(size=(n, d)), rng.normal(size=(n, a))
w_q, w_k, w_v = (rng.normal(size=(d, a)) / 2 for _ in range(3))

keys, values = np.zeros((n, a)), np.zeros((n, a))
taped, y = [], np.zeros((n, a))
for t in range(n):
    keys[t], values[t] = x[t] @ w_k, x[t] @ w_v
    query = x[t] @ w_q
    z = keys[: t + 1] @ query / np.sqrt(a)
    weights = np.exp(z - z.max())
    weights = weights / weights.sum()
    y[t] = weights @ values[: t + 1]
    taped.append((query, weights))
loss = 0.5 * ((y - goal) ** 2).sum()

dy = y - goal
dkeys, dvalues = np.zeros((n, a)), np.zeros((n, a))
dw_q, dw_k, dw_v = (np.zeros((d, a)) for _ in range(3))
dx = np.zeros((n, d))
for t in reversed(range(n)):
    query, weights = taped[t]
    dvalues[: t + 1] += np.outer(weights, dy[t])
    dweights = values[: t + 1] @ dy[t]
    dz = weights * (dweights - weights @ dweights) / np.sqrt(a)
    dquery = dz @ keys[: t + 1]
    dkeys[: t + 1] += np.outer(dz, query)
    dkey, dvalue = dkeys[t], dvalues[t]
    dw_q += np.outer(x[t], dquery)
    dw_k += np.outer(x[t], dkey)
    dw_v += np.outer(x[t], dvalue)
    dx[t] = w_q @ dquery + w_k @ dkey + w_v @ dvalue
print(loss, np.abs(dx).sum(), *(np.abs(each).sum() for each in (dw_q, dw_k, dw_v)))
