"""BLOOM-like attention: one fused projection, ALiBi instead of positions."""
import math
import torch
import torch.nn as nn


def alibi_slopes(n_heads):
    start = 2 ** (-8 / n_heads)
    return torch.tensor([start ** (i + 1) for i in range(n_heads)])


class AlibiAttention(nn.Module):
    def __init__(self, n_embd: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.head_dim = n_embd // n_heads
        self.query_key_value = nn.Linear(n_embd, 3 * n_embd)
        self.dense = nn.Linear(n_embd, n_embd)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, C = x.shape
        fused = self.query_key_value(x)
        fused = fused.reshape(B, T, 3, self.n_heads, self.head_dim)
        q, k, v = fused.permute(2, 0, 3, 1, 4).unbind(0)
        scores = torch.matmul(q, k.transpose(-1, -2))
        scores = scores * (1.0 / math.sqrt(self.head_dim))
        pos = torch.arange(T)
        distance = pos[None, :] - pos[:, None]
        bias = alibi_slopes(self.n_heads)[:, None, None] * distance
        scores = scores + bias
        scores = scores.masked_fill(distance > 0, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores.float(), dim=-1).type_as(scores)
        context = torch.matmul(weights, v)
        context = context.permute(0, 2, 1, 3).flatten(-2)
        return self.dense(context)


if __name__ == "__main__":
    torch.manual_seed(1)
    model = AlibiAttention(n_embd=20, n_heads=5)
    x = torch.randn(2, 6, 20)
    x.requires_grad_(True)
    y = model(x)
    loss = torch.sum(y * torch.sin(torch.arange(y.numel()).view_as(y)))
    loss.backward()
    print("loss", loss.item())
    print("x", x.grad.norm().item())
    for n, p in model.named_parameters():
        print(n, p.grad.norm().item())
