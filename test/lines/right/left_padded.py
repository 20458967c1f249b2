"""Batched generation with left padding: position ids from the attention mask, a padding mask and a causal one."""
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.manual_seed(14)
B, T, C, H = 2, 6, 12, 2
D = C // H
attention_mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
position_ids = attention_mask.cumsum(-1) - 1
position_ids = position_ids.masked_fill(attention_mask == 0, 1)
q_proj, k_proj, v_proj, o_proj = (nn.Linear(C, C, bias=False) for _ in range(4))
hidden = torch.randn(B, T, C, requires_grad=True)
inv_freq = 1.0 / (10000 ** (torch.arange(0, D, 2) / D))
freqs = position_ids[:, :, None] * inv_freq
emb = torch.cat((freqs, freqs), -1)[:, None]
cos, sin = emb.cos(), emb.sin()


def rotate_half(x):
    return torch.cat((-x[..., D // 2 :], x[..., : D // 2]), -1)


q = q_proj(hidden).view(B, T, H, D).transpose(1, 2)
k = k_proj(hidden).view(B, T, H, D).transpose(1, 2)
v = v_proj(hidden).view(B, T, H, D).transpose(1, 2)
q = q * cos + rotate_half(q) * sin
k = k * cos + rotate_half(k) * sin
scores = q @ k.transpose(-1, -2) / D ** 0.5
causal = torch.tril(torch.ones(T, T, dtype=torch.bool))
keep = causal[None, None] & attention_mask[:, None, None, :].bool()
scores = scores.masked_fill(~keep, torch.finfo(scores.dtype).min)
probs = scores.softmax(-1)
out = (probs @ v).transpose(1, 2).reshape(B, T, C)
y = o_proj(out)
loss = (y * attention_mask[..., None]).pow(2).sum() / 2
loss.backward()
print(loss.item())
