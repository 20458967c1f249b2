"""Llama 3.1: frequencies of slow pairs are divided, those between are blended; complex numbers."""
import math
import torch


def apply_scaling(freqs, scale_factor=8, low_freq_factor=1, high_freq_factor=4, old_context_len=64):
    low_freq_wavelen = old_context_len / low_freq_factor
    high_freq_wavelen = old_context_len / high_freq_factor
    new_freqs = []
    for freq in freqs:
        wavelen = 2 * math.pi / freq
        if wavelen < high_freq_wavelen:
            new_freqs.append(freq)
        elif wavelen > low_freq_wavelen:
            new_freqs.append(freq / scale_factor)
        else:
            smooth = (old_context_len / wavelen - low_freq_factor) / (high_freq_factor - low_freq_factor)
            new_freqs.append((1 - smooth) * freq / scale_factor + smooth * freq)
    return torch.tensor(new_freqs, dtype=freqs.dtype)


def precompute_freqs_cis(dim, end, theta):
    freqs = 1.0 / (theta ** (torch.arange(0, dim, 2).double() / dim))
    freqs = apply_scaling(freqs)
    t = torch.arange(end).double()
    freqs = torch.outer(t, freqs)
    return torch.polar(torch.ones_like(freqs), freqs)


def apply_rotary_emb(x, freqs_cis):
    x_ = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(x_ * freqs_cis[None, :, None]).flatten(3)


def repeat_kv(x, n_rep):
    bs, slen, n_kv_heads, head_dim = x.shape
    x = x[:, :, :, None, :].expand(bs, slen, n_kv_heads, n_rep, head_dim)
    return x.reshape(bs, slen, n_kv_heads * n_rep, head_dim)


torch.manual_seed(9)
bsz, seqlen, dim, n_heads, n_kv_heads, head_dim = 2, 6, 10, 4, 2, 8
x = torch.randn(bsz, seqlen, dim, dtype=torch.float64, requires_grad=True)
wq = torch.randn(dim, n_heads * head_dim, dtype=torch.float64, requires_grad=True)
wk = torch.randn(dim, n_kv_heads * head_dim, dtype=torch.float64, requires_grad=True)
wv = torch.randn(dim, n_kv_heads * head_dim, dtype=torch.float64, requires_grad=True)
wo = torch.randn(n_heads * head_dim, dim, dtype=torch.float64, requires_grad=True)

xq, xk, xv = x @ wq, x @ wk, x @ wv
xq = xq.view(bsz, seqlen, n_heads, head_dim)
xk = xk.view(bsz, seqlen, n_kv_heads, head_dim)
xv = xv.view(bsz, seqlen, n_kv_heads, head_dim)
freqs_cis = precompute_freqs_cis(head_dim, seqlen, 500.0)
xq, xk = apply_rotary_emb(xq, freqs_cis), apply_rotary_emb(xk, freqs_cis)
keys, values = repeat_kv(xk, n_heads // n_kv_heads), repeat_kv(xv, n_heads // n_kv_heads)
xq, keys, values = xq.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
scores = torch.matmul(xq, keys.transpose(2, 3)) / math.sqrt(head_dim)
scores = scores + torch.full((seqlen, seqlen), float("-inf"), dtype=torch.float64).triu(1)
scores = torch.softmax(scores, dim=-1)
output = torch.matmul(scores, values)
output = output.transpose(1, 2).contiguous().view(bsz, seqlen, -1)
y = output @ wo
loss = (y**2).mean()
loss.backward()
print(y.sum().item())
