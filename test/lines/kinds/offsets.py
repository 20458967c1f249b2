# Queries, keys and values side by side in one flat array, entry by entry.
import math

import numpy as np

T, NH, HS = 4, 2, 3
C = NH * HS
rng = np.random.default_rng(19)
inp, dout = rng.normal(size=T * 3 * C), rng.normal(size=T * C)
att, out = np.zeros(NH * T * T), np.zeros(T * C)
dinp, datt, dpre = np.zeros(T * 3 * C), np.zeros(NH * T * T), np.zeros(NH * T * T)
scale = 1 / math.sqrt(HS)


def forward():
    for t in range(T):
        for h in range(NH):
            row, query = h * T * T + t * T, t * 3 * C + h * HS
            top = -math.inf
            for s in range(t + 1):
                key = s * 3 * C + h * HS + C
                dot = 0.0
                for i in range(HS):
                    dot += inp[query + i] * inp[key + i]
                att[row + s] = dot * scale
                top = max(top, att[row + s])
            total = 0.0
            for s in range(t + 1):
                att[row + s] = math.exp(att[row + s] - top)
                total += att[row + s]
            for s in range(t + 1):
                att[row + s] /= total
                value = s * 3 * C + h * HS + 2 * C
                for i in range(HS):
                    out[t * C + h * HS + i] += att[row + s] * inp[value + i]


def backward():
    for t in range(T):
        for h in range(NH):
            row, query = h * T * T + t * T, t * 3 * C + h * HS
            for s in range(t + 1):
                place = s * 3 * C + h * HS + C * 2
                for i in range(HS):
                    datt[row + s] += inp[place + i] * dout[t * C + h * HS + i]
                    dinp[place + i] += att[row + s] * dout[t * C + h * HS + i]
            for s in range(t + 1):
                for r in range(t + 1):
                    dpre[row + r] += att[row + s] * ((s == r) - att[row + r]) * datt[row + s]
            for s in range(t + 1):
                key = s * 3 * C + h * HS + C
                for i in range(HS):
                    dinp[query + i] += inp[key + i] * dpre[row + s] * scale
                    dinp[key + i] += inp[query + i] * dpre[row + s] * scale


forward()
backward()
