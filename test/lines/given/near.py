# Each token attends to the three that are nearest to it, itself among them; the others are hidden.
import numpy as np

rng = np.random.default_rng(4)
n, d, a = 7, 3, 5
x = rng.normal(size=(n, d))
wk, wq = rng.normal(size=(d, a)) / 2, rng.normal(size=(d, a)) / 2
goal = rng.normal(size=(n, d))


def neighbours(points, count):
    rows = []
    for at in range(len(points)):
        distance = np.square(points - points[at]).sum(axis=1)
        rows.append(np.argsort(distance)[:count])
    return rows


rows = neighbours(x, 3)
seen = np.array([np.isin(np.arange(n), row) for row in rows])
keys, queries = x @ wk, x @ wq
weights, y = [], np.zeros((n, d))
for j, row in enumerate(rows):
    e = np.exp(keys[row] @ queries[j])
    weights.append(e / e.sum())
    y[j] = weights[j] @ x[row]

dy = y - goal
dx = np.zeros((n, d))
for j, row in enumerate(rows):
    dp = x[row] @ dy[j]
    ds = weights[j] * (dp - weights[j] @ dp)
    for slot, i in enumerate(row):
        dx[i] += weights[j][slot] * dy[j]
        dx[i] += ds[slot] * (wk @ queries[j])
        dx[j] += ds[slot] * (keys[i] @ wq.T)
print(float((dx * x).sum()))
