# A small autograd engine, two samples after each other, a softmax that is written out, targets that are added with a minus.
import numpy as np


def reduced(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and grad.shape[axis] != 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


class Tensor:
    def __init__(self, data, parents=()):
        self.data = np.asarray(data, dtype=np.float64)
        self.grad = np.zeros_like(self.data)
        self.parents = parents
        self.back = lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        out = Tensor(self.data + other.data, (self, other))

        def back():
            self.grad += reduced(out.grad, self.data.shape)
            other.grad += reduced(out.grad, other.data.shape)

        out.back = back
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Tensor) else Tensor(other)
        out = Tensor(self.data * other.data, (self, other))

        def back():
            self.grad += out.grad * other.data
            other.grad += reduced(out.grad * self.data, other.data.shape)

        out.back = back
        return out

    def __truediv__(self, other):
        out = Tensor(self.data / other.data, (self, other))

        def back():
            self.grad += out.grad / other.data
            other.grad += reduced(-out.grad * self.data / other.data**2, other.data.shape)

        out.back = back
        return out

    def __matmul__(self, other):
        out = Tensor(self.data @ other.data, (self, other))

        def back():
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad

        out.back = back
        return out

    def exp(self):
        out = Tensor(np.exp(self.data), (self,))

        def back():
            self.grad += out.grad * out.data

        out.back = back
        return out

    def sums(self):
        out = Tensor(self.data.sum(axis=1, keepdims=True), (self,))

        def back():
            self.grad += out.grad * np.ones_like(self.data)

        out.back = back
        return out

    def total(self):
        out = Tensor(self.data.sum(), (self,))

        def back():
            self.grad += out.grad * np.ones_like(self.data)

        out.back = back
        return out

    def turned(self):
        out = Tensor(self.data.T, (self,))

        def back():
            self.grad += out.grad.T

        out.back = back
        return out

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            node.back()


rng = np.random.default_rng(5)
new = lambda *shape: Tensor(rng.normal(size=shape))
wq, wk, wv, wo = new(5, 3), new(5, 3), new(5, 4), new(4, 5)


def attention(x):
    q, k, v = x @ wq, x @ wk, x @ wv
    z = (q @ k.turned()) * 3**-0.5
    e = (z + -z.data.max(axis=1, keepdims=True)).exp()
    w = e / e.sums()
    return w @ v @ wo


samples = [new(6, 5) for _ in range(2)]
labels = [rng.normal(size=(6, 5)) for _ in range(2)]
loss = Tensor(0.0)
for x, label in zip(samples, labels):
    y = attention(x)
    off = y + -label
    loss = loss + (off * off).total() * 0.5
loss.backward()
print(loss.data, [np.abs(each.grad).sum() for each in (*samples, wq, wk, wv, wo)])
