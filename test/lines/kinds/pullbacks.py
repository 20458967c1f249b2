# Attention over a memory as functions that return their pullbacks too, head by head.
import numpy as np


def times(a, b):
    return a @ b, lambda g: (g @ b.T, a.T @ g)


def scores_of(q, k):
    scale = 1 / np.sqrt(q.shape[1])

    def back(g):
        return scale * (g @ k), scale * (g.T @ q)

    return scale * (q @ k.T), back


def softmax(s):
    e = np.exp(s - s.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, lambda g: p * (g - (g * p).sum(axis=1, keepdims=True))


def head(x, memory, w_q, w_k, w_v):
    q, q_back = times(x, w_q)
    k, k_back = times(memory, w_k)
    v, v_back = times(memory, w_v)
    s, s_back = scores_of(q, k)
    p, p_back = softmax(s)
    o, o_back = times(p, v)

    def back(g):
        from_p, from_v = o_back(g)
        from_s = p_back(from_p)
        from_q, from_k = s_back(from_s)
        to_x, to_w_q = q_back(from_q)
        memory_by_k, to_w_k = k_back(from_k)
        memory_by_v, to_w_v = v_back(from_v)
        return to_x, memory_by_k + memory_by_v, (to_w_q, to_w_k, to_w_v)

    return o, back


rng = np.random.default_rng(12)
x, memory = rng.normal(size=(4, 5)), rng.normal(size=(6, 7))
weights = [tuple(rng.normal(size=s) for s in ((5, 3), (7, 3), (7, 3))) for _ in range(3)]
w_o = rng.normal(size=(9, 5))
outs, backs = zip(*(head(x, memory, *each) for each in weights))
y, y_back = times(np.hstack(outs), w_o)
target = rng.normal(size=y.shape)
loss = ((y - target) ** 2).sum()
to_heads, to_w_o = y_back(2 * (y - target))
to_x, to_memory = 0, 0
for back, part in zip(backs, np.split(to_heads, 3, axis=1)):
    x_part, memory_part, _ = back(part)
    to_x = to_x + x_part
    to_memory = to_memory + memory_part
