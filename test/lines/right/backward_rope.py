"""Norm after the rotation, without gains, as nanochat does."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def norm(x):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


def apply_rotary_emb(x, cos, sin):
    d = x.shape[3] // 2
    x1, x2 = x[..., :d], x[..., d:]
    y1 = x1 * cos + x2 * sin
    y2 = x1 * (-sin) + x2 * cos
    return torch.cat([y1, y2], 3)


class CausalSelfAttention(nn.Module):
    def __init__(self, n_embd=12, n_head=3, n_kv_head=3):
        super().__init__()
        self.n_head, self.n_kv_head, self.head_dim = n_head, n_kv_head, n_embd // n_head
        self.c_q = nn.Linear(n_embd, n_embd, bias=False)
        self.c_k = nn.Linear(n_embd, n_embd, bias=False)
        self.c_v = nn.Linear(n_embd, n_embd, bias=False)
        self.c_proj = nn.Linear(n_embd, n_embd, bias=False)

    def forward(self, x, cos_sin):
        B, T, C = x.size()
        q = self.c_q(x).view(B, T, self.n_head, self.head_dim)
        k = self.c_k(x).view(B, T, self.n_kv_head, self.head_dim)
        v = self.c_v(x).view(B, T, self.n_kv_head, self.head_dim)
        cos, sin = cos_sin
        q, k = apply_rotary_emb(q, cos, sin), apply_rotary_emb(k, cos, sin)
        q, k = norm(q), norm(k)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (self.head_dim ** -0.5)
        att = att.masked_fill(torch.tril(torch.ones(T, T)) == 0, float("-inf"))
        att = F.softmax(att, dim=-1)
        y = (att @ v).transpose(1, 2).contiguous().view(B, T, -1)
        return self.c_proj(y)


torch.set_default_dtype(torch.float64)
torch.manual_seed(8)
T, hd = 6, 4
channel_range = torch.arange(0, hd, 2, dtype=torch.float64)
inv_freq = 1.0 / (10000 ** (channel_range / hd))
t = torch.arange(T, dtype=torch.float64)
freqs = torch.outer(t, inv_freq)
cos, sin = freqs.cos()[None, :, None, :], freqs.sin()[None, :, None, :]
m = CausalSelfAttention()
x = torch.randn(2, T, 12, requires_grad=True)
y = m(x, (cos, sin))
y.square().mean().backward()
print(y.sum().item())
