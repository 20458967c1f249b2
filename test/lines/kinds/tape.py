# A small automatic differentiation of arrays, and an attention that is computed with it.
import numpy as np


class Node:
    def __init__(self, data, inputs=()):
        self.data = data
        self.grad = np.zeros_like(data)
        self.inputs = inputs
        self.back = lambda: None

    def __matmul__(self, other):
        out = Node(self.data @ other.data, (self, other))

        def back():
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad

        out.back = back
        return out

    def turned(self):
        out = Node(self.data.T, (self,))

        def back():
            self.grad += out.grad.T

        out.back = back
        return out

    def softmax(self, scale):
        e = np.exp(scale * self.data)
        out = Node(e / e.sum(axis=1, keepdims=True), (self,))

        def back():
            weighed = out.data * out.grad
            self.grad += scale * (weighed - out.data * weighed.sum(axis=1, keepdims=True))

        out.back = back
        return out

    def half_square(self):
        out = Node(0.5 * np.sum(self.data**2), (self,))

        def back():
            self.grad += self.data * out.grad

        out.back = back
        return out


def ordered(node, seen):
    if node not in seen:
        for each in node.inputs:
            ordered(each, seen)
        seen.append(node)
    return seen


rng = np.random.default_rng(21)
x = Node(rng.normal(size=(5, 4)))
w_q, w_k, w_v = (Node(rng.normal(size=(4, 3))) for _ in range(3))
q, k, v = x @ w_q, x @ w_k, x @ w_v
y = (q @ k.turned()).softmax(1 / np.sqrt(3)) @ v
loss = y.half_square()
loss.grad = np.ones_like(loss.data)
for node in reversed(ordered(loss, [])):
    node.back()
