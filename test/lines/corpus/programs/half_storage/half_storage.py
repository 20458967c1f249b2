# Probabilities are kept in float16 to save memory; everything else is float32.
import numpy as np


def forward(x, weights, n_head):
    W_qkv, W_o = weights
    n, t, c = x.shape
    hd = c // n_head
    qkv = (x.reshape(n * t, c) @ W_qkv).reshape(n, t, 3, n_head, hd)
    q, k, v = (np.ascontiguousarray(qkv[:, :, i].transpose(0, 2, 1, 3)) for i in range(3))
    logits = (q @ k.transpose(0, 1, 3, 2)) * np.float32(hd ** -0.5)
    logits[..., np.triu(np.ones((t, t), bool), 1)] = np.float32(-1e9)
    logits -= logits.max(-1, keepdims=True)
    prob = np.exp(logits)
    prob /= prob.sum(-1, keepdims=True)
    y = (prob @ v).transpose(0, 2, 1, 3).reshape(n, t, c)
    return y @ W_o, (q, k, v, prob.astype(np.float16), y)


def backward(dout, x, weights, n_head, saved):
    W_qkv, W_o = weights
    q, k, v, prob16, y = saved
    prob = prob16.astype(np.float32)
    n, t, c = x.shape
    hd = c // n_head
    dW_o = y.reshape(n * t, c).T @ dout.reshape(n * t, c)
    dy = (dout @ W_o.T).reshape(n, t, n_head, hd).transpose(0, 2, 1, 3)
    dprob = dy @ v.transpose(0, 1, 3, 2)
    dlogits = prob * (dprob - np.sum(prob * dprob, -1, keepdims=True))
    dlogits *= np.float32(hd ** -0.5)
    dqkv = np.empty((n, t, 3, n_head, hd), np.float32)
    dqkv[:, :, 0] = (dlogits @ k).transpose(0, 2, 1, 3)
    dqkv[:, :, 1] = (dlogits.transpose(0, 1, 3, 2) @ q).transpose(0, 2, 1, 3)
    dqkv[:, :, 2] = (prob.transpose(0, 1, 3, 2) @ dy).transpose(0, 2, 1, 3)
    dqkv = dqkv.reshape(n * t, 3 * c)
    dW_qkv = x.reshape(n * t, c).T @ dqkv
    dx = (dqkv @ W_qkv.T).reshape(n, t, c)
    return dx, dW_qkv, dW_o


rng = np.random.RandomState(64)
n, t, c, n_head = 2, 7, 12, 4
x = rng.randn(n, t, c).astype(np.float32)
weights = (rng.randn(c, 3 * c) * 0.3).astype(np.float32), (rng.randn(c, c) * 0.3).astype(np.float32)
dout = rng.randn(n, t, c).astype(np.float32)
out, saved = forward(x, weights, n_head)
dx, dW_qkv, dW_o = backward(dout, x, weights, n_head, saved)
print("out %.4f" % np.abs(out).sum())
print("dx %.3f dW_qkv %.2f dW_o %.2f" % (np.abs(dx).sum(), np.abs(dW_qkv).sum(), np.abs(dW_o).sum()))
