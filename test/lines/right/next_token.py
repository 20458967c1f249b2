# The attention's output are the logits of the next token: cross entropy, and its gradient by hand.
import numpy as np

rng = np.random.default_rng(9)
text = np.array([0, 3, 1, 4, 1, 5, 2, 6, 5])
tokens, following = text[:-1], text[1:]
n, V, d, a = len(tokens), 7, 4, 3
table = rng.normal(size=(V, d))
Wq, Wk = rng.normal(size=(d, a)), rng.normal(size=(d, a))
Wv = rng.normal(size=(d, V))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


x = table[tokens]
q, k, v = x @ Wq, x @ Wk, x @ Wv
s = q @ k.T / np.sqrt(a)
s[np.triu_indices(n, 1)] = -np.inf
p = softmax(s)
y = p @ v
guess = softmax(y)
surprise = -np.log(guess[np.arange(n), following])
average = surprise.mean()

dy = guess.copy()
dy[np.arange(n), following] -= 1
dy /= n
dv, dp = p.T @ dy, dy @ v.T
ds = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / np.sqrt(a)
dq, dk = ds @ k, ds.T @ q
dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
dtable = np.zeros_like(table)
np.add.at(dtable, tokens, dx)
print(average, dtable.sum(), (x.T @ dq).sum(), (x.T @ dk).sum(), (x.T @ dv).sum())
