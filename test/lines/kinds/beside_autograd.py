# A backward pass by hand, held against autograd's at the end.
import torch

torch.manual_seed(83)
x, gy = torch.randn(5, 7).double(), torch.randn(5, 3).double()
wq, wk, wv = (torch.randn(7, size).double() * 0.6 for size in (3, 3, 3))


def forward(x, wq, wk, wv):
    q, k, v = x @ wq, x @ wk, x @ wv
    p = torch.softmax(q @ k.t() / 3**0.5, dim=1)
    return p @ v, (q, k, v, p)


def backward(gy, saved):
    q, k, v, p = saved
    gv, gp = p.t() @ gy, gy @ v.t()
    gs = p * (gp - (p * gp).sum(dim=1, keepdim=True))
    gz = gs / 3**0.5
    gq, gk = gz @ k, gz.t() @ q
    return gq @ wq.t() + gk @ wk.t() + gv @ wv.t(), x.t() @ gq, x.t() @ gk, x.t() @ gv


y, saved = forward(x, wq, wk, wv)
mine = backward(gy, saved)
leaves = [each.clone().requires_grad_(True) for each in (x, wq, wk, wv)]
forward(*leaves)[0].backward(gy)
for own, leaf in zip(mine, leaves):
    print((own - leaf.grad).abs().max().item())
