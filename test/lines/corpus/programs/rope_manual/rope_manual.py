"""Rotary attention by hand. RoPE turns pairs of neighbouring features; backward turns them back."""
import numpy as np


def angles(n, dim, base=500.0):
    freq = base ** (-np.arange(0, dim, 2) / dim)
    theta = np.arange(n)[:, None] * freq[None, :]
    return np.cos(theta), np.sin(theta)


def rotate(x, cos, sin):
    even, odd = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = even * cos - odd * sin
    out[..., 1::2] = even * sin + odd * cos
    return out


def unrotate(g, cos, sin):
    even, odd = g[..., 0::2], g[..., 1::2]
    out = np.empty_like(g)
    out[..., 0::2] = even * cos + odd * sin
    out[..., 1::2] = odd * cos - even * sin
    return out


class RotaryAttention:
    def __init__(self, heads, width, d, rng):
        self.h, self.w = heads, width
        self.Wqkv = rng.normal(0, d ** -0.5, (d, 3, heads, width))
        self.Wo = rng.normal(0, (heads * width) ** -0.5, (heads, width, d))

    def __call__(self, x):
        n = len(x)
        cos, sin = angles(n, self.w)
        q, k, v = np.einsum("nd,dphw->phnw", x, self.Wqkv)
        qr, kr = rotate(q, cos, sin), rotate(k, cos, sin)
        s = np.einsum("hiw,hjw->hij", qr, kr) * self.w ** -0.5
        s[:, ~np.tri(n, dtype=bool)] = -np.inf
        e = np.exp(s - s.max(-1, keepdims=True))
        p = e / e.sum(-1, keepdims=True)
        o = np.einsum("hij,hjw->hiw", p, v)
        self.saved = x, cos, sin, qr, kr, v, p, o
        return np.einsum("hiw,hwd->id", o, self.Wo)

    def grad(self, dy):
        x, cos, sin, qr, kr, v, p, o = self.saved
        self.dWo = np.einsum("hiw,id->hwd", o, dy)
        do = np.einsum("id,hwd->hiw", dy, self.Wo)
        dv = np.einsum("hij,hiw->hjw", p, do)
        dp = np.einsum("hiw,hjw->hij", do, v)
        ds = p * (dp - np.einsum("hiw,hiw->hi", do, o)[..., None])
        ds *= self.w ** -0.5
        dqr = np.einsum("hij,hjw->hiw", ds, kr)
        dkr = np.einsum("hij,hiw->hjw", ds, qr)
        dq = unrotate(dqr, cos, sin)
        dk = unrotate(dkr, cos, sin)
        dqkv = np.stack([dq, dk, dv])
        self.dWqkv = np.einsum("nd,phnw->dphw", x, dqkv)
        return np.einsum("phnw,dphw->nd", dqkv, self.Wqkv)


if __name__ == "__main__":
    rng = np.random.default_rng(31)
    layer = RotaryAttention(heads=2, width=6, d=7, rng=rng)
    x = rng.normal(size=(5, 7))
    y = layer(x)
    dy = rng.normal(size=y.shape)
    dx = layer.grad(dy)
    print("y", y[-1])
    print("dx", dx[0])
    print("dWqkv", np.sqrt((layer.dWqkv ** 2).sum(axis=(0, 2, 3))), "dWo", np.sqrt((layer.dWo ** 2).sum()))
