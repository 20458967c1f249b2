"""A learned temperature for each head: logits times exp(tau), as Swin V2 without cosine; here the scale itself."""
import torch
from torch import nn
torch.manual_seed(44); torch.set_default_dtype(torch.float64)
class Attn(nn.Module):
    def __init__(self, c=8, h=2):
        super().__init__()
        self.h = h
        self.qkv = nn.Linear(c, 3 * c, bias=False)
        self.proj = nn.Linear(c, c)
        self.logit_scale = nn.Parameter(0.5 + 0.2 * torch.rand(h, 1, 1))
    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.h, c // self.h).permute(2, 0, 3, 1, 4)
        attn = (q @ k.transpose(-2, -1)) * self.logit_scale
        attn = attn.softmax(-1)
        return self.proj((attn @ v).transpose(1, 2).reshape(b, n, c))
m = Attn()
x = torch.randn(2, 5, 8, requires_grad=True)
y = m(x)
(0.5 * y ** 2).sum().backward()
print(y.sum().item())
