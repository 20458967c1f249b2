"""Each head through a function that is mapped over stacks of heads, with a learned logit in its denominator."""
import numpy as np


def over_heads(function):
    def all_heads(*stacks):
        return tuple(np.stack(each) for each in zip(*[function(*one) for one in zip(*stacks)]))
    return all_heads


def forward_head(q, k, v, rest):
    scores = q @ k.T * q.shape[1] ** -0.5
    scores = np.where(np.tri(len(q), dtype=bool), scores, -np.inf)
    largest = np.maximum(scores.max(axis=1), rest)
    raised, beside = np.exp(scores - largest[:, None]), np.exp(rest - largest)
    below = raised.sum(axis=1) + beside
    return raised / below[:, None] @ v, raised / below[:, None], beside / below


def backward_head(q, k, v, share, beside, upstream):
    inner = upstream @ v.T
    row = (inner * share).sum(axis=1)
    inner = share * (inner - row[:, None]) * q.shape[1] ** -0.5
    return inner @ k, inner.T @ q, share.T @ upstream, -(beside * row).sum()


rng = np.random.default_rng(21)
heads, length, width, size = 3, 5, 7, 2
x, goal = rng.normal(size=(length, width)), rng.normal(size=(length, heads * 3))
wq, wk = rng.normal(size=(heads, width, size)), rng.normal(size=(heads, width, size))
wv, rest = rng.normal(size=(heads, width, 3)), rng.normal(size=heads)

q, k, v = (np.stack([x @ each for each in w]) for w in (wq, wk, wv))
sums, share, beside = over_heads(forward_head)(q, k, v, rest)
y = np.concatenate(list(sums), axis=1)
print('loss', 0.5 * np.square(y - goal).sum())
split = np.stack(np.split(y - goal, heads, axis=1))
dq, dk, dv, drest = over_heads(backward_head)(q, k, v, share, beside, split)
dwq, dwk, dwv = (np.stack([x.T @ each for each in d]) for d in (dq, dk, dv))
dx = sum(each @ w.T for d, ws in ((dq, wq), (dk, wk), (dv, wv)) for each, w in zip(d, ws))
print(np.abs(dx).sum(), np.abs(drest).sum())
