"""A gate for each head."""
import torch
from torch import nn
class A(nn.Module):
    def __init__(self, c=8, h=2):
        super().__init__()
        self.h = h
        self.qkv = nn.Linear(c, 3 * c)
        self.gate = nn.Linear(c, h)
        self.out = nn.Linear(c, c)
    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (a.view(b, t, self.h, -1).transpose(1, 2) for a in (q, k, v))
        att = (q @ k.transpose(-2, -1)) / (c // self.h) ** 0.5
        att = att.softmax(-1)
        o = att @ v
        g = torch.sigmoid(self.gate(x)).transpose(1, 2).unsqueeze(-1)
        o = o * g
        return self.out(o.transpose(1, 2).reshape(b, t, c))
torch.manual_seed(4)
m = A().double()
x = torch.randn(2, 5, 8, dtype=torch.double, requires_grad=True)
y = m(x)
y.backward(torch.randn_like(y))
print(y.sum().item())
