"""Two layers of one class around a residual stream, both right."""

import math

import torch
import torch.nn as nn


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)
        self.scale = math.sqrt(width // heads)

    def forward(self, x):
        tokens, width = x.shape
        shape = (tokens, self.heads, width // self.heads)
        q = self.q_proj(x).view(shape).transpose(0, 1)
        k = self.k_proj(x).view(shape).transpose(0, 1)
        v = self.v_proj(x).view(shape).transpose(0, 1)
        s = q @ k.transpose(-1, -2) / self.scale
        p = torch.softmax(s, dim=-1)
        y = (p @ v).transpose(0, 1).reshape(tokens, width)
        return self.o_proj(y)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = SelfAttention(12, 2)
        self.second = SelfAttention(12, 3)

    def forward(self, x):
        x = x + self.first(x)
        return x + self.second(x)


torch.manual_seed(3)
model = Model()
x = torch.randn(6, 12, requires_grad=True)
loss = model(x).square().sum()
loss.backward()
