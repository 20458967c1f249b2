"""Small layers with forward and backward, shared by the experiments."""
import numpy as np


class Linear:
    def __init__(self, W, b=None):
        self.W, self.b = W, b
        self.dW = np.zeros_like(W)
        self.db = None if b is None else np.zeros_like(b)

    def forward(self, x):
        self.x = x
        out = x @ self.W
        if self.b is not None:
            out = out + self.b
        return out

    def backward(self, dout):
        self.dW += self.x.T @ dout
        if self.b is not None:
            self.db += dout.sum(0)
        return dout @ self.W.T


class Softmax:
    def forward(self, z):
        z = z - z.max(axis=-1, keepdims=True)
        ez = np.exp(z)
        self.p = ez / ez.sum(axis=-1, keepdims=True)
        return self.p

    def backward(self, dp):
        inner = (dp * self.p).sum(axis=-1, keepdims=True)
        return self.p * (dp - inner)


class Scores:
    """q k^T / sqrt(width), with hidden pairs set to -inf."""

    def forward(self, q, k, hidden=None):
        self.q, self.k, self.hidden = q, k, hidden
        self.scale = q.shape[-1] ** -0.5
        s = q @ k.T * self.scale
        if hidden is not None:
            s[hidden] = -np.inf
        return s

    def backward(self, ds):
        ds = ds * self.scale
        return ds @ self.k, ds.T @ self.q
