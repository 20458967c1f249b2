# Query heads that share keys and values, picked one after the other; the weights kept in a list, gradients added up.
import numpy as np

HEADS, SHARED, SIZE = 4, 2, 3


def sentence(x, weights, own, rate):
    n = len(x)
    q = (x @ weights["q"]).reshape(n, HEADS, SIZE)
    k = (x @ weights["k"]).reshape(n, SHARED, SIZE)
    v = (x @ weights["v"]).reshape(n, SHARED, SIZE)
    factor = own / (1 - rate)
    mixed, kept = [], []
    for h in range(HEADS):
        group = h // (HEADS // SHARED)
        keys, values = k[:, group], v[:, group]
        s = q[:, h] @ keys.T / np.sqrt(SIZE)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        dropped = p * factor[h]
        mixed.append(dropped @ values)
        kept.append((keys, values, p, dropped))
    joined = np.stack(mixed, axis=1).reshape(n, HEADS * SIZE)
    return joined @ weights["o"], (x, q, kept, factor, joined)


def gradients(dy, weights, saved):
    x, q, kept, factor, joined = saved
    n = len(x)
    do = (dy @ weights["o"].T).reshape(n, HEADS, SIZE)
    dq = np.zeros((n, HEADS, SIZE))
    dk, dv = np.zeros((n, SHARED, SIZE)), np.zeros((n, SHARED, SIZE))
    for h in range(HEADS):
        of = h * SHARED // HEADS
        keys, values, w, used = kept[h]
        dv[:, of] += used.T @ do[:, h]
        dw = do[:, h] @ values.T * factor[h]
        ds = w * (dw - (dw * w).sum(axis=1, keepdims=True)) / np.sqrt(SIZE)
        dq[:, h] = ds @ keys
        dk[:, of] += ds.T @ q[:, h]
    dq, dk, dv = (each.reshape(n, -1) for each in (dq, dk, dv))
    dx = dq @ weights["q"].T + dk @ weights["k"].T + dv @ weights["v"].T
    return dx, {
        "q": x.T @ dq,
        "k": x.T @ dk,
        "v": x.T @ dv,
        "o": joined.T @ dy,
    }


rng = np.random.default_rng(12)
xs, dys = rng.normal(size=(3, 5, 6)), rng.normal(size=(3, 5, 6))
sizes = {"q": (6, 12), "k": (6, 6), "v": (6, 6), "o": (12, 6)}
weights = {name: rng.normal(size=size) for name, size in sizes.items()}
rate = 0.3
keep = (rng.random((3, HEADS, 5, 5)) >= rate).astype(float)
total = {name: np.zeros(size) for name, size in sizes.items()}
for n in range(3):
    y, saved = sentence(xs[n], weights, keep[n], rate)
    dx, part = gradients(dys[n], weights, saved)
    for name in total:
        total[name] += part[name]
print({name: np.linalg.norm(each) for name, each in total.items()})
