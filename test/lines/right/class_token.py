import torch
from torch import nn


class ViTSelfAttention(nn.Module):
    def __init__(self, dim=16, heads=4, dim_head=4):
        super().__init__()
        inner_dim = dim_head * heads
        self.heads = heads
        self.scale = dim_head ** -0.5
        self.norm = nn.LayerNorm(dim)
        self.attend = nn.Softmax(dim=-1)
        self.to_qkv = nn.Linear(dim, inner_dim * 3, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner_dim, dim), nn.Dropout(0.0))

    def forward(self, x):
        x = self.norm(x)
        b, n, _ = x.shape
        qkv = self.to_qkv(x).chunk(3, dim=-1)
        q, k, v = (t.reshape(b, n, self.heads, -1).transpose(1, 2) for t in qkv)
        dots = torch.matmul(q, k.transpose(-1, -2)) * self.scale
        attn = self.attend(dots)
        out = torch.matmul(attn, v)
        out = out.transpose(1, 2).reshape(b, n, -1)
        return self.to_out(out)


torch.manual_seed(1)
attn = ViTSelfAttention()
patches = torch.randn(2, 7, 16, requires_grad=True)
cls = nn.Parameter(torch.zeros(1, 1, 16) + 0.1)
tokens = torch.cat([cls.expand(2, -1, -1), patches], dim=1)
tokens = tokens + attn(tokens)
logits = tokens[:, 0].sum(-1)
loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([0.0, 1.0]))
loss.backward()
print(loss.item(), patches.grad.abs().mean().item())
