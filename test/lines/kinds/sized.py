# A function that takes its sizes from the shapes of what it is given, and adds its mask.
import numpy as np


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def forward(x, w_q, w_k, w_v):
    q, k, v = x @ w_q, x @ w_k, x @ w_v
    tokens, width = q.shape[0], q.shape[1]
    bias = np.triu(np.full((tokens, tokens), -np.inf), 1)
    scores = q @ k.T / np.sqrt(width) + bias
    weights = softmax(scores)
    return weights @ v, (x, q, k, v, weights)


def backward(dy, w_q, w_k, w_v, saved):
    x, q, k, v, weights = saved
    dscores, dv = np.zeros_like(weights), np.zeros_like(v)
    for t in range(0, len(dy), 2):
        rows = slice(t, t + 2)
        dweights = dy[rows] @ v.T
        inner = weights[rows] * dweights
        dscores[rows] = inner - weights[rows] * inner.sum(axis=1, keepdims=True)
        dv += weights[rows].T @ dy[rows]
    dscores = dscores / np.sqrt(q.shape[1])
    dq, dk = dscores @ k, dscores.T @ q
    return dq @ w_q.T + dk @ w_k.T + dv @ w_v.T, x.T @ dq, x.T @ dk, x.T @ dv


rng = np.random.default_rng(31)
x, goal = rng.normal(size=(6, 5)), rng.normal(size=(6, 4))
w_q, w_k, w_v = (rng.normal(size=(5, 4)) / 2 for _ in range(3))
y, saved = forward(x, w_q, w_k, w_v)
dx, dw_q, dw_k, dw_v = backward(y - goal, w_q, w_k, w_v, saved)
print(np.abs(y).sum(), *(np.abs(each).sum() for each in (dx, dw_q, dw_k, dw_v)))
