# A small engine that keeps data and gradients in objects, numbers and constants too.
import numpy as np


class Node:
    def __init__(self, data, parents=()):
        self.data = np.asarray(data, dtype=np.float64)
        self.grad = np.zeros_like(self.data)
        self.parents, self.pull = parents, lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Node) else Node(other)
        out = Node(self.data + other.data, (self, other))

        def pull():
            self.grad += fitted(out.grad, self.data.shape)
            other.grad += fitted(out.grad, other.data.shape)

        out.pull = pull
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Node) else Node(other)
        out = Node(self.data * other.data, (self, other))

        def pull():
            self.grad += fitted(out.grad * other.data, self.data.shape)
            other.grad += fitted(out.grad * self.data, other.data.shape)

        out.pull = pull
        return out

    def __truediv__(self, other):
        out = Node(self.data / other.data, (self, other))

        def pull():
            self.grad += fitted(out.grad / other.data, self.data.shape)
            other.grad += fitted(-out.grad * self.data / other.data**2, other.data.shape)

        out.pull = pull
        return out

    def __matmul__(self, other):
        out = Node(self.data @ other.data, (self, other))

        def pull():
            self.grad += out.grad @ other.data.T
            other.grad += self.data.T @ out.grad

        out.pull = pull
        return out

    def exp(self):
        out = Node(np.exp(self.data), (self,))

        def pull():
            self.grad += out.grad * out.data

        out.pull = pull
        return out

    def total(self, axis=None, keepdims=False):
        out = Node(self.data.sum(axis=axis, keepdims=keepdims), (self,))

        def pull():
            self.grad += out.grad * np.ones_like(self.data)

        out.pull = pull
        return out

    def turned(self):
        out = Node(self.data.T, (self,))

        def pull():
            self.grad += out.grad.T

        out.pull = pull
        return out

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for each in node.parents:
                    visit(each)
                order.append(node)

        visit(self)
        self.grad = np.ones_like(self.data)
        for node in reversed(order):
            node.pull()


def fitted(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and grad.shape[axis] != 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


rng = np.random.default_rng(8)
x, goal = rng.normal(size=(4, 5)), rng.normal(size=(4, 3))
w_q, w_k, w_v = (rng.normal(size=(5, 3)) * 0.6 for _ in range(3))
tokens, query, key, value = Node(x), Node(w_q), Node(w_k), Node(w_v)
z = ((tokens @ query) @ (tokens @ key).turned()) * 3**-0.5
z = z + np.triu(np.full((4, 4), -1e9), 1)
e = (z + -z.data.max(axis=1, keepdims=True)).exp()
y = (e / e.total(axis=1, keepdims=True)) @ (tokens @ value)
error = y + -goal
loss = (error * error).total() * 0.5
loss.backward()
print(loss.data, *(np.abs(each.grad).sum() for each in (tokens, query, key, value)))
