"""An independent reference: a setup file computed with PyTorch's autograd in float64.

Every node of the graph is kept with its gradient, so that a program's numbers can be held against it.
"""
import json
import math
import os

import numpy as np
import torch


def tensor(entry, folder):
    """A setup's tensor (nested array or file and key) as a NumPy array."""
    if isinstance(entry, dict):
        return np.load(os.path.join(folder, entry["file"]))[entry["key"]]
    return np.array(entry)


def rope(t, base, pairing, first=0):
    width = t.shape[-1]
    at = torch.arange(first, first + t.shape[-2], dtype=torch.float64)[:, None]
    angle = at * base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    cos, sin = angle.cos(), angle.sin()
    if pairing == "half":
        a, b = t[..., : width // 2], t[..., width // 2:]
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
    a, b = t[..., 0::2], t[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def run(path):
    """Values and gradients by node name (`P`, `dP`) of the setup at `path`, axes of the scores query first."""
    folder = os.path.dirname(path)
    with open(path) as file:
        setup = json.load(file)
    nodes = {}

    def keep(name, value):
        if value.requires_grad:
            value.retain_grad()
        nodes[name] = value
        return value

    def given(name, entry):
        return keep(name, torch.tensor(tensor(entry, folder), dtype=torch.float64).requires_grad_())

    head = setup["head"]
    weights = {name: given(name, entry) for name, entry in setup.get("weights", {}).items()}
    start = setup.get("start", {})
    x = given("x", setup["x"]) if "x" in setup else None
    x_prime = given("xPrime", setup["xPrime"]) if "xPrime" in setup else x

    def project(name, source):
        if name in start:
            return given(name, start[name])
        value = source @ weights["W_" + name]
        return keep(name, value + weights["b_" + name] if "b_" + name in weights else value)

    q, k = project("Q", x_prime), project("K", x)
    v = x if head == "kq" else project("V", x)
    heads = setup.get("heads", 1)
    kv_heads = setup.get("kvHeads", heads)

    def split(t, n):
        return t.unflatten(-1, (n, t.shape[-1] // n)).transpose(-2, -3)

    if head == "multihead":
        q, k, v = split(q, heads), split(k, kv_heads), split(v, kv_heads)
        if "rope" in setup:
            args = setup["rope"].get("base", 10000), setup["rope"].get("pairing", "half")
            q, k = rope(q, *args), rope(k, *args)
        if "past" in setup:
            past = {name: torch.tensor(tensor(entry, folder), dtype=torch.float64) for name, entry in setup["past"].items()}
            k, v = torch.cat([past["K"], k], -2), torch.cat([past["V"], v], -2)
        q, k, v = keep("Qh", q), keep("Kh", k), keep("Vh", v)
        k, v = (t.repeat_interleave(heads // kv_heads, -3) for t in (k, v))
    s = keep("S", q @ k.transpose(-1, -2))
    scale = setup.get("scale", 1.0 if head == "kq" else "1/sqrt(d)")
    z = s * (1 / math.sqrt(q.shape[-1]) if scale == "1/sqrt(d)" else scale)
    if "softcap" in setup:
        z = setup["softcap"] * torch.tanh(z / setup["softcap"])
    z = keep("Z", z)
    rows, cols = z.shape[-2:]
    j, i = torch.arange(rows)[:, None], torch.arange(cols)[None, :]
    m = z
    mask = setup.get("mask", "none")
    shift = cols - rows if mask == "causal-bottom-right" or "past" in setup else 0
    distance = j + shift - i
    if "alibi" in setup:
        slopes = 2.0 ** (-8.0 * torch.arange(1, heads + 1, dtype=torch.float64) / heads)
        if setup["alibi"] is not True:
            slopes = torch.tensor(tensor(setup["alibi"], folder), dtype=torch.float64)
        m = m - slopes[:, None, None] * distance.abs()
    if not isinstance(mask, str):
        given_mask = tensor(mask, folder)
        meaning = setup.get("maskMeaning", "attend" if given_mask.dtype == bool else "add")
        given_mask = torch.tensor(given_mask)
        if meaning == "add":
            m = m + given_mask.double()
        else:
            m = m.masked_fill((given_mask != 0) if meaning == "ignore" else (given_mask == 0), -math.inf)
    elif mask != "none":
        m = m.masked_fill(distance < 0, -math.inf)
    if "window" in setup:
        m = m.masked_fill(distance.abs() >= setup["window"], -math.inf)
    m = keep("M", m)
    p = keep("P", torch.softmax(m, -1))
    if "dropout" in setup:
        kept = torch.tensor(tensor(setup["dropout"]["keep"], folder), dtype=torch.float64)
        p = keep("Pd", p * kept / (1 - setup["dropout"]["p"]))
    o = p @ v
    if head == "multihead":
        o = keep("O", o)
        o = keep("C", o.transpose(-2, -3).flatten(-2))
        if "W_O" in weights:
            o = o @ weights["W_O"]
            o = o + weights["b_O"] if "b_O" in weights else o
    y = keep("y", o)
    loss = setup.get("loss")
    if loss is None:
        f = (y ** 2).sum() / 2
    elif "upstream" in loss:
        f = (y * torch.tensor(tensor(loss["upstream"], folder), dtype=torch.float64)).sum()
    elif "target" in loss:
        f = ((y - torch.tensor(tensor(loss["target"], folder), dtype=torch.float64)) ** 2).sum() / 2
    else:
        names = {name: entry if isinstance(entry, (int, float)) else torch.tensor(tensor(entry, folder), dtype=torch.float64)
                 for name, entry in loss.get("constants", {}).items()}
        f = eval(loss["expression"].replace(".^", "**").replace(".*", "*"), {"sum": torch.sum, "log": torch.log, "cosh": torch.cosh}, {"y": y, **names})
    f.backward()
    result = {"f": f.detach().numpy()}
    for name, value in nodes.items():
        result[name] = value.detach().numpy()
        if value.grad is not None:
            result["d" + name] = value.grad.numpy()
    return result
