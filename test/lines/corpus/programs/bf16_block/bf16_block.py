"""The attention block in bfloat16, softmax in float32, as it is trained on accelerators."""
import torch

torch.manual_seed(40)
BF16 = torch.bfloat16
batch, time, heads, size = 2, 6, 2, 8
dim = heads * size


def leaf(*shape, std=1.0):
    return (torch.randn(*shape) * std).to(BF16).requires_grad_()


x = leaf(batch, time, dim)
wq, wk, wv, wo = (leaf(dim, dim, std=dim ** -0.5) for _ in range(4))
upstream = torch.randn(batch, time, dim).to(BF16)

heads_first = lambda t: t.reshape(batch, time, heads, size).transpose(1, 2)
q, k, v = heads_first(x @ wq), heads_first(x @ wk), heads_first(x @ wv)
logits = (q @ k.transpose(-2, -1)).float() / size ** 0.5
blocked = torch.ones(time, time, dtype=torch.bool).triu(1)
logits = logits.masked_fill(blocked, float("-inf"))
probs = torch.softmax(logits, dim=-1).to(BF16)
context = (probs @ v).transpose(1, 2).reshape(batch, time, dim)
out = context @ wo
out.backward(upstream)

print("out", out.float().norm().item())
for name, t in dict(x=x, wq=wq, wk=wk, wv=wv, wo=wo).items():
    print("d" + name, "-" if t.grad is None else round(t.grad.float().norm().item(), 3))
