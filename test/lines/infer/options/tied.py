"""One weight makes queries and keys (Reformer)."""
import torch
torch.manual_seed(11)
x = torch.randn(6, 5, dtype=torch.double, requires_grad=True)
wqk = torch.randn(5, 4, dtype=torch.double, requires_grad=True)
wv = torch.randn(5, 4, dtype=torch.double, requires_grad=True)
q = k = x @ wqk
v = x @ wv
p = torch.softmax(q @ k.T / 2, -1)
y = p @ v
(y ** 2).sum().backward()
print(y.sum().item())
