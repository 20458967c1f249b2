# Grouped-query attention with rotary embedding by complex multiplication (as in the first LLaMA code).
import torch
from torch import nn


def precompute_freqs_cis(dim, end, theta=10000.0):
    freqs = 1.0 / (theta ** (torch.arange(0, dim, 2)[: dim // 2].double() / dim))
    t = torch.arange(end).double()
    freqs = torch.outer(t, freqs)
    return torch.polar(torch.ones_like(freqs), freqs)


def apply_rotary_emb(xq, xk, freqs_cis):
    xq_ = torch.view_as_complex(xq.reshape(*xq.shape[:-1], -1, 2))
    xk_ = torch.view_as_complex(xk.reshape(*xk.shape[:-1], -1, 2))
    freqs_cis = freqs_cis[None, :, None, :]
    xq_out = torch.view_as_real(xq_ * freqs_cis).flatten(3)
    xk_out = torch.view_as_real(xk_ * freqs_cis).flatten(3)
    return xq_out, xk_out


def repeat_kv(x, n_rep):
    bs, slen, n_kv_heads, head_dim = x.shape
    if n_rep == 1:
        return x
    return x[:, :, :, None, :].expand(bs, slen, n_kv_heads, n_rep, head_dim).reshape(bs, slen, n_kv_heads * n_rep, head_dim)


class Attention(nn.Module):
    def __init__(self, dim, n_heads, n_kv_heads, head_dim):
        super().__init__()
        self.n_heads, self.n_kv_heads, self.head_dim = n_heads, n_kv_heads, head_dim
        self.n_rep = n_heads // n_kv_heads
        self.wq = nn.Parameter(torch.randn(dim, n_heads * head_dim).double() * dim ** -0.5)
        self.wk = nn.Parameter(torch.randn(dim, n_kv_heads * head_dim).double() * dim ** -0.5)
        self.wv = nn.Parameter(torch.randn(dim, n_kv_heads * head_dim).double() * dim ** -0.5)
        self.wo = nn.Parameter(torch.randn(n_heads * head_dim, dim).double() * dim ** -0.5)

    def forward(self, x, freqs_cis, mask):
        bsz, seqlen, _ = x.shape
        xq, xk, xv = x @ self.wq, x @ self.wk, x @ self.wv
        xq = xq.view(bsz, seqlen, self.n_heads, self.head_dim)
        xk = xk.view(bsz, seqlen, self.n_kv_heads, self.head_dim)
        xv = xv.view(bsz, seqlen, self.n_kv_heads, self.head_dim)
        xq, xk = apply_rotary_emb(xq, xk, freqs_cis)
        keys = repeat_kv(xk, self.n_rep)
        values = repeat_kv(xv, self.n_rep)
        scores = torch.einsum("bqhd,bkhd->bhqk", xq, keys) * self.head_dim ** -0.5
        scores = scores + mask
        probs = scores.softmax(-1)
        output = torch.einsum("bhqk,bkhd->bqhd", probs, values).reshape(bsz, seqlen, -1)
        return output @ self.wo


torch.manual_seed(1234)
T = 6
model = Attention(dim=10, n_heads=4, n_kv_heads=2, head_dim=4)
x = torch.randn(1, T, 10, dtype=torch.float64, requires_grad=True)
mask = torch.full((T, T), float("-inf")).triu(1)
freqs = precompute_freqs_cis(4, T, theta=100.0)
y = model(x, freqs, mask)
loss = 0.5 * (y ** 2).sum()
loss.backward()
print("loss %.8f" % loss.item())
print("dx %.8f" % x.grad.abs().sum().item())
for name, p in model.named_parameters():
    print(name, "none" if p.grad is None else "%.8f" % p.grad.abs().sum().item())
