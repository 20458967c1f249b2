"""Cross attention with padding, in PyTorch with autograd."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Cross(nn.Module):
    def __init__(self, d_model, d_ctx, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(d_model, d_model)
        self.k = nn.Linear(d_ctx, d_model)
        self.v = nn.Linear(d_ctx, d_model)
        self.o = nn.Linear(d_model, d_model)

    def forward(self, x, context, valid):
        B, T, C = x.shape
        S = context.shape[1]
        d = C // self.heads
        q = self.q(x).view(B, T, self.heads, d).transpose(1, 2)
        k = self.k(context).view(B, S, self.heads, d).transpose(1, 2)
        v = self.v(context).view(B, S, self.heads, d).transpose(1, 2)
        scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(d)
        scores = scores.masked_fill(~valid[:, None, None, :], float("-inf"))
        probs = F.softmax(scores, dim=-1)
        mixed = torch.matmul(probs, v)
        mixed = mixed.transpose(1, 2).contiguous().view(B, T, C)
        return self.o(mixed)


torch.manual_seed(1)
B, T, S, C, E, H = 2, 4, 6, 12, 10, 3
model = Cross(C, E, H).double()
x = torch.randn(B, T, C, dtype=torch.float64)
context = torch.randn(B, S, E, dtype=torch.float64)
lengths = torch.tensor([4, 6])
valid = torch.arange(S)[None, :] < lengths[:, None]
target = torch.randn(B, T, C, dtype=torch.float64)
out = model(x, context, valid)
loss = F.mse_loss(out, target)
loss.backward()
print(loss.item(), model.q.weight.grad.abs().sum().item())
