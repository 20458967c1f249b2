"""nn.MultiheadAttention written out, with add_bias_kv and add_zero_attn, and three inputs of their own widths."""
import math
import torch
from torch import nn


class MultiheadAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, kdim, vdim):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, embed_dim // num_heads
        self.q_proj = nn.Linear(embed_dim, embed_dim)
        self.k_proj = nn.Linear(kdim, embed_dim)
        self.v_proj = nn.Linear(vdim, embed_dim)
        self.bias_k = nn.Parameter(torch.randn(1, 1, embed_dim))
        self.bias_v = nn.Parameter(torch.randn(1, 1, embed_dim))
        self.out_proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, query, key, value):
        tgt_len, bsz, embed_dim = query.shape
        q, k, v = self.q_proj(query), self.k_proj(key), self.v_proj(value)
        k = torch.cat([k, self.bias_k.repeat(1, bsz, 1)])
        v = torch.cat([v, self.bias_v.repeat(1, bsz, 1)])
        q = q.contiguous().view(tgt_len, bsz * self.num_heads, self.head_dim).transpose(0, 1)
        k = k.contiguous().view(k.shape[0], bsz * self.num_heads, self.head_dim).transpose(0, 1)
        v = v.contiguous().view(v.shape[0], bsz * self.num_heads, self.head_dim).transpose(0, 1)
        zero = torch.zeros((bsz * self.num_heads, 1, self.head_dim), dtype=k.dtype)
        k = torch.cat([k, zero], dim=1)
        v = torch.cat([v, zero], dim=1)
        q = q / math.sqrt(self.head_dim)
        attn_weights = torch.bmm(q, k.transpose(-2, -1))
        attn_weights = torch.softmax(attn_weights, dim=-1)
        attn_output = torch.bmm(attn_weights, v)
        attn_output = attn_output.transpose(0, 1).contiguous().view(tgt_len, bsz, embed_dim)
        return self.out_proj(attn_output)


torch.manual_seed(5)
mha = MultiheadAttention(6, 2, kdim=5, vdim=3).double()
query = torch.randn(3, 2, 6, dtype=torch.float64, requires_grad=True)
key = torch.randn(4, 2, 5, dtype=torch.float64, requires_grad=True)
value = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
out = mha(query, key, value)
out.backward(torch.randn_like(out))
print(out.sum().item())
