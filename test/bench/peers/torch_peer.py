"""PyTorch, one thread, every intermediate and its gradient kept: torch_peer.py N HEADS DTYPE"""

import json
import math
import resource
import sys
import time

import torch

torch.set_num_threads(1)
n, heads = int(sys.argv[1]), int(sys.argv[2])
dtype = getattr(torch, sys.argv[3])
d = 64
width = d * heads
scale = 4 / math.sqrt(width)


def numbers(rows, cols, seed, own=1.0):
    at = torch.arange(1, rows * cols + 1, dtype=torch.int64)
    values = ((at * 7919 + seed * 104729) % 10007).to(torch.float64) / 10007 - 0.5
    return (values * own).reshape(rows, cols).to(dtype)


x = numbers(n, width, 1, 2)
weights = [numbers(width, width, seed, scale) for seed in (2, 3, 4)]
out = numbers(width, width, 5, scale) if heads > 1 else None
G = numbers(n, width, 6)
mask = torch.full((n, n), -math.inf, dtype=dtype).triu(1)
leaves = [x, *weights] + ([out] if heads > 1 else [])
for leaf in leaves:
    leaf.requires_grad_()


def split(a):
    return a.view(n, heads, d).transpose(0, 1) if heads > 1 else a


def once():
    for leaf in leaves:
        leaf.grad = None
    K, Q, V = (x @ own for own in weights)
    k, q, v = split(K), split(Q), split(V)
    S = q @ k.transpose(-1, -2)
    Z = S * (1 / math.sqrt(d))
    M = Z + mask
    P = torch.softmax(M, -1)
    o = P @ v
    kept = [K, Q, V, S, Z, M, P, o]
    if heads > 1:
        C = o.transpose(0, 1).reshape(n, width)
        y = C @ out
        kept += [C, y]
    else:
        y = o
    for each in kept:
        each.retain_grad()
    f = (G * y).sum()
    f.backward()
    return f, kept


def rss():
    with open("/proc/self/statm") as lines:
        return int(lines.read().split()[1]) * resource.getpagesize() / 2**20


before = rss()
print(json.dumps({"version": f"PyTorch {torch.__version__}, {sys.argv[3]}"}), flush=True)
for line in sys.stdin:
    if line.strip() != "run":
        break
    began = time.perf_counter()
    f, kept = once()
    ms = (time.perf_counter() - began) * 1e3
    size = float(x.grad.abs().sum())
    # As the others: what was computed is let go before the next run.
    value = float(f.detach())
    del f, kept
    print(json.dumps({"ms": ms, "f": value, "dx": size}), flush=True)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"megabytes": peak - before}), flush=True)
