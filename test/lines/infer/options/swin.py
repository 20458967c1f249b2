"""Swin's windows: a table of differences of places, and -100 between regions, both added to the scores."""
import torch
from torch import nn


class WindowAttention(nn.Module):
    def __init__(self, dim=8, window=(2, 3), heads=2):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.relative_position_bias_table = nn.Parameter(torch.randn((2 * window[0] - 1) * (2 * window[1] - 1), heads))
        rows, cols = torch.meshgrid(torch.arange(window[0]), torch.arange(window[1]), indexing="ij")
        coords = torch.stack([rows, cols]).flatten(1)
        relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0).contiguous()
        relative[:, :, 0] += window[0] - 1
        relative[:, :, 1] += window[1] - 1
        relative[:, :, 0] *= 2 * window[1] - 1
        self.register_buffer("relative_position_index", relative.sum(-1))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, mask):
        windows, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(windows, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        attn = (q * self.scale) @ k.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)]
        bias = bias.view(tokens, tokens, -1).permute(2, 0, 1).contiguous()
        attn = attn + bias.unsqueeze(0)
        count = mask.shape[0]
        attn = attn.view(windows // count, count, self.heads, tokens, tokens) + mask.unsqueeze(1).unsqueeze(0)
        attn = attn.view(-1, self.heads, tokens, tokens).softmax(dim=-1)
        x = (attn @ v).transpose(1, 2).reshape(windows, tokens, dim)
        return self.proj(x)


torch.manual_seed(3)
regions = torch.tensor([[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 1]])
mask = regions[:, None, :] - regions[:, :, None]
mask = mask.double().masked_fill(mask != 0, -100.0)
module = WindowAttention().double()
x = torch.randn(4, 6, 8, dtype=torch.float64, requires_grad=True)
y = module(x, mask)
y.backward(torch.randn_like(y))
print(y.sum().item())
