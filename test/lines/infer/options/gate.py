"""Qwen3-Next: what the heads give goes through a gate, a sigmoid of what the same tokens are projected to."""
import torch
from torch import nn


class GatedAttention(nn.Module):
    def __init__(self, hidden, heads, head_dim):
        super().__init__()
        self.heads, self.head_dim = heads, head_dim
        self.q_proj = nn.Linear(hidden, heads * head_dim, bias=False)
        self.g_proj = nn.Linear(hidden, heads * head_dim, bias=False)
        self.k_proj = nn.Linear(hidden, heads * head_dim, bias=False)
        self.v_proj = nn.Linear(hidden, heads * head_dim, bias=False)
        self.o_proj = nn.Linear(heads * head_dim, hidden, bias=False)

    def forward(self, x):
        b, t, _ = x.shape
        shape = (b, t, self.heads, self.head_dim)
        query = self.q_proj(x).view(shape).transpose(1, 2)
        gate = self.g_proj(x)
        key = self.k_proj(x).view(shape).transpose(1, 2)
        value = self.v_proj(x).view(shape).transpose(1, 2)
        weights = query @ key.transpose(2, 3) * self.head_dim**-0.5
        weights = weights.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float("-inf"))
        weights = torch.softmax(weights, dim=-1)
        attn_output = (weights @ value).transpose(1, 2).reshape(b, t, -1)
        attn_output = attn_output * torch.sigmoid(gate)
        return self.o_proj(attn_output)


torch.manual_seed(6)
module = GatedAttention(8, 2, 5).double()
x = torch.randn(2, 6, 8, dtype=torch.float64, requires_grad=True)
y = module(x)
loss = (y * torch.randn_like(y)).sum()
loss.backward()
print(y.sum().item())
