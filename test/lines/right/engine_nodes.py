"""Nodes that know how to pass their gradient back; each keeps its array as `.val`, weights among them."""
import numpy as np


class Node:
    def __init__(self, val, parents=(), pull=None):
        self.val, self.parents, self.pull = val, parents, pull
        self.grad = 0.0


def product(a, b):
    return Node(a.val @ b.val, (a, b), lambda g: (g @ b.val.T, a.val.T @ g))


def half(a, head, size):
    def pull(g):
        whole = np.zeros_like(a.val)
        whole[:, head * size:(head + 1) * size] = g
        return (whole,)
    return Node(a.val[:, head * size:(head + 1) * size], (a,), pull)


def scores(q, k, scale):
    return Node(q.val @ k.val.T * scale, (q, k), lambda g: (g @ k.val * scale, g.T @ q.val * scale))


def softmax(s):
    seen = np.where(np.tril(np.ones(s.val.shape)) == 1, s.val, -np.inf)
    e = np.exp(seen - seen.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return Node(p, (s,), lambda g: (p * (g - (g * p).sum(axis=1, keepdims=True)),))


def beside(parts):
    ends = np.cumsum([part.val.shape[1] for part in parts])[:-1]
    return Node(np.concatenate([part.val for part in parts], 1), parts, lambda g: np.split(g, ends, 1))


def backward(node, grad):
    order, seen = [], set()

    def visit(each):
        if id(each) not in seen:
            seen.add(id(each))
            for parent in each.parents:
                visit(parent)
            order.append(each)

    visit(node)
    node.grad = grad
    for each in reversed(order):
        for parent, passed in zip(each.parents, each.pull(each.grad) if each.pull else ()):
            parent.grad = parent.grad + passed


rng = np.random.default_rng(12)
tokens, width, heads, size = 5, 4, 3, 2
x = Node(rng.standard_normal((tokens, width)))
Wq, Wk, Wv = (Node(rng.standard_normal((width, heads * size)) / 2) for _ in range(3))
Wo = Node(rng.standard_normal((heads * size, width)) / 2)
q, k, v = product(x, Wq), product(x, Wk), product(x, Wv)
mixed = [product(softmax(scores(half(q, h, size), half(k, h, size), size ** -0.5)), half(v, h, size)) for h in range(heads)]
y = product(beside(mixed), Wo)
upstream = rng.standard_normal((tokens, width))
backward(y, upstream)
print(y.val.sum(), x.grad.sum(), Wq.grad.sum(), Wk.grad.sum(), Wv.grad.sum(), Wo.grad.sum())
