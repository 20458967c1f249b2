"""Rotary embedding of an image: rows and columns turn other pairs of features."""
import torch
from torch import nn
def freqs2d(dim, h, w, theta=100.0):
    f = 1.0 / theta ** (torch.arange(0, dim, 4)[: dim // 4].double() / dim)
    t = torch.arange(h * w)
    tx, ty = (t % w).double(), torch.div(t, w, rounding_mode="floor").double()
    fx, fy = torch.outer(tx, f), torch.outer(ty, f)
    return torch.cat([torch.polar(torch.ones_like(fx), fx), torch.polar(torch.ones_like(fy), fy)], -1)
def apply(x, fc):
    x_ = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(x_ * fc).flatten(3)
torch.manual_seed(12)
B, H, h, w, d = 2, 2, 2, 3, 8
c = H * d
x = torch.randn(B, h * w, c, dtype=torch.double, requires_grad=True)
qkv, proj = nn.Linear(c, 3 * c).double(), nn.Linear(c, c).double()
q, k, v = qkv(x).reshape(B, h * w, 3, H, d).permute(2, 0, 3, 1, 4).unbind(0)
fc = freqs2d(d, h, w)
q, k = apply(q.contiguous(), fc), apply(k.contiguous(), fc)
a = (q * d ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
y = proj((a @ v).transpose(1, 2).reshape(B, h * w, c))
y.backward(torch.randn_like(y))
print(y.sum().item())
