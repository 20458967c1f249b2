# Attention one number at a time in flat buffers, forward and backward.
import math
import numpy as np

B, T, C, H = 2, 4, 6, 2
W = C // H
SIZE = B * T * C
DTYPE = np.float64


def of(b, t, h, which):
    return (b * T + t) * 3 * C + which * C + h * W


def forward(x, scores, weights, out):
    scale = 1.0 / math.sqrt(W)
    for b in range(B):
        for t in range(T):
            for h in range(H):
                row = ((b * H + h) * T + t) * T
                top = -1e4
                for s in range(t + 1):
                    dot = 0.0
                    for i in range(W):
                        dot += x[of(b, t, h, 0) + i] * x[of(b, s, h, 1) + i]
                    dot *= scale
                    top = max(top, dot)
                    scores[row + s] = dot
                total = 0.0
                for s in range(t + 1):
                    e = math.exp(scores[row + s] - top)
                    total += e
                    weights[row + s] = e
                for s in range(t + 1):
                    weights[row + s] /= total
                    for i in range(W):
                        out[(b * T + t) * C + h * W + i] += weights[row + s] * x[of(b, s, h, 2) + i]


def backward(x, weights, dout, dweights, dscores, dx):
    scale = 1.0 / math.sqrt(W)
    for b in range(B):
        for t in range(T):
            for h in range(H):
                row = ((b * H + h) * T + t) * T
                for s in range(t + 1):
                    for i in range(W):
                        dweights[row + s] += x[of(b, s, h, 2) + i] * dout[(b * T + t) * C + h * W + i]
                        dx[of(b, s, h, 2) + i] += weights[row + s] * dout[(b * T + t) * C + h * W + i]
                for s in range(t + 1):
                    for r in range(t + 1):
                        same = 1.0 if s == r else 0.0
                        slope = weights[row + s] * (same - weights[row + r])
                        dscores[row + r] += slope * dweights[row + s]
                for s in range(t + 1):
                    for i in range(W):
                        dx[of(b, t, h, 0) + i] += x[of(b, s, h, 1) + i] * dscores[row + s] * scale
                        dx[of(b, s, h, 1) + i] += x[of(b, t, h, 0) + i] * dscores[row + s] * scale


rng = np.random.default_rng(3)
x = rng.normal(size=(B, T, 3 * C)).astype(DTYPE).ravel()
dout = rng.normal(size=(B, T, C)).astype(DTYPE).ravel()
scores, weights, dweights, dscores = (np.zeros(B * H * T * T, DTYPE) for _ in range(4))
out, dx = np.zeros(SIZE, DTYPE), np.zeros_like(x)
forward(x, scores, weights, out)
backward(x, weights, dout, dweights, dscores, dx)
