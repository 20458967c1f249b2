# The heads of keys and values are picked from one buffer, query by query.
import math

import numpy as np

T, H, W = 5, 3, 4
C = H * W


def forward(out, weights, x):
    for t in range(T):
        for h in range(H):
            query = x[t, h * W : (h + 1) * W]
            top = -1e4
            scores = np.zeros(t + 1)
            for s in range(t + 1):
                key = x[s, C + h * W : C + (h + 1) * W]
                dot = 0.0
                for i in range(W):
                    dot += query[i] * key[i]
                dot *= 1 / math.sqrt(W)
                top = max(top, dot)
                scores[s] = dot
            total = 0.0
            for s in range(t + 1):
                total += math.exp(scores[s] - top)
            for s in range(t + 1):
                weights[h, t, s] = math.exp(scores[s] - top) / total
                value = x[s, 2 * C + h * W : 2 * C + (h + 1) * W]
                for i in range(W):
                    out[t, h * W + i] += weights[h, t, s] * value[i]


rng = np.random.default_rng(47)
x = rng.normal(size=(T, 3 * C))
out, weights = np.zeros((T, C)), np.zeros((H, T, T))
forward(out, weights, x)
