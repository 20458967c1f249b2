"""Causal scaled dot-product attention as an autograd.Function; only the log-sum-exp is kept for the backward pass."""
import math

import torch


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, q, k, v):
        scale = 1.0 / math.sqrt(q.shape[-1])
        T = q.shape[-2]
        mask = torch.tril(torch.ones(T, T, dtype=torch.bool))
        s = q @ k.transpose(-1, -2) * scale
        s = s.masked_fill(~mask, float("-inf"))
        lse = torch.logsumexp(s, dim=-1, keepdim=True)
        p = torch.exp(s - lse)
        o = p @ v
        ctx.save_for_backward(q, k, v, o, lse, mask)
        ctx.scale = scale
        return o

    @staticmethod
    def backward(ctx, do):
        q, k, v, o, lse, mask = ctx.saved_tensors
        s = q @ k.transpose(-1, -2) * ctx.scale
        s = s.masked_fill(~mask, float("-inf"))
        p = torch.exp(s - lse)
        dv = p.transpose(-1, -2) @ do
        dp = do @ v.transpose(-1, -2)
        delta = (do * o).sum(dim=-1, keepdim=True)
        ds = p * (dp - delta)
        dq = ds @ k * ctx.scale
        dk = ds.transpose(-1, -2) @ q * ctx.scale
        return dq, dk, dv


torch.manual_seed(0)
B, H, T, dh = 2, 3, 6, 4
q = torch.randn(B, H, T, dh, dtype=torch.float64, requires_grad=True)
k = torch.randn(B, H, T, dh, dtype=torch.float64, requires_grad=True)
v = torch.randn(B, H, T, dh, dtype=torch.float64, requires_grad=True)
out = Attention.apply(q, k, v)
weight = torch.randn(B, H, T, dh, dtype=torch.float64)
loss = (out * weight).sum()
loss.backward()
print(loss.item(), q.grad.abs().sum().item())
