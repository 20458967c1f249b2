"""Differential attention whose share is one learned number, with nothing after the heads."""
import math, torch
from torch import nn
class DiffAttn(nn.Module):
    def __init__(self, c=8, h=2):
        super().__init__()
        self.h, self.d = h, c // h // 2
        self.q, self.k, self.v, self.o = (nn.Linear(c, c, bias=False) for _ in range(4))
        self.lam = nn.Parameter(torch.randn(1))
    def forward(self, x):
        b, t, c = x.shape
        q = self.q(x).view(b, t, 2 * self.h, self.d).transpose(1, 2)
        k = self.k(x).view(b, t, 2 * self.h, self.d).transpose(1, 2)
        v = self.v(x).view(b, t, self.h, 2 * self.d).transpose(1, 2)
        a = (q @ k.transpose(-1, -2) / math.sqrt(self.d)).softmax(-1)
        a = a.view(b, self.h, 2, t, t)
        a = a[:, :, 0] - self.lam * a[:, :, 1]
        return self.o((a @ v).transpose(1, 2).reshape(b, t, c))
torch.manual_seed(6)
m = DiffAttn().double()
x = torch.randn(2, 5, 8, dtype=torch.double, requires_grad=True)
y = m(x); y.square().mean().backward()
print(y.sum().item())
