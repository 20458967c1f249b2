"""T5's encoder: no scale, a learned number for each bucket of distances and head, padded batches."""
import math
import torch
from torch import nn


class T5Attention(nn.Module):
    def __init__(self, d_model=6, n_heads=2, d_kv=4, buckets=8, max_distance=16):
        super().__init__()
        self.n_heads, self.d_kv, self.buckets, self.max_distance = n_heads, d_kv, buckets, max_distance
        self.q = nn.Linear(d_model, n_heads * d_kv, bias=False)
        self.k = nn.Linear(d_model, n_heads * d_kv, bias=False)
        self.v = nn.Linear(d_model, n_heads * d_kv, bias=False)
        self.o = nn.Linear(n_heads * d_kv, d_model, bias=False)
        self.relative_attention_bias = nn.Embedding(buckets, n_heads)

    def bucket(self, relative_position):
        num_buckets = self.buckets // 2
        relative_buckets = (relative_position > 0).long() * num_buckets
        relative_position = torch.abs(relative_position)
        max_exact = num_buckets // 2
        is_small = relative_position < max_exact
        large = max_exact + (
            torch.log(relative_position.float() / max_exact)
            / math.log(self.max_distance / max_exact)
            * (num_buckets - max_exact)
        ).long()
        large = torch.min(large, torch.full_like(large, num_buckets - 1))
        return relative_buckets + torch.where(is_small, relative_position, large)

    def compute_bias(self, length):
        context = torch.arange(length)[:, None]
        memory = torch.arange(length)[None, :]
        values = self.relative_attention_bias(self.bucket(memory - context))
        return values.permute(2, 0, 1).unsqueeze(0)

    def forward(self, hidden_states, attention_mask):
        batch, length, _ = hidden_states.shape
        shape = lambda states: states.view(batch, -1, self.n_heads, self.d_kv).transpose(1, 2)
        query_states = shape(self.q(hidden_states))
        key_states = shape(self.k(hidden_states))
        value_states = shape(self.v(hidden_states))
        scores = torch.matmul(query_states, key_states.transpose(3, 2))
        extended = (1.0 - attention_mask[:, None, None, :]) * torch.finfo(scores.dtype).min
        position_bias = self.compute_bias(length) + extended
        scores = scores + position_bias
        attn_weights = nn.functional.softmax(scores, dim=-1)
        attn_output = torch.matmul(attn_weights, value_states)
        attn_output = attn_output.transpose(1, 2).contiguous().view(batch, -1, self.n_heads * self.d_kv)
        return self.o(attn_output)


torch.manual_seed(13)
layer = T5Attention().double()
hidden = torch.randn(2, 6, 6, dtype=torch.float64, requires_grad=True)
lengths = torch.tensor([6, 4])
attention_mask = (torch.arange(6)[None, :] < lengths[:, None]).double()
out = layer(hidden, attention_mask)
upstream = torch.randn_like(out)
out.backward(upstream)
print(out.sum().item())
