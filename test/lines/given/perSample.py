import numpy as np
import torch

torch.manual_seed(4)
xs, targets = torch.randn(3, 4, 5, dtype=torch.float64), torch.randn(3, 4, 6, dtype=torch.float64)
W = {name: torch.randn(5, 6, dtype=torch.float64) for name in ("q", "k", "v")}
W["bq"], W["bv"] = torch.randn(6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)


def loss_of(x, target, w):
    q, k, v = x @ w["q"] + w["bq"], x @ w["k"], x @ w["v"] + w["bv"]
    p = torch.softmax(q @ k.T / 6**0.5, dim=-1)
    y = p @ v
    return ((y - target) ** 2).sum() / 2


total = {name: torch.zeros_like(w) for name, w in W.items()}
for x, target in zip(xs, targets):
    leaf = {name: w.clone().requires_grad_(True) for name, w in W.items()}
    grads = torch.autograd.grad(loss_of(x, target, leaf), list(leaf.values()))
    for name, g in zip(leaf, grads):
        total[name] += g
