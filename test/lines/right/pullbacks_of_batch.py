# Sequence by sequence, each function with its pullback; gradients of all sequences are added up.
import numpy as np

rng = np.random.default_rng(3)
B, n, d, H, a, c = 3, 5, 6, 2, 4, 3
w = {"q": (H, d, a), "k": (H, d, a), "v": (H, d, c), "o": (H, c, d)}
w = {name: rng.normal(size=shape) * 0.5 for name, shape in w.items()}
x, goals = rng.normal(size=(B, n, d)), rng.normal(size=(B, n, d))


def linear(rows, weight):
    return rows @ weight, lambda g: (g @ weight.T, rows.T @ g)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return p, lambda g: p * (g - np.sum(g * p, axis=1, keepdims=True))


def attention(rows):
    total, backs = np.zeros_like(rows), []
    for h in range(H):
        q, back_q = linear(rows, w["q"][h])
        k, back_k = linear(rows, w["k"][h])
        v, back_v = linear(rows, w["v"][h])
        p, back_p = softmax(q @ k.T / np.sqrt(a))
        part, back_o = linear(p @ v, w["o"][h])
        total = total + part
        backs.append((q, k, v, p, back_q, back_k, back_v, back_p, back_o))

    def pullback(g):
        drows, dw = np.zeros_like(rows), {name: np.zeros_like(each) for name, each in w.items()}
        for h, (q, k, v, p, back_q, back_k, back_v, back_p, back_o) in enumerate(backs):
            dz, dw["o"][h] = back_o(g)
            ds = back_p(dz @ v.T) / np.sqrt(a)
            for back, each, name in ((back_q, ds @ k, "q"), (back_k, ds.T @ q, "k"), (back_v, p.T @ dz, "v")):
                own, dw[name][h] = back(each)
                drows += own
        return drows, dw

    return total, pullback


loss, y, dx = 0.0, np.zeros_like(x), np.zeros_like(x)
dw = {name: np.zeros_like(each) for name, each in w.items()}
for i, (rows, goal) in enumerate(zip(x, goals)):
    y[i], pullback = attention(rows)
    error = y[i] - goal
    loss += np.mean(error**2) / B
    dx[i], own = pullback(2 * error / (error.size * B))
    for name in dw:
        dw[name] += own[name]
print(loss, dx.sum(), sum(each.sum() for each in dw.values()))
