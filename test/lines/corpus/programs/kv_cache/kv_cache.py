"""A new chunk of tokens looks at itself and at a cache of keys and values; gradients for the chunk."""
import numpy as np


class ChunkAttention:
    def __init__(self, past_k, past_v):
        self.past_k, self.past_v = past_k, past_v          # (heads, past, width)
        self.P = past_k.shape[1]

    def forward(self, q, k, v):
        H, T, w = q.shape
        self.q = q
        self.keys = np.concatenate([self.past_k, k], axis=1)
        self.values = np.concatenate([self.past_v, v], axis=1)
        logits = np.matmul(q, self.keys.transpose(0, 2, 1)) / np.sqrt(w)
        position = self.P + np.arange(T)
        visible = np.arange(self.P + T)[None, :] <= position[:, None]
        logits[:, ~visible] = -np.inf
        logits -= logits.max(-1, keepdims=True)
        self.lse = np.log(np.exp(logits).sum(-1, keepdims=True))
        self.prob = np.exp(logits - self.lse)
        self.out = np.matmul(self.prob, self.values)
        return self.out

    def backward(self, dout):
        w = self.q.shape[-1]
        dvalues = np.matmul(self.prob.transpose(0, 2, 1), dout)
        dprob = np.matmul(dout, self.values.transpose(0, 2, 1))
        delta = np.sum(dout * self.out, -1, keepdims=True)
        dlogits = self.prob * (dprob - delta) / np.sqrt(w)
        dq = np.matmul(dlogits, self.keys)
        dkeys = np.matmul(dlogits.transpose(0, 2, 1), self.q)
        return dq, dkeys[:, self.P:], dvalues[:, self.P:]


rng = np.random.default_rng(60)
H, P, T, w = 2, 3, 4, 5
d = H * w
x = rng.normal(size=(T, d))
Wq, Wk, Wv, Wo = rng.normal(size=(4, d, d)) / np.sqrt(d)
past_k, past_v = rng.normal(size=(2, H, P, w))
heads = lambda a: a.reshape(T, H, w).transpose(1, 0, 2)
merge = lambda a: a.transpose(1, 0, 2).reshape(T, d)

att = ChunkAttention(past_k, past_v)
ctx = merge(att.forward(heads(x @ Wq), heads(x @ Wk), heads(x @ Wv)))
y = ctx @ Wo
dy = rng.normal(size=y.shape)
dWo = ctx.T @ dy
dq, dk, dv = map(merge, att.backward(heads(dy @ Wo.T)))
dWq, dWk, dWv = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
print("y", np.linalg.norm(y), "dx", np.linalg.norm(dx))
print("dW", *(np.linalg.norm(g).round(8) for g in (dWq, dWk, dWv, dWo)))
