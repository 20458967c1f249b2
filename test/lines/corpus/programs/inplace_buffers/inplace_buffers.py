# Attention that allocates once and then works in place (float32).
import numpy as np


class Workspace:
    def __init__(self, heads, tokens, width, dtype=np.float32):
        self.probs = np.empty((heads, tokens, tokens), dtype)
        self.dprobs = np.empty_like(self.probs)
        self.out = np.empty((heads, tokens, width), dtype)
        self.inner = np.empty((heads, tokens, 1), dtype)


def forward(q, k, v, ws, mask):
    p = ws.probs
    np.matmul(q, k.transpose(0, 2, 1), out=p)
    p *= np.float32(1.0 / np.sqrt(q.shape[-1]))
    p[:, mask] = -np.inf
    p -= p.max(axis=-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(axis=-1, keepdims=True)
    np.matmul(p, v, out=ws.out)
    return ws.out


def backward(dout, q, k, v, ws, dq, dk, dv):
    p, g = ws.probs, ws.dprobs
    np.matmul(p.transpose(0, 2, 1), dout, out=dv)
    np.matmul(dout, v.transpose(0, 2, 1), out=g)
    np.sum(g * p, axis=-1, keepdims=True, out=ws.inner)
    g -= ws.inner
    g *= p
    g *= np.float32(1.0 / np.sqrt(q.shape[-1]))
    np.matmul(g, k, out=dq)
    np.matmul(g.transpose(0, 2, 1), q, out=dk)


H, T, W = 3, 6, 4
rng = np.random.default_rng(99)
qkv = rng.standard_normal((T, 3 * H * W), dtype=np.float32)
dout = rng.standard_normal((H, T, W), dtype=np.float32)
# views into the one buffer: (3, H, T, W)
q, k, v = qkv.reshape(T, 3, H, W).transpose(1, 2, 0, 3)
dqkv = np.zeros_like(qkv)
dq, dk, dv = dqkv.reshape(T, 3, H, W).transpose(1, 2, 0, 3)
future = np.triu(np.ones((T, T), dtype=bool), 1)
ws = Workspace(H, T, W)
out = forward(q, k, v, ws, future)
backward(dout, q, k, v, ws, dq, dk, dv)
print("out ", out.sum(axis=(1, 2)))
print("dqkv", np.abs(dqkv).reshape(T, 3, H * W).sum(axis=(0, 2)))
print("row 2", dqkv[2, ::5])
