from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

Array = np.ndarray


@dataclass
class Params:
    w_q: Array
    w_k: Array
    w_v: Array
    w_o: Array
    b_q: Array
    b_v: Array

    @classmethod
    def init(cls, d_in: int, heads: int, d_head: int, d_out: int, seed: int) -> Params:
        rng = np.random.default_rng(seed)
        w = lambda *shape: rng.uniform(-0.6, 0.6, shape)
        inner = heads * d_head
        return cls(w(d_in, inner), w(d_in, inner), w(d_in, inner), w(inner, d_out), w(inner), w(inner))


@dataclass(frozen=True)
class Trace:
    x: Array
    q: Array
    k: Array
    v: Array
    probs: Array
    context: Array


def split_heads(a: Array, heads: int) -> Array:
    return np.stack(np.split(a, heads, axis=-1))


def join_heads(a: Array) -> Array:
    return np.concatenate(list(a), axis=-1)


def forward(p: Params, x: Array, heads: int) -> tuple[Array, Trace]:
    q = split_heads(x @ p.w_q + p.b_q, heads)
    k = split_heads(x @ p.w_k, heads)
    v = split_heads(x @ p.w_v + p.b_v, heads)
    logits = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    logits = logits + np.triu(np.full(logits.shape[-2:], -np.inf), k=1)
    logits = logits - logits.max(axis=-1, keepdims=True)
    probs = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    context = join_heads(probs @ v)
    return context @ p.w_o, Trace(x, q, k, v, probs, context)


def backward(p: Params, t: Trace, dy: Array, heads: int) -> tuple[Params, Array]:
    dcontext = split_heads(dy @ p.w_o.T, heads)
    dv = t.probs.swapaxes(-1, -2) @ dcontext
    dprobs = dcontext @ t.v.swapaxes(-1, -2)
    weighted = t.probs * dprobs
    dlogits = weighted - t.probs * weighted.sum(axis=-1, keepdims=True)
    dscores = dlogits / np.sqrt(t.q.shape[-1])
    dq = join_heads(dscores @ t.k)
    dk = join_heads(dscores.swapaxes(-1, -2) @ t.q)
    dv = join_heads(dv)
    grads = Params(
        w_q=t.x.T @ dq,
        w_k=t.x.T @ dk,
        w_v=t.x.T @ dv,
        w_o=t.context.T @ dy,
        b_q=dq.sum(axis=0),
        b_v=dv.sum(axis=0),
    )
    dx = dq @ p.w_q.T
    dx = dx + dk @ p.w_k.T
    dx = dx + dv @ p.w_v.T
    return grads, dx


HEADS = 2
params = Params.init(d_in=9, heads=HEADS, d_head=4, d_out=5, seed=77)
x = np.random.default_rng(78).normal(size=(6, 9))
target = np.random.default_rng(79).normal(size=(6, 5))
y, trace = forward(params, x, HEADS)
dy = y - target
grads, dx = backward(params, trace, dy, HEADS)
print(f"loss = {0.5 * np.sum(dy ** 2):.6f}, |dx| = {np.linalg.norm(dx):.6f}")
for f in fields(grads):
    print(f.name, f"{np.linalg.norm(getattr(grads, f.name)):.6f}")
