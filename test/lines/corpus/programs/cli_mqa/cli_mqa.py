#!/usr/bin/env python3
"""Multi-query attention: many query heads, one head of keys and values.

    cli_mqa.py --batch 2 --tokens 5 --heads 3 --width 4 --model 6 [--check]
"""
import argparse
import sys
import numpy as np


def multi_query(x, p, causal=True):
    q = np.einsum("btm,mhd->bhtd", x, p["q"])
    k = x @ p["k"]
    v = x @ p["v"]
    s = np.einsum("bhtd,bsd->bhts", q, k) / np.sqrt(k.shape[-1])
    if causal:
        s += np.where(np.tri(x.shape[1]) == 1, 0, -1e9)
    s -= s.max(axis=-1)[..., None]
    w = np.exp(s)
    w /= w.sum(axis=-1)[..., None]
    o = np.einsum("bhts,bsd->bhtd", w, v)
    y = np.einsum("bhtd,hdm->btm", o, p["o"])
    return y, dict(x=x, q=q, k=k, v=v, w=w, o=o)


def multi_query_backward(dy, p, c):
    g = {"o": np.einsum("bhtd,btm->hdm", c["o"], dy)}
    do = np.einsum("btm,hdm->bhtd", dy, p["o"])
    dv = np.einsum("bhts,bhtd->bsd", c["w"], do)
    dw = np.einsum("bhtd,bsd->bhts", do, c["v"])
    ds = c["w"] * (dw - (dw * c["w"]).sum(axis=-1)[..., None])
    ds = ds / np.sqrt(c["k"].shape[-1])
    dq = np.einsum("bhts,bsd->bhtd", ds, c["k"])
    dk = np.einsum("bhts,bhtd->bsd", ds, c["q"])
    g["q"] = np.einsum("btm,bhtd->mhd", c["x"], dq)
    g["k"] = np.einsum("btm,btd->md", c["x"], dk)
    g["v"] = np.einsum("btm,btd->md", c["x"], dv)
    dx = np.einsum("bhtd,mhd->btm", dq, p["q"])
    dx += dk @ p["k"].T
    dx += dv @ p["v"].T
    return dx, g


def main(argv=None):
    parser = argparse.ArgumentParser()
    for name, default in (("batch", 1), ("tokens", 4), ("heads", 2), ("width", 3), ("model", 5), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--check", action="store_true", help="compare with a finite difference along a random direction")
    a = parser.parse_args(argv)
    rng = np.random.default_rng(a.seed)
    x = rng.normal(size=(a.batch, a.tokens, a.model))
    p = {
        "q": rng.normal(size=(a.model, a.heads, a.width)),
        "k": rng.normal(size=(a.model, a.width)),
        "v": rng.normal(size=(a.model, a.width)),
        "o": rng.normal(size=(a.heads, a.width, a.model)),
    }
    y, cache = multi_query(x, p)
    dy = rng.normal(size=y.shape)
    dx, g = multi_query_backward(dy, p, cache)
    print("f", (dy * y).sum(), "dx", np.linalg.norm(dx))
    for name in sorted(g):
        print("d" + name, np.linalg.norm(g[name]))
    if a.check:
        step = rng.normal(size=x.shape) * 1e-6
        slope = ((multi_query(x + step, p)[0] - multi_query(x - step, p)[0]) * dy).sum() / 2
        print("relative error", abs(slope - (dx * step).sum()) / abs(slope))
    return 0


if __name__ == "__main__":
    sys.exit(main())
