import torch
import torch.nn as nn
import torch.nn.functional as F
from types import SimpleNamespace


def rotate_half(x):
    x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat((-x2, x1), dim=-1)


def rope_tables(seq_len, dim, theta):
    inv_freq = 1.0 / (theta ** (torch.arange(0, dim, 2).double() / dim))
    angles = torch.outer(torch.arange(seq_len).double(), inv_freq)
    emb = torch.cat((angles, angles), dim=-1)
    return emb.cos(), emb.sin()


class LlamaAttention(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.head_dim = cfg.hidden // cfg.heads
        self.q_proj = nn.Linear(cfg.hidden, cfg.heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(cfg.hidden, cfg.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(cfg.hidden, cfg.kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(cfg.heads * self.head_dim, cfg.hidden, bias=False)

    def forward(self, hidden_states):
        bsz, q_len, _ = hidden_states.size()
        q = self.q_proj(hidden_states).view(bsz, q_len, self.cfg.heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(hidden_states).view(bsz, q_len, self.cfg.kv_heads, self.head_dim).transpose(1, 2)
        v = self.v_proj(hidden_states).view(bsz, q_len, self.cfg.kv_heads, self.head_dim).transpose(1, 2)
        cos, sin = rope_tables(q_len, self.head_dim, self.cfg.theta)
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        n_rep = self.cfg.heads // self.cfg.kv_heads
        k = torch.repeat_interleave(k, n_rep, dim=1)
        v = torch.repeat_interleave(v, n_rep, dim=1)
        scores = q @ k.transpose(2, 3) / self.head_dim ** 0.5
        causal = torch.full((q_len, q_len), float("-inf"), dtype=scores.dtype).triu(1)
        scores = scores + causal
        probs = F.softmax(scores, dim=-1)
        ctx = probs @ v
        ctx = ctx.transpose(1, 2).reshape(bsz, q_len, -1)
        return self.o_proj(ctx)


torch.manual_seed(2)
cfg = SimpleNamespace(hidden=24, heads=6, kv_heads=2, theta=10000.0)
layer = LlamaAttention(cfg).double()
h = torch.randn(2, 5, cfg.hidden, dtype=torch.float64, requires_grad=True)
out = layer(h)
g = torch.randn_like(out)
out.backward(g)
print("out", out.sum().item(), "dh", h.grad.pow(2).sum().sqrt().item())
for name, p in layer.named_parameters():
    print(name, "no gradient" if p.grad is None else p.grad.pow(2).sum().sqrt().item())
