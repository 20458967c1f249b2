# A small engine: each step knows how to pass its gradient back.
import numpy as np


class Mat:
    def __init__(self, data, before=()):
        self.data = np.asarray(data, dtype=float)
        self.grad, self.before = np.zeros_like(self.data), before
        self.back = lambda: None

    def matmul(self, other):
        out = Mat(self.data @ other.data, (self, other))

        def back():
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad

        out.back = back
        return out

    def t(self):
        out = Mat(self.data.T, (self,))

        def back():
            self.grad += out.grad.T

        out.back = back
        return out

    def scale(self, by):
        out = Mat(self.data * by, (self,))

        def back():
            self.grad += out.grad * by

        out.back = back
        return out

    def softmax(self):
        e = np.exp(self.data - self.data.max(axis=1, keepdims=True))
        out = Mat(e / e.sum(axis=1, keepdims=True), (self,))

        def back():
            inner = (out.data * out.grad).sum(axis=1, keepdims=True)
            self.grad += out.data * (out.grad - inner)

        out.back = back
        return out

    def backward(self, grad):
        order = []

        def visit(each):
            if each not in order:
                for one in each.before:
                    visit(one)
                order.append(each)

        visit(self)
        self.grad = grad
        for each in reversed(order):
            each.back()


rng = np.random.default_rng(79)
x, dy = Mat(rng.normal(size=(4, 5))), rng.normal(size=(4, 6))
wq, wk, wv = (Mat(rng.normal(size=(5, size)) * 0.7) for size in (3, 3, 6))
q, k, v = x.matmul(wq), x.matmul(wk), x.matmul(wv)
y = q.matmul(k.t()).scale(3**-0.5).softmax().matmul(v)
y.backward(dy)
