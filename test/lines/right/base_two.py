"""Tiles in single precision with powers of 2 in place of exponentials; the last tile of each row has one entry."""
import torch

torch.manual_seed(20)
LOG2E, ROWS, COLS = 1.4426950408889634, 3, 2
q, k, v, do = (torch.randn(2, 7, 5) for _ in range(4))
scale = q.shape[-1] ** -0.5
o, lse = torch.empty_like(q), torch.empty(2, 7)
for b in range(2):
    for m in range(0, 7, ROWS):
        rows = torch.arange(m, min(m + ROWS, 7))
        peak, total = torch.full((len(rows),), float("-inf")), torch.zeros(len(rows))
        acc = torch.zeros(len(rows), 5)
        for n in range(0, int(rows[-1]) + 1, COLS):
            cols = torch.arange(n, min(n + COLS, 7))
            s = q[b, rows] @ k[b, cols].T * (scale * LOG2E)
            s = torch.where(rows[:, None] >= cols[None, :], s, float("-inf"))
            new = torch.maximum(peak, s.max(1).values)
            p = torch.exp2(s - new[:, None])
            factor = torch.exp2(peak - new)
            total = total * factor + p.sum(1)
            acc = acc * factor[:, None] + p @ v[b, cols]
            peak = new
        o[b, rows] = acc / total[:, None]
        lse[b, rows] = peak + torch.log2(total)

delta = (o * do).sum(-1)
dq, dk, dv = (torch.zeros_like(t) for t in (q, k, v))
for b in range(2):
    for n in range(0, 7, COLS):
        cols = torch.arange(n, min(n + COLS, 7))
        for m in range(n // ROWS * ROWS, 7, ROWS):
            rows = torch.arange(m, min(m + ROWS, 7))
            s = q[b, rows] @ k[b, cols].T * (scale * LOG2E)
            p = torch.exp2(s - lse[b, rows][:, None])
            p = torch.where(rows[:, None] >= cols[None, :], p, 0.0)
            dv[b, cols] += p.T @ do[b, rows]
            ds = p * (do[b, rows] @ v[b, cols].T - delta[b, rows][:, None])
            dq[b, rows] += ds @ k[b, cols] * scale
            dk[b, cols] += ds.T @ q[b, rows] * scale
print(o.sum().item(), dq.sum().item(), dk.sum().item(), dv.sum().item())
