"""Weights that are scaled by .data, a table of relative positions."""
import torch, math
torch.manual_seed(3)
B, T, C, H = 2, 6, 12, 3
x = torch.randn(B, T, C, dtype=torch.float64, requires_grad=True)
wq, wk, wv, wo = (torch.randn(C, C, dtype=torch.float64, requires_grad=True) for _ in range(4))
for w in (wq, wk, wv, wo):
    w.data.mul_(0.3)
table = torch.randn(2 * T - 1, H, dtype=torch.float64, requires_grad=True)


def relative_position_index(n):
    pos = torch.arange(n)
    return pos[None, :] - pos[:, None] + n - 1


def attention(x):
    def heads(z):
        return z.view(B, T, H, C // H).transpose(1, 2)
    q, k, v = heads(x @ wq), heads(x @ wk), heads(x @ wv)
    scores = q @ k.transpose(-1, -2) / math.sqrt(C // H)
    bias = table[relative_position_index(T)].permute(2, 0, 1)
    scores = scores + bias
    p = scores.softmax(-1)
    return (p @ v).transpose(1, 2).reshape(B, T, C) @ wo


y = attention(x)
g = torch.randn_like(y)
(y * g).sum().backward()
print(y.sum().item())
