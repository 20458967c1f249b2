"""GPT-2's attention with a causal mask and, added to it, one of padding, both the least number of the type."""
import torch
import torch.nn as nn

torch.manual_seed(0)


class Conv1D(nn.Module):
    def __init__(self, nf, nx):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(nx, nf) * 0.2)
        self.bias = nn.Parameter(torch.zeros(nf))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], -1)


class GPT2Attention(nn.Module):
    def __init__(self, n_embd, n_head, n_ctx):
        super().__init__()
        self.num_heads, self.head_dim, self.split_size = n_head, n_embd // n_head, n_embd
        self.register_buffer("bias", torch.tril(torch.ones(n_ctx, n_ctx, dtype=torch.bool)).view(1, 1, n_ctx, n_ctx))
        self.c_attn, self.c_proj = Conv1D(3 * n_embd, n_embd), Conv1D(n_embd, n_embd)

    def _attn(self, query, key, value, attention_mask=None):
        w = torch.matmul(query, key.transpose(-1, -2)) / value.size(-1) ** 0.5
        n, m = query.size(-2), key.size(-2)
        w = torch.where(self.bias[:, :, m - n:m, :m], w, torch.finfo(w.dtype).min)
        if attention_mask is not None:
            w = w + attention_mask
        w = torch.softmax(w, dim=-1)
        return torch.matmul(w, value), w

    def forward(self, x, attention_mask=None):
        q, k, v = self.c_attn(x).split(self.split_size, dim=2)
        split = lambda t: t.view(*t.shape[:-1], self.num_heads, self.head_dim).permute(0, 2, 1, 3)
        out, _ = self._attn(split(q), split(k), split(v), attention_mask)
        out = out.permute(0, 2, 1, 3).contiguous()
        return self.c_proj(out.view(*out.shape[:-2], -1))


attn = GPT2Attention(12, 3, 16)
x = torch.randn(2, 7, 12, requires_grad=True)
keep = torch.tensor([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 0]])
mask = (1.0 - keep[:, None, None, :].float()) * torch.finfo(torch.float32).min
y = attn(x, mask)
loss = y.pow(2).mean()
loss.backward()
print(loss.item(), x.grad.norm().item())
