# Autograd beside a backward pass written out, step by step through the sum of a softmax.
import torch

torch.manual_seed(14)
torch.set_default_dtype(torch.float64)
n, width = 5, 4
x = torch.randn(n, width, requires_grad=True)
w_q, w_k, w_v = (torch.randn(width, width, requires_grad=True) for _ in range(3))
goal = torch.randn(n, width)

q, k, v = x @ w_q, x @ w_k, x @ w_v
z = q @ k.T / width**0.5
e = (z - z.max(1, keepdim=True).values.detach()).exp()
e_sum = e.sum(1, keepdim=True)
e_sum_inv = e_sum**-1
p = e * e_sum_inv
y = p @ v
loss = ((y - goal) ** 2).sum() / 2
for t in (q, k, v, z, e, e_sum, e_sum_inv, p, y):
    t.retain_grad()
loss.backward()

with torch.no_grad():
    dy = y - goal
    dp = dy @ v.T
    dv = p.T @ dy
    de = dp * e_sum_inv
    de_sum_inv = (dp * e).sum(1, keepdim=True)
    de_sum = -(e_sum**-2) * de_sum_inv
    de += torch.ones_like(e) * de_sum
    dz = e * de
    ds = dz / width**0.5
    dq = ds @ k
    dk = ds.T @ q
    dw_q, dw_k, dw_v = x.T @ dq, x.T @ dk, x.T @ dv
    dx = dq @ w_q.T + dk @ w_k.T + dv @ w_v.T

for mine, theirs in ((dx, x), (dw_q, w_q), (dw_k, w_k), (dw_v, w_v), (dz, z), (dp, p)):
    print((mine - theirs.grad).abs().max().item())
