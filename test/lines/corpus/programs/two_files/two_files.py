import numpy as np
from layers import Linear, Scores, Softmax


class Block:
    def __init__(self, d, width, heads, rng):
        make = lambda i, o: Linear(rng.randn(i, o) / np.sqrt(i), rng.randn(o) * 0.2)
        self.q, self.k, self.v = (make(d, width * heads) for _ in range(3))
        self.o = make(width * heads, d)
        self.scores = [Scores() for _ in range(heads)]
        self.softmax = [Softmax() for _ in range(heads)]
        self.width = width

    def columns(self, h):
        return slice(h * self.width, (h + 1) * self.width)

    def forward(self, x, hidden):
        q, k, v = self.q.forward(x), self.k.forward(x), self.v.forward(x)
        self.values = v
        mixed = np.zeros_like(v)
        self.probs = []
        for h in range(len(self.scores)):
            c = self.columns(h)
            p = self.softmax[h].forward(self.scores[h].forward(q[:, c], k[:, c], hidden))
            self.probs.append(p)
            mixed[:, c] = p @ v[:, c]
        return self.o.forward(mixed)

    def backward(self, dy):
        dmixed = self.o.backward(dy)
        dq, dk, dv = (np.zeros_like(dmixed) for _ in range(3))
        for h in range(len(self.scores)):
            c = self.columns(h)
            dp = dmixed[:, c] @ self.values[:, c].T
            dv[:, c] = self.probs[h].T @ dmixed[:, c]
            dq[:, c], dk[:, c] = self.scores[h].backward(self.softmax[h].backward(dp))
        return self.q.backward(dq) + self.k.backward(dk) + self.v.backward(dv)


rng = np.random.RandomState(12)
block = Block(d=6, width=3, heads=3, rng=rng)
tokens = rng.randn(7, 6)
want = rng.randn(7, 6)
hidden = np.arange(7)[None, :] > np.arange(7)[:, None]
got = block.forward(tokens, hidden)
error = got - want
dtokens = block.backward(error)
print("loss", 0.5 * np.sum(error ** 2))
print("dtokens", np.linalg.norm(dtokens))
for name in "qkvo":
    layer = getattr(block, name)
    print(name, np.linalg.norm(layer.dW), np.linalg.norm(layer.db))
