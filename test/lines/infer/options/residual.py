"""The residual connection and the norm in the statement that projects the output."""
import torch
from torch import nn
class Enc(nn.Module):
    def __init__(self, c=8, h=2):
        super().__init__(); self.h = h
        self.q, self.k, self.v, self.o = (nn.Linear(c, c) for _ in range(4))
        self.norm = nn.LayerNorm(c)
    def forward(self, x):
        b, n, c = x.shape
        q, k, v = (f(x).view(b, n, self.h, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        a = torch.softmax(q @ k.transpose(-1, -2) / (c // self.h) ** 0.5, -1)
        return self.norm(x + self.o((a @ v).transpose(1, 2).reshape(b, n, c)))
torch.manual_seed(10)
e = Enc().double()
x = torch.randn(2, 5, 8, dtype=torch.double, requires_grad=True)
y = e(x)
y.backward(torch.randn_like(y))
print(y.sum().item())
