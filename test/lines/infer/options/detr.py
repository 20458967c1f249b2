"""DETR: positions are added to what queries and keys are made from, not to what values are made from."""
import torch
from torch import nn
torch.manual_seed(7)
b, n, c, h = 2, 5, 8, 2
wq, wk, wv, wo = (nn.Linear(c, c).double() for _ in range(4))
src = torch.randn(b, n, c, dtype=torch.double, requires_grad=True)
pos = torch.randn(1, n, c, dtype=torch.double)
qk = src + pos
sp = lambda t: t.view(b, n, h, c // h).transpose(1, 2)
q, k, v = sp(wq(qk)), sp(wk(qk)), sp(wv(src))
attn = (q @ k.transpose(-2, -1) / (c // h) ** 0.5).softmax(-1)
out = wo((attn @ v).transpose(1, 2).reshape(b, n, c))
out.backward(torch.randn_like(out))
print(out.sum().item())
