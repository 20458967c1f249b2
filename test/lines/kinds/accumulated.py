# One batch in two calls, with heads: a function for the forward pass, one that adds to the gradients.
import torch

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
weights = {name: torch.randn(6, 4) / 2 for name in ("q", "k", "v")}
weights["o"] = torch.randn(4, 6) / 2
batch, goals = torch.randn(4, 5, 6), torch.randn(4, 5, 6)


def parts(size):
    for first in range(0, len(batch), size):
        yield batch[first : first + size], goals[first : first + size]


def split(x):
    return x.view(*x.shape[:2], 2, 2).permute(0, 2, 1, 3)


def merge(x):
    return x.permute(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], 4)


def attend(x):
    q, k, v = split(x @ weights["q"]), split(x @ weights["k"]), split(x @ weights["v"])
    later = torch.ones(5, 5).triu(1).bool()
    p = (q @ k.mT / 2**0.5).masked_fill(later, -torch.inf).softmax(-1)
    o = merge(p @ v)
    return o @ weights["o"], (q, k, v, p, o)


def accumulate(grads, x, dy, saved):
    q, k, v, p, o = saved
    grads["o"] += torch.einsum("btc,btd->cd", o, dy)
    do = split(dy @ weights["o"].T)
    dp = do @ v.mT
    ds = p * (dp - (p * dp).sum(-1, keepdim=True)) / 2**0.5
    grads["q"] += torch.einsum("btc,btd->cd", x, merge(ds @ k))
    grads["k"] += torch.einsum("btc,btd->cd", x, merge(ds.mT @ q))
    grads["v"] += torch.einsum("btc,btd->cd", x, merge(p.mT @ do))


grads = {name: torch.zeros_like(each) for name, each in weights.items()}
total = 0.0
for x, goal in parts(2):
    y, saved = attend(x)
    total += ((y - goal) ** 2).sum().item() / 4
    accumulate(grads, x, 2 * (y - goal) / 4, saved)
