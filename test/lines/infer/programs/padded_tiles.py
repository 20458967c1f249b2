# Tiles as a kernel loads them: the last one is longer than what is left, and filled with zeros.
import numpy as np

ROWS, COLS = 4, 3


def load(array, at):
    return np.where(at[:, None] < len(array), array[np.minimum(at, len(array) - 1)], 0.0)


def kernel(q, k, v, out, tile, scale):
    n = len(q)
    rows = tile * ROWS + np.arange(ROWS)
    block = load(q, rows)
    top, total, acc = np.full(ROWS, -np.inf), np.zeros(ROWS), np.zeros((ROWS, v.shape[1]))
    for start in range(0, min((tile + 1) * ROWS, n), COLS):
        cols = start + np.arange(COLS)
        keys, values = load(k, cols), load(v, cols)
        s = block @ keys.T * scale
        s = np.where((rows[:, None] >= cols[None, :]) & (cols[None, :] < n), s, -np.inf)
        new = np.maximum(top, s.max(1))
        p, alpha = np.exp(s - new[:, None]), np.exp(top - new)
        total = total * alpha + p.sum(1)
        acc = acc * alpha[:, None] + p @ values
        top = new
    out[rows[rows < n]] = (acc / total[:, None])[rows < n]


rng = np.random.default_rng(3)
q, k, v = rng.normal(size=(10, 5)), rng.normal(size=(10, 5)), rng.normal(size=(10, 6))
out = np.zeros((10, 6))
for tile in range(3):
    kernel(q, k, v, out, tile, 5**-0.5)
print(out.sum())
