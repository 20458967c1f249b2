"""A Gemma 3 layer's attention: a norm before it, one of its output, then the residual connection; gains from 1."""
import torch
from torch import nn


class GemmaRMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(0.2 * torch.randn(dim))

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        output = self._norm(x)
        return output * (1.0 + self.weight)


class Layer(nn.Module):
    def __init__(self, hidden=6, heads=2, head_dim=4, query_pre_attn_scalar=5, sliding_window=3):
        super().__init__()
        self.heads, self.head_dim, self.sliding_window = heads, head_dim, sliding_window
        self.scaling = query_pre_attn_scalar**-0.5
        self.q_proj = nn.Linear(hidden, heads * head_dim, bias=False)
        self.k_proj = nn.Linear(hidden, head_dim, bias=False)
        self.v_proj = nn.Linear(hidden, head_dim, bias=False)
        self.o_proj = nn.Linear(heads * head_dim, hidden, bias=False)
        self.q_norm, self.k_norm = GemmaRMSNorm(head_dim), GemmaRMSNorm(head_dim)
        self.input_layernorm, self.post_attention_layernorm = GemmaRMSNorm(hidden), GemmaRMSNorm(hidden)

    def attention(self, x):
        b, t, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(b, t, -1, self.head_dim).transpose(1, 2))
        k = self.k_norm(self.k_proj(x).view(b, t, -1, self.head_dim).transpose(1, 2))
        v = self.v_proj(x).view(b, t, -1, self.head_dim).transpose(1, 2)
        scores = q @ k.transpose(-1, -2) * self.scaling
        i = torch.arange(t)
        seen = (i[None] <= i[:, None]) & (i[:, None] - i[None] < self.sliding_window)
        probs = scores.masked_fill(~seen, float("-inf")).softmax(-1)
        return self.o_proj((probs @ v).transpose(1, 2).reshape(b, t, -1))

    def forward(self, hidden_states):
        residual = hidden_states
        hidden_states = self.input_layernorm(hidden_states)
        hidden_states = self.attention(hidden_states)
        hidden_states = self.post_attention_layernorm(hidden_states)
        return residual + hidden_states


torch.manual_seed(17)
layer = Layer().double()
x = torch.randn(2, 6, 6, dtype=torch.float64, requires_grad=True)
y = layer(x)
y.backward(torch.randn_like(y))
print(y.sum().item())
