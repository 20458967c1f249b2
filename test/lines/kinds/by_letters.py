# Gradients by hand under g and a letter, and autograd's beside them.
import torch

torch.manual_seed(17)
x, goal = torch.randn(5, 6).double().requires_grad_(), torch.randn(5, 3).double()
Wq, Wk, Wv = ((torch.randn(6, size).double() * 0.6).requires_grad_() for size in (4, 4, 3))

q, k, v = x @ Wq, x @ Wk, x @ Wv
t = torch.tanh(q @ k.t() / 4**0.5 / 2)
p = torch.softmax(2 * t, dim=1)
y = p @ v
loss = ((y - goal) ** 2).sum() / 2

with torch.no_grad():
    gy = y - goal
    gv, gp = p.t() @ gy, gy @ v.t()
    gz = p * (gp - (p * gp).sum(dim=1, keepdim=True))
    gs = gz * (1 - t**2)
    gq, gk = gs @ k / 4**0.5, gs.t() @ q / 4**0.5
    gWq, gWk, gWv = x.t() @ gq, x.t() @ gk, x.t() @ gv
    gx = gq @ Wq.t() + gk @ Wk.t() + gv @ Wv.t()

for own, other in zip((gx, gWq, gWk, gWv), torch.autograd.grad(loss, [x, Wq, Wk, Wv])):
    print((own - other).abs().max().item())
