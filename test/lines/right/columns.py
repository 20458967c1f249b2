# Tokens are columns, heads are rows of one array, which is written head by head; a square input tells no axis by its length.
import numpy as np

rng = np.random.default_rng(8)
width = length = 6
count = 3
size = width // count
tokens = rng.normal(size=(width, length))
wq, wk, wv, wo = (rng.normal(size=(width, width)) / 2 for _ in range(4))
upstream = rng.normal(size=(width, length))

q, k, v = wq @ tokens, wk @ tokens, wv @ tokens
joined = np.empty((width, length))
kept = []
for head in range(count):
    rows = slice(head * size, (head + 1) * size)
    buffer = k[rows].T @ q[rows]
    buffer /= np.sqrt(size)
    np.exp(buffer - buffer.max(axis=0), out=buffer)
    buffer /= buffer.sum(axis=0)
    joined[rows] = v[rows] @ buffer
    kept.append(buffer)
y = wo @ joined

dwo = upstream @ joined.T
djoined = wo.T @ upstream
dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
for head in range(count):
    rows = slice(head * size, (head + 1) * size)
    buffer = v[rows].T @ djoined[rows]
    dv[rows] = djoined[rows] @ kept[head].T
    buffer -= (buffer * kept[head]).sum(axis=0)
    buffer *= kept[head]
    buffer /= np.sqrt(size)
    dq[rows] = k[rows] @ buffer
    dk[rows] = q[rows] @ buffer.T
dwq, dwk, dwv = dq @ tokens.T, dk @ tokens.T, dv @ tokens.T
dtokens = wq.T @ dq + wk.T @ dk + wv.T @ dv
print(np.abs(dtokens).sum())
