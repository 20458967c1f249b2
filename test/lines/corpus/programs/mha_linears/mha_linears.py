"""Multi-head attention from four nn.Linear, trained for one step on noise."""
import torch
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, h):
        super().__init__()
        assert d_model % h == 0
        self.d_k = d_model // h
        self.h = h
        self.linears = nn.ModuleList([nn.Linear(d_model, d_model) for _ in range(4)])
        self.attn = None

    def attention(self, query, key, value, mask=None):
        scores = torch.matmul(query, key.transpose(-2, -1)) / self.d_k ** 0.5
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -1e9)
        p_attn = scores.softmax(dim=-1)
        return torch.matmul(p_attn, value), p_attn

    def forward(self, query, key, value, mask=None):
        if mask is not None:
            mask = mask.unsqueeze(1)  # same mask for all heads
        nbatches = query.size(0)
        query, key, value = [
            lin(x).view(nbatches, -1, self.h, self.d_k).transpose(1, 2)
            for lin, x in zip(self.linears, (query, key, value))
        ]
        x, self.attn = self.attention(query, key, value, mask=mask)
        x = x.transpose(1, 2).contiguous().view(nbatches, -1, self.h * self.d_k)
        return self.linears[-1](x)


def subsequent_mask(size):
    upper = torch.triu(torch.ones(1, size, size), diagonal=1).type(torch.uint8)
    return upper == 0


torch.manual_seed(0)
model = MultiHeadAttention(d_model=16, h=4)
x = torch.randn(3, 7, 16, requires_grad=True)
target = torch.randn(3, 7, 16)
mask = subsequent_mask(7)
y = model(x, x, x, mask)
loss = ((y - target) ** 2).sum() / 2
loss.backward()
print("loss", loss.item())
print("x.grad", x.grad.norm().item())
print({n: round(p.grad.norm().item(), 4) for n, p in model.named_parameters() if p.grad is not None})
