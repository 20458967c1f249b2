"""Cosine attention: queries and keys of length 1, a temperature of their own."""
import torch, torch.nn as nn, torch.nn.functional as F

class CosineAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.tau = 0.1

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        attn = (q @ k.transpose(-2, -1)) / self.tau
        attn = attn.softmax(dim=-1)
        return self.out((attn @ v).transpose(1, 2).reshape(b, n, c))

torch.manual_seed(1)
m = CosineAttention(12, 3).double()
x = torch.randn(2, 5, 12, dtype=torch.float64, requires_grad=True)
y = m(x)
loss = y.pow(2).mean()
loss.backward()
print(y.sum().item())
