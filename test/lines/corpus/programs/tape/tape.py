"""A tiny tape: every op notes how to push its output's gradient to its inputs. Then attention with it."""
import functools
import numpy as np

TAPE = []


class Var:
    def __init__(self, data):
        self.data = np.asarray(data, dtype=float)
        self.grad = np.zeros_like(self.data)


def op(rule):
    """Turns `rule(*vars) -> (value, pull)` into an operation on Vars that is put on the tape."""
    @functools.wraps(rule)
    def apply(*inputs, **options):
        value, pull = rule(*(v.data for v in inputs), **options)
        out = Var(value)
        TAPE.append((out, inputs, pull))
        return out
    return apply


@op
def matmul(a, b):
    def pull(g):
        return g @ b.T, a.T @ g
    return a @ b, pull


@op
def matmul_nt(a, b):
    def pull(g):
        return g @ b, g.T @ a
    return a @ b.T, pull


@op
def add_row(a, b):
    return a + b, lambda g: (g, g.sum(axis=0))


@op
def scale(a, by=1.0):
    return a * by, lambda g: (g * by,)


@op
def causal_softmax(a):
    a = np.where(np.tri(*a.shape, dtype=bool), a, -np.inf)
    e = np.exp(a - a.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)

    def pull(g):
        gp = g * p
        return (gp - p * gp.sum(axis=1, keepdims=True),)
    return p, pull


@op
def half_square(a, target=0.0):
    diff = a - target
    return 0.5 * np.sum(diff ** 2), lambda g: (g * diff,)


def backward(root):
    root.grad = np.ones_like(root.data)
    for out, inputs, pull in reversed(TAPE):
        for v, g in zip(inputs, pull(out.grad)):
            v.grad += g


gen = np.random.RandomState(21)
x = Var(gen.randn(6, 4))
w_q, w_k, w_v = (Var(gen.randn(4, 4) / 2) for _ in range(3))
b_v = Var(gen.randn(4))
goal = gen.randn(6, 4)

q = matmul(x, w_q)
k = matmul(x, w_k)
v = add_row(matmul(x, w_v), b_v)
weights = causal_softmax(scale(matmul_nt(q, k), by=0.5))
y = matmul(weights, v)
loss = half_square(y, target=goal)
backward(loss)
print("loss", loss.data)
for name, var in (("x", x), ("w_q", w_q), ("w_k", w_k), ("w_v", w_v), ("b_v", b_v)):
    print(name, np.round(np.linalg.norm(var.grad), 8))
