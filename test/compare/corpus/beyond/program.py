"""Attention as a list of steps that a mistake may replace, in PyTorch: differentiated by autograd or by hand.

Every step is a function of what was computed before it; `run` takes replacements of steps by name. The backward
pass by hand is a second list, with the steps dN.
"""
import math

import torch

torch.set_num_threads(1)
NEG = -math.inf

DEFAULTS = dict(head="multihead", B=2, m=4, n=6, D=7, E=5, H=2, Hk=None, dh=4, dv=3, out=6, self=False, bias=False, WO=True,
           mask="none", meaning="attend", softcap=None, p=None, rope=None, base=10000, past=0, window=None, alibi=False,
           scale=None, loss="upstream", axes=None, big=1.0)


class Names(dict):
    """Entries that are attributes, too."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


def problem(seed, **opt):
    """Options completed, and the tensors of one problem."""
    o = Names({**DEFAULTS, **opt})
    if o["Hk"] is None:
        o["Hk"] = o["H"]
    if o["head"] != "multihead":
        o["H"] = o["Hk"] = 1
        o["WO"] = False
    if o["head"] == "kq":
        o["dv"] = o["D"]
    if o["self"]:
        o["m"], o["E"] = o["n"], o["D"]
    g = torch.Generator().manual_seed(seed)
    r = lambda *s: torch.randn(*s, generator=g, dtype=torch.float64)
    b = [o.B] if o.B else []
    a = Names()
    a["x"] = r(*b, o.n, o.D) * o.big
    if not o["self"]:
        a["xPrime"] = r(*b, o.m, o.E) * o.big
    a["W_Q"] = r(o.E, o.H * o.dh) * .5
    a["W_K"] = r(o.D, o.Hk * o.dh) * .5
    if o.head != "kq":
        a["W_V"] = r(o.D, o.Hk * o.dv) * .5
    if o.WO:
        a["W_O"] = r(o.H * o.dv, o.out) * .5
    if o.bias:
        a["b_Q"], a["b_K"] = r(o.H * o.dh), r(o.Hk * o.dh)
        if o.head != "kq": a["b_V"] = r(o.Hk * o.dv)
        if o.WO: a["b_O"] = r(o.out)
    if o.past:
        a["pK"], a["pV"] = r(*b, o.Hk, o.past, o.dh), r(*b, o.Hk, o.past, o.dv)
    a["G"] = r(*b, o.m, o.out if o.WO else o.H * o.dv)
    N = o.n + o.past
    BB = o.B or 1
    U = lambda *s: torch.rand(*s, generator=g)
    if o.mask == "bool2":
        a["mask"] = U(o.m, N) < .6
        a["mask"][torch.arange(o.m), torch.randint(0, N, (o.m,), generator=g)] = True
    if o.mask == "bool4":
        a["mask"] = U(BB, o.H, o.m, N) < .6
        a["mask"][..., 0] = True
    if o.mask == "pad":
        a["mask"] = torch.ones(BB, 1, 1, N, dtype=torch.bool)
        for k in range(BB):
            a["mask"][k, ..., N - 1 - k:] = False
    if o.mask == "add2":
        a["mask"] = r(o.m, N)
        a["mask"][U(o.m, N) < .25] = NEG
        a["mask"][:, 0] = .3
    if o.mask == "bias4":
        a["mask"] = r(1, o.H, o.m, N)
    if o.p:
        a["keep"] = U(BB, o.H, o.m, N) >= o.p
    return o, a


def plain(value):
    """Nested lists for JSON; infinities as the strings of setup files."""
    if isinstance(value, torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value if isinstance(value, bool) or math.isfinite(value) else "-inf" if value < 0 else "inf"


def setup(o, a, names=None):
    """The setup file of a problem."""
    s = {"head": o.head, "x": plain(a.x)}
    if o.head == "multihead":
        s["heads"], s["kvHeads"] = o.H, o.Hk
    if "xPrime" in a:
        s["xPrime"] = plain(a.xPrime)
    s["weights"] = {k: plain(a[k]) for k in a if k[:2] in ("W_", "b_")}
    if o.scale is not None:
        s["scale"] = o.scale
    if o.softcap:
        s["softcap"] = o.softcap
    if o.mask in ("causal", "causal-bottom-right"):
        s["mask"] = o.mask
    elif o.mask != "none":
        m = a.mask
        if o.meaning == "ignore":
            m = ~m
        if o.axes == "key-first":
            m = m.transpose(-1, -2)
        if o.head != "multihead":
            m = m.reshape(*([m.shape[0]] if m.dim() == 4 and m.shape[0] > 1 else []), *m.shape[-2:])
        s["mask"], s["maskMeaning"] = plain(m), ("add" if m.dtype != torch.bool else o.meaning)
    if o.window:
        s["window"] = o.window
    if o.alibi:
        s["alibi"] = True
    if o.p:
        k = a.keep.double()
        if o.head != "multihead":
            k = k[:, 0] if o.B else k[0, 0]
        if o.axes == "key-first":
            k = k.transpose(-1, -2)
        s["dropout"] = {"p": o.p, "keep": plain(k)}
    if o.rope:
        s["rope"] = {"base": o.base, "pairing": o.rope}
    if o.past:
        s["past"] = {"K": plain(a.pK), "V": plain(a.pV)}
    if o.loss == "upstream":
        s["loss"] = {"upstream": plain(a.G)}
    if o.loss == "target":
        s["loss"] = {"target": plain(a.G)}
    if o.loss == "expr":
        s["loss"] = {"expression": "sum(y .^ 3) / 3"}
    if names:
        s["names"] = names
    if o.axes:
        s["axes"] = o.axes
    return s


def angles(T, d, base, first=0):
    inv = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    return (first + torch.arange(T, dtype=torch.float64))[:, None] * inv


def rotate(x, ang, pairing):
    c, s = ang.cos().to(x.dtype), ang.sin().to(x.dtype)
    h = x.shape[-1] // 2
    if pairing == "half":
        u, w = x[..., :h], x[..., h:]
        return torch.cat([u * c - w * s, w * c + u * s], -1)
    u, w = x[..., ::2], x[..., 1::2]
    return torch.stack([u * c - w * s, w * c + u * s], -1).flatten(-2)


def split(t, h):
    return t.reshape(t.shape[0], t.shape[1], h, -1).transpose(1, 2)


def merge(t):
    return t.transpose(1, 2).reshape(t.shape[0], t.shape[2], -1)


def linear(x, w, b=None):
    y = x @ w
    return y if b is None else y + b


def additive(s):
    """The mask to add, with -inf where a query may not see a key."""
    o = s.o
    N = o.n + o.past
    m = torch.zeros(1, 1, o.m, N, dtype=torch.float64)
    off = N - o.m if o.mask == "causal-bottom-right" else o.past
    dist = off + torch.arange(o.m)[:, None] - torch.arange(N)[None]
    if o.mask in ("causal", "causal-bottom-right"):
        m = m.masked_fill(dist < 0, NEG)
    if "mask" in s.a:
        t = s.a.mask
        m = m + (t if t.dtype != torch.bool else torch.zeros(t.shape, dtype=torch.float64).masked_fill(~t, NEG))
    if o.window:
        m = m.masked_fill(dist.abs() >= o.window, NEG)
    if o.alibi:
        sl = torch.tensor([2 ** (-8 * (h + 1) / o.H) for h in range(o.H)], dtype=torch.float64)[:, None, None]
        m = m - sl * dist.abs()
    return m


def rep(t, o):
    return t.repeat_interleave(o.H // o.Hk, 1)


def has_mask(o):
    return o.mask != "none" or o.window or o.alibi


STEPS = dict(
    K=lambda s: linear(s.x, s.W_K, s.get("b_K")),
    Q=lambda s: linear(s.xPrime if not s.o["self"] else s.x, s.W_Q, s.get("b_Q")),
    V=lambda s: linear(s.x, s.W_V, s.get("b_V")) if s.o.head != "kq" else s.x,
    Kn=lambda s: rotate(split(s.K, s.o.Hk), s.ang_k(s), s.o.rope) if s.o.rope else split(s.K, s.o.Hk),
    Kh=lambda s: torch.cat([s.pK, s.Kn], 2) if s.o.past else s.Kn,
    Qh=lambda s: rotate(split(s.Q, s.o.H), s.ang_q(s), s.o.rope) if s.o.rope else split(s.Q, s.o.H),
    Vh=lambda s: torch.cat([s.pV, split(s.V, s.o.Hk)], 2) if s.o.past else split(s.V, s.o.Hk),
    Kr=lambda s: rep(s.Kh, s.o),
    Vr=lambda s: rep(s.Vh, s.o),
    S=lambda s: s.Qh @ s.Kr.transpose(-1, -2),
    Z=lambda s: (s.o.softcap * torch.tanh(s.S * s.scale / s.o.softcap)) if s.o.softcap else s.S * s.scale,
    M=lambda s: s.Z + s.add if has_mask(s.o) else s.Z,
    P=lambda s: torch.softmax(s.M, -1),
    Pd=lambda s: s.P * s.keep / (1 - s.o.p) if s.o.p else s.P,
    O=lambda s: s.Pd @ s.Vr,
    C=lambda s: merge(s.O),
    y=lambda s: linear(s.C, s.W_O, s.get("b_O")) if s.o.WO else s.C,
    f=lambda s: (s.y * s.G).sum() if s.o.loss == "upstream" else ((s.y - s.G) ** 2).sum() / 2 if s.o.loss == "target"
        else (s.y ** 3).sum() / 3 if s.o.loss == "expr" else (s.y ** 2).sum() / 2,
)


LEAVES = ["x", "xPrime", "W_Q", "W_K", "W_V", "W_O", "b_Q", "b_K", "b_V", "b_O"]


def start(o, a, dtype, grad):
    s = Names(o=o, a=a)
    for k, v in a.items():
        if k in LEAVES:
            v = v.to(dtype)
            if v.dim() == 2 and k in ("x", "xPrime"): v = v[None]
            s[k] = v.clone().requires_grad_(grad)
        elif k in ("pK", "pV", "G"):
            s[k] = v.to(dtype) if v.dim() == (4 if k != "G" else 3) else v.to(dtype)[None]
    if "keep" in a: s.keep = a.keep.to(dtype)
    s.scale = (o.dh ** -.5 if o.head != "kq" else 1.) if o.scale is None else o.scale
    s.add = additive(s).to(dtype)
    s.ang_k = s.ang_q = lambda s: angles(s.o.n, s.o.dh, s.o.base, s.o.past)
    s.ang_q = lambda s: angles(s.o.m, s.o.dh, s.o.base, s.o.past)
    return s


def run_forward(s, hooks, keep=False):
    """`keep`: the gradient of every step is wanted."""
    for k, fn in STEPS.items():
        v = (hooks or {}).get(k, fn)(s)
        if keep and v.requires_grad:
            v = v * 1 if any(v is s[j] for j in s if isinstance(s[j], torch.Tensor)) else v
            v.retain_grad()
        s[k] = v
    return s


def T_(t):
    return t.transpose(-1, -2)


def un_rep(t, o):
    return t.reshape(t.shape[0], o.Hk, o.H // o.Hk, *t.shape[2:]).sum(2)


def tok(t):
    return t.reshape(-1, t.shape[-1])


def sm_back(P, dP):
    return P * (dP - (P * dP).sum(-1, keepdim=True))


BACK = dict(
    dy=lambda s: s.G if s.o.loss == "upstream" else s.y - s.G if s.o.loss == "target" else s.y ** 2 if s.o.loss == "expr" else s.y,
    db_O=lambda s: s.dy.sum((0, 1)) if "b_O" in s else None,
    dW_O=lambda s: tok(s.C).T @ tok(s.dy) if s.o.WO else None,
    dC=lambda s: s.dy @ s.W_O.T if s.o.WO else s.dy,
    dO=lambda s: split(s.dC, s.o.H),
    dVr=lambda s: T_(s.Pd) @ s.dO,
    dPd=lambda s: s.dO @ T_(s.Vr),
    dP=lambda s: s.dPd * s.keep / (1 - s.o.p) if s.o.p else s.dPd,
    dM=lambda s: sm_back(s.P, s.dP),
    dZ=lambda s: s.dM,
    dS=lambda s: s.dZ * s.scale * (1 - (s.Z / s.o.softcap) ** 2) if s.o.softcap else s.dZ * s.scale,
    dQh=lambda s: s.dS @ s.Kr,
    dKr=lambda s: T_(s.dS) @ s.Qh,
    dKh=lambda s: un_rep(s.dKr, s.o),
    dVh=lambda s: un_rep(s.dVr, s.o),
    dQ=lambda s: merge(rotate(s.dQh, -s.ang_q(s), s.o.rope) if s.o.rope else s.dQh),
    dK=lambda s: merge((lambda t: rotate(t, -s.ang_k(s), s.o.rope) if s.o.rope else t)(s.dKh[:, :, s.o.past:])),
    dV=lambda s: merge(s.dVh[:, :, s.o.past:]),
    dW_Q=lambda s: tok(s.xPrime if not s.o["self"] else s.x).T @ tok(s.dQ),
    dW_K=lambda s: tok(s.x).T @ tok(s.dK),
    dW_V=lambda s: tok(s.x).T @ tok(s.dV) if s.o.head != "kq" else None,
    db_Q=lambda s: s.dQ.sum((0, 1)) if "b_Q" in s else None,
    db_K=lambda s: s.dK.sum((0, 1)) if "b_K" in s else None,
    db_V=lambda s: s.dV.sum((0, 1)) if "b_V" in s else None,
    dxq=lambda s: s.dQ @ s.W_Q.T,
    dxk=lambda s: s.dK @ s.W_K.T,
    dxv=lambda s: s.dV @ s.W_V.T if s.o.head != "kq" else s.dV,
    dx=lambda s: s.dxk + s.dxv + s.dxq if s.o["self"] else s.dxk + s.dxv,
    dxPrime=lambda s: None if s.o["self"] else s.dxq,
)


def run_backward(s, hooks):
    for k, fn in BACK.items(): s[k] = (hooks or {}).get(k, fn)(s)
    return s


NODES = ["x", "xPrime", "W_K", "W_Q", "W_V", "W_O", "b_K", "b_Q", "b_V", "b_O", "K", "Q", "V", "Kh", "Qh", "Vh", "S", "Z", "M",
         "P", "Pd", "O", "C", "y", "f"]


def has_node(o, a, k):
    if k in LEAVES:
        return k in a
    if k == "V":
        return o.head != "kq"
    if k in ("Kh", "Qh", "Vh", "O"):
        return o.head == "multihead"
    if k == "C":
        return o.WO
    if k == "M":
        return bool(has_mask(o))
    if k == "Pd":
        return bool(o.p)
    if k == "Z":
        return o.head != "kq" or o.scale is not None or o.softcap
    return True


def shaped(o, k, t):
    """From the internal shape to the node's."""
    if t.dim() == 0 or k.lstrip("d") in ("f",) or k[:3] == "W_Q":
        return t
    n = k[1:] if k[0] == "d" and k != "d" else k
    if n[:2] in ("W_", "b_"):
        return t
    if n in ("S", "Z", "M", "P", "Pd") and o.axes == "key-first": t = T_(t)
    if n in ("S", "Z", "M", "P", "Pd", "O", "Kh", "Qh", "Vh") and o.head != "multihead": t = t[:, 0]
    return t if o.B else t[0]


def run(o, a, fwd=None, bwd=None, dtype=torch.float64, mode="auto", post=None):
    """The trace, {N or dN: tensor}, by autograd ("auto") or by hand; `post` changes it at the end."""
    s = start(o, a, dtype, mode == "auto")
    run_forward(s, fwd, mode == "auto")
    tr = {}
    for k in NODES:
        if not has_node(o, a, k):
            continue
        if k in s:
            tr[k] = s[k].detach()
    if mode == "auto":
        s.f.backward(retain_graph=True)
        for k in NODES:
            if k in tr and k in s: tr["d" + k] = s[k].grad if s[k].grad is not None else torch.zeros_like(tr[k])
    else:
        run_backward(s, bwd)
        for k in NODES:
            if k in tr and "d" + k in s and s["d" + k] is not None: tr["d" + k] = s["d" + k]
    tr = {k: shaped(o, k, v) for k, v in tr.items()}
    if post: tr = post(tr, s, o, a)
    return tr
