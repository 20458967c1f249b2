"""Gradients of two micro batches add up; the weights are initialised anew after the module is made."""
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        weights = torch.softmax(q @ k.transpose(-2, -1) / k.shape[-1] ** 0.5, dim=-1)
        return self.out(weights @ v)


torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
model = Attention(6)
nn.init.normal_(model.qkv.weight, std=0.5)
data, labels = torch.randn(4, 5, 6), torch.randn(4, 5, 6)
for step in range(2):
    rows = slice(2 * step, 2 * step + 2)
    loss = nn.functional.mse_loss(model(data[rows]), labels[rows]) / 2
    loss.backward()
print(f'{loss.item():.6f} {model.qkv.weight.grad.norm().item():.6f}')
