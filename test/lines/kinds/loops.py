# Attention one number at a time, forward and backward.
import math
import numpy as np

B, T, C, H = 2, 4, 6, 2
W = C // H
DTYPE = np.float64


def forward(x, scores, weights, out):
    scale = 1.0 / math.sqrt(W)
    for b in range(B):
        for t in range(T):
            for h in range(H):
                top = -1e4
                for s in range(t + 1):
                    dot = 0.0
                    for i in range(W):
                        dot += x[b, t, h * W + i] * x[b, s, C + h * W + i]
                    dot *= scale
                    top = max(top, dot)
                    scores[b, h, t, s] = dot
                total = 0.0
                for s in range(t + 1):
                    e = math.exp(scores[b, h, t, s] - top)
                    total += e
                    weights[b, h, t, s] = e
                for s in range(t + 1):
                    weights[b, h, t, s] /= total
                    for i in range(W):
                        out[b, t, h * W + i] += weights[b, h, t, s] * x[b, s, 2 * C + h * W + i]


def backward(x, weights, dout, dweights, dscores, dx):
    scale = 1.0 / math.sqrt(W)
    for b in range(B):
        for t in range(T):
            for h in range(H):
                for s in range(t + 1):
                    for i in range(W):
                        dweights[b, h, t, s] += x[b, s, 2 * C + h * W + i] * dout[b, t, h * W + i]
                        dx[b, s, 2 * C + h * W + i] += weights[b, h, t, s] * dout[b, t, h * W + i]
                for s in range(t + 1):
                    for r in range(t + 1):
                        same = 1.0 if s == r else 0.0
                        slope = weights[b, h, t, s] * (same - weights[b, h, t, r])
                        dscores[b, h, t, r] += slope * dweights[b, h, t, s]
                for s in range(t + 1):
                    for i in range(W):
                        dx[b, t, h * W + i] += x[b, s, C + h * W + i] * dscores[b, h, t, s] * scale
                        dx[b, s, C + h * W + i] += x[b, t, h * W + i] * dscores[b, h, t, s] * scale


rng = np.random.default_rng(3)
x = rng.normal(size=(B, T, 3 * C)).astype(DTYPE)
dout = rng.normal(size=(B, T, C)).astype(DTYPE)
scores, weights, dweights, dscores = (np.zeros((B, H, T, T), DTYPE) for _ in range(4))
out, dx = np.zeros((B, T, C), DTYPE), np.zeros_like(x)
forward(x, scores, weights, out)
backward(x, weights, dout, dweights, dscores, dx)
