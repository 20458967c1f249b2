"""Differential attention, the short form of the paper: chunked q and k, one learned lambda each layer, halves."""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F


class DiffAttention(nn.Module):
    def __init__(self, dim, heads, layer):
        super().__init__()
        self.h, self.d = heads, dim // heads // 2
        self.w_q = nn.Linear(dim, dim, bias=False)
        self.w_k = nn.Linear(dim, dim, bias=False)
        self.w_v = nn.Linear(dim, dim, bias=False)
        self.w_o = nn.Linear(dim, dim, bias=False)
        self.lambda_init = 0.8 - 0.6 * math.exp(-0.3 * layer)
        self.lambda_q1 = nn.Parameter(torch.randn(self.d) * 0.1)
        self.lambda_k1 = nn.Parameter(torch.randn(self.d) * 0.1)
        self.lambda_q2 = nn.Parameter(torch.randn(self.d) * 0.1)
        self.lambda_k2 = nn.Parameter(torch.randn(self.d) * 0.1)

    def forward(self, x):
        B, N, _ = x.shape
        q1, q2 = self.w_q(x).chunk(2, dim=-1)
        k1, k2 = self.w_k(x).chunk(2, dim=-1)
        v = self.w_v(x)
        q1, q2, k1, k2 = (t.view(B, N, self.h, self.d).transpose(1, 2) for t in (q1, q2, k1, k2))
        v = v.view(B, N, self.h, 2 * self.d).transpose(1, 2)
        s = 1 / math.sqrt(self.d)
        A1 = F.softmax(q1 @ k1.transpose(-1, -2) * s, dim=-1)
        A2 = F.softmax(q2 @ k2.transpose(-1, -2) * s, dim=-1)
        lam = (
            torch.exp(torch.dot(self.lambda_q1, self.lambda_k1))
            - torch.exp(torch.dot(self.lambda_q2, self.lambda_k2))
            + self.lambda_init
        )
        out = (A1 - lam * A2) @ v
        out = F.layer_norm(out, (2 * self.d,)) * (1 - self.lambda_init)
        return self.w_o(out.transpose(1, 2).reshape(B, N, -1))


torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
m = DiffAttention(12, 2, 1)
x = torch.randn(2, 5, 12, requires_grad=True)
y = m(x)
y.pow(2).sum().div(2).backward()
print(y.sum().item())
