"""Gemma 2's local layers: grouped queries, soft-capped logits, a sliding window."""
import torch
import torch.nn as nn

CAP = 2.0
WINDOW = 3


def soft_cap(logits, cap):
    return cap * torch.tanh(logits / cap)


class LocalAttention(nn.Module):
    def __init__(self, dim, q_heads, kv_heads, head_dim, query_pre_attn_scalar):
        super().__init__()
        self.q_heads, self.kv_heads, self.head_dim = q_heads, kv_heads, head_dim
        self.scaling = query_pre_attn_scalar ** -0.5
        self.qkv_proj = nn.Linear(dim, (q_heads + 2 * kv_heads) * head_dim, bias=False)
        self.o_proj = nn.Linear(q_heads * head_dim, dim, bias=False)

    def forward(self, hidden):
        b, t, _ = hidden.shape
        q_size = self.q_heads * self.head_dim
        kv_size = self.kv_heads * self.head_dim
        xq, xk, xv = self.qkv_proj(hidden).split([q_size, kv_size, kv_size], dim=-1)
        xq = xq.view(b, t, self.q_heads, self.head_dim)
        xk = xk.view(b, t, self.kv_heads, self.head_dim)
        xv = xv.view(b, t, self.kv_heads, self.head_dim)
        groups = self.q_heads // self.kv_heads
        xk = torch.repeat_interleave(xk, groups, dim=2)
        xv = torch.repeat_interleave(xv, groups, dim=2)
        q = xq.transpose(1, 2) * self.scaling
        k, v = xk.transpose(1, 2), xv.transpose(1, 2)
        logits = soft_cap(torch.matmul(q, k.transpose(2, 3)), CAP)
        ones = torch.ones(t, t)
        visible = torch.tril(ones) * torch.triu(ones, -(WINDOW - 1))
        logits = torch.where(visible == 1, logits, torch.tensor(-2.3819763e38))
        probs = torch.softmax(logits, dim=-1)
        out = torch.matmul(probs, v).transpose(1, 2).contiguous().view(b, t, -1)
        return self.o_proj(out)


def main():
    torch.manual_seed(9)
    attn = LocalAttention(dim=14, q_heads=4, kv_heads=2, head_dim=5, query_pre_attn_scalar=2)
    hidden = torch.randn(2, 8, 14, requires_grad=True)
    labels = torch.randn(2, 8, 14)
    out = attn(hidden)
    loss = 0.5 * (out - labels).pow(2).sum()
    loss.backward()
    print(f"loss={loss.item():.4f} hidden={hidden.grad.norm().item():.5f}")
    for name, p in attn.named_parameters():
        print(f"{name}={p.grad.norm().item():.5f}")


main()
