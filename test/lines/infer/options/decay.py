"""A penalty of the weights in the loss: their gradients are not those of the attention alone."""
import torch
torch.manual_seed(8)
T, C = 6, 5
x = torch.randn(T, C, dtype=torch.double)
wq, wk, wv = (torch.randn(C, C, dtype=torch.double, requires_grad=True) for _ in range(3))
target = torch.randn(T, C, dtype=torch.double)
q, k, v = x @ wq, x @ wk, x @ wv
p = torch.softmax(q @ k.T / C ** 0.5, -1)
y = p @ v
loss = ((y - target) ** 2).sum() + 1e-2 * sum((w ** 2).sum() for w in (wq, wk, wv))
loss.backward()
print(loss.item())
