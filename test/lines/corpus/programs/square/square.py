import numpy as np

np.random.seed(0)
N = 4
x = np.random.randn(N, N)
Wq = np.random.randn(N, N)
Wk = np.random.randn(N, N)
Wv = np.random.randn(N, N)
dout = np.random.randn(N, N)


def softmax(a):
    a = a - a.max(axis=1, keepdims=True)
    ea = np.exp(a)
    return ea / ea.sum(axis=1, keepdims=True)


# forward
q = np.dot(x, Wq)
k = np.dot(x, Wk)
v = np.dot(x, Wv)
att = np.dot(q, k.T) / N ** 0.5
att = softmax(att)
out = np.dot(att, v)

# backward
datt = np.dot(dout, v.T)
dv = np.dot(att.T, dout)
dscore = np.zeros((N, N))
for i in range(N):
    row = att[i].reshape(-1, 1)
    dscore[i] = np.dot(np.diagflat(row) - np.dot(row, row.T), datt[i])
dscore = dscore / N ** 0.5
dq = np.dot(dscore, k)
dk = np.dot(dscore.T, q)
dWq = np.dot(x.T, dq)
dWk = np.dot(x.T, dk)
dWv = np.dot(x.T, dv)
dx = np.dot(dq, Wq.T)
dx += np.dot(dk, Wk.T)
dx += np.dot(dv, Wv.T)

print(out)
print(dx)
print(np.abs(dWq).sum(), np.abs(dWk).sum(), np.abs(dWv).sum())
