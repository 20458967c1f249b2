# Rotary embeddings by complex numbers, forward and backward.
import torch

torch.manual_seed(9)
torch.set_default_dtype(torch.float64)
n, width, size = 5, 6, 4


def rotated(x, turns):
    pairs = torch.view_as_complex(x.reshape(n, size // 2, 2))
    return torch.view_as_real(pairs * turns).reshape(n, size)


x = torch.randn(n, width)
w_q, w_k, w_v = (torch.randn(width, size) for _ in range(3))
dy = torch.randn(n, size)
angles = torch.outer(torch.arange(n).double(), 10000.0 ** -(torch.arange(0, size, 2) / size))
turns = torch.polar(torch.ones_like(angles), angles)
q, k, v = rotated(x @ w_q, turns), rotated(x @ w_k, turns), x @ w_v
p = torch.softmax(q @ k.T / 2, dim=-1)
y = p @ v
dv = p.T @ dy
dp = dy @ v.T
ds = p * (dp - (p * dp).sum(-1, keepdim=True)) / 2
dq = rotated(ds @ k, turns.conj())
dk = rotated(ds.T @ q, turns.conj())
dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T
