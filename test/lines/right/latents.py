"""Learned latents, the same in each sequence, read padded sequences; bfloat16, with the softmax in single precision."""
import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self, dim, latent_dim, count, heads=3, dim_head=8):
        super().__init__()
        self.heads, self.scale = heads, dim_head**-0.5
        self.latents = nn.Parameter(torch.randn(count, latent_dim))
        self.to_q = nn.Linear(latent_dim, heads * dim_head, bias=False)
        self.to_kv = nn.Linear(dim, 2 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, latent_dim)

    def forward(self, x, mask):
        b, h = x.shape[0], self.heads
        latents = self.latents.unsqueeze(0).repeat(b, 1, 1)
        q = self.to_q(latents)
        k, v = self.to_kv(x).chunk(2, dim=-1)
        q, k, v = (t.reshape(b, t.shape[1], h, -1).transpose(1, 2) for t in (q, k, v))
        scores = (q @ k.transpose(-1, -2)).float() * self.scale
        scores = scores.masked_fill(~mask[:, None, None, :], -torch.finfo(scores.dtype).max)
        weights = scores.softmax(dim=-1).to(v.dtype)
        out = (weights @ v).transpose(1, 2).reshape(b, -1, h * v.shape[-1])
        return self.to_out(out)


torch.manual_seed(5)
model = Reader(10, 6, 4).to(torch.bfloat16)
x = torch.randn(2, 9, 10).to(torch.bfloat16).requires_grad_()
mask = torch.arange(9)[None, :] < torch.tensor([9, 5])[:, None]
target = torch.randn(2, 4, 6).to(torch.bfloat16)
out = model(x, mask)
loss = (out.float() - target.float()).pow(2).sum() / 2
loss.backward()
print(loss.item(), x.grad.float().norm().item())
