# The first three tokens at once and then one by one, of three sequences; what is attended to is kept from the first call.
import torch
from torch import nn

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
H, a = 2, 3
queries, ends = nn.Linear(5, H * a), nn.Linear(H * a, 6)
keys, values = nn.Linear(4, H * a, bias=False), nn.Linear(4, H * a)


def apart(rows):
    return rows.unflatten(-1, (H, a)).transpose(1, 2)


def attend(rows, source, kept):
    if "k" not in kept:
        kept["k"], kept["v"] = apart(keys(source)), apart(values(source))
    p = torch.softmax(apart(queries(rows)) @ kept["k"].mT / a**0.5, dim=-1)
    return ends((p @ kept["v"]).transpose(1, 2).flatten(2))


x, source = torch.randn(3, 5, 5, requires_grad=True), torch.randn(3, 7, 4, requires_grad=True)
kept = {}
parts = [attend(x[:, :3], source, kept)]
for t in range(3, 5):
    parts.append(attend(x[:, t : t + 1], source, kept))
y = torch.cat(parts, dim=1)
y.backward(torch.randn(3, 5, 6))
print(y.sum().item(), x.grad.sum().item(), source.grad.sum().item())
