"""Attention in PyTorch with autograd, with named places where people slip in the forward pass."""
import math

import torch


def run(o, arrays, slips=(), dtype=torch.float64):
    slips = set(slips)
    on = lambda name: name in slips
    leaf = lambda v: torch.tensor(v).to(dtype).requires_grad_()
    a = {k: torch.tensor(v) if v.dtype == bool else leaf(v) for k, v in arrays.items()}
    nodes = {}

    def keep(name, value):
        if value.requires_grad:
            value.retain_grad()
        nodes[name] = value
        return value

    for k, v in a.items():
        if k in ("x", "xPrime") or k[:2] in ("W_", "b_"):
            nodes[k] = v
    x, xq = a["x"], a.get("xPrime", a["x"])
    single = x.dim() == 2
    if single:
        x, xq = x[None], (xq[None] if xq.dim() == 2 else xq)
    B, n, m = x.shape[0], x.shape[1], xq.shape[1]
    H, Hk, dh, dv = o["H"], o["Hk"], o["dh"], o["dv"]
    bias = lambda k: a[f"b_{k}"] if o["bias"] else 0
    W = {k: a.get(f"W_{k}") for k in "QKVO"}
    if on("weights_k_v_swapped"): W["K"], W["V"] = W["V"], W["K"]
    if on("weight_q_transposed"): W["Q"] = W["Q"].T
    Q = keep("Q", xq @ W["Q"] + (0 if on("bias_q_missing") else bias("Q")))
    K = keep("K", (xq if on("k_from_queries") else x) @ W["K"] + bias("K"))
    V = keep("V", (xq if on("v_from_queries") else x) @ W["V"] + bias("V"))
    if on("detached_k"): K = K.detach()

    def split(X, heads, tag):
        if on("split_view") or on("split_view_" + tag): return X.reshape(B, heads, X.shape[1], -1)
        return X.view(B, X.shape[1], heads, -1).transpose(1, 2)

    def rotate(X, sign=1, pairing=None, first=0):
        w = X.shape[-1]
        pairing = pairing or o["rope"]
        theta = (first + torch.arange(X.shape[2]).double())[:, None] * o["base"] ** (-torch.arange(0, w, 2).double() / w)
        c, s = theta.cos().to(dtype), sign * theta.sin().to(dtype)
        if pairing == "half":
            u, v = X[..., : w // 2], X[..., w // 2:]
            return torch.cat([u * c - v * s, v * c + u * s], -1)
        u, v = X[..., 0::2], X[..., 1::2]
        return torch.stack([u * c - v * s, v * c + u * s], -1).flatten(-2)

    Qh, Kh, Vh = split(Q, H, "q"), split(K, Hk, "k"), split(V, Hk, "v")
    if o["rope"]:
        other = "half" if o["rope"] == "interleaved" else "interleaved"
        if not on("rope_missing"):
            Qh = rotate(Qh, pairing=other if on("rope_pairing") else None, first=1 if on("rope_offset") else 0)
        if not on("rope_missing") and not on("rope_missing_k"):
            Kh = rotate(Kh, sign=-1 if on("rope_sign_k") else 1,
                        pairing=other if on("rope_pairing") or on("rope_pairing_k") else None)
        if on("rope_on_v"): Vh = rotate(Vh)
    Qh, Kh, Vh = keep("Qh", Qh), keep("Kh", Kh), keep("Vh", Vh)
    g = H // Hk
    if on("gqa_tile"): Ke, Ve = Kh.repeat(1, g, 1, 1), Vh.repeat(1, g, 1, 1)
    else: Ke, Ve = Kh.repeat_interleave(g, 1), Vh.repeat_interleave(g, 1)
    S = keep("S", Ke @ Qh.transpose(-1, -2) if on("scores_swapped") else Qh @ Ke.transpose(-1, -2))
    scale = o["scale"] if o["scale"] is not None else dh ** -0.5
    if on("no_scale"): scale = 1
    if on("scale_model_width"): scale = (H * dh) ** -0.5
    if on("scale_inverted"): scale = dh ** 0.5
    if on("scale_twice"): scale = scale ** 2
    if on("scale_without_root"): scale = 1 / dh
    if on("scale_tokens"): scale = n ** -0.5
    if on("scale_value_width"): scale = dv ** -0.5
    Z = S * scale
    cap = o["softcap"]
    if cap and not on("cap_after_mask") and not on("cap_missing"): Z = cap * torch.tanh(Z / cap)
    Z = keep("Z", Z)
    j, i = torch.arange(m)[:, None], torch.arange(n)[None, :]
    shift = n - m if (o["mask"] == "causal-bottom-right") != on("causal_alignment") else 0
    hidden = torch.zeros(1, 1, m, n, dtype=torch.bool)
    add = torch.zeros(1, 1, m, n, dtype=dtype)
    masked = o["mask"] != "none" or bool(o["window"]) or o["alibi"]
    if o["mask"].startswith("causal"):
        hidden = (i > j + shift)[None, None]
        if on("causal_strict"): hidden = (i >= j + shift)[None, None]
        if on("causal_leak"): hidden = (i > j + shift + 1)[None, None]
    if o["mask"] in ("padding", "boolean"): hidden = ~a["mask"] if a["mask"].dim() == 4 else ~a["mask"][None, None]
    if o["mask"] == "ignore": hidden = a["mask"][None, None]
    if o["mask"] == "additive":
        hidden = torch.isinf(a["mask"])[None, None]
        add = torch.where(hidden, torch.zeros((), dtype=dtype), a["mask"].detach()[None, None])
    if o["window"]:
        w = o["window"] + (1 if on("window_wide") else -1 if on("window_narrow") else 0)
        hidden = hidden | ((j + shift - i).abs() >= w)
    if o["alibi"]:
        slopes = torch.tensor([2.0 ** (-8 * (h + 1) / H) for h in range(H)], dtype=torch.float64)
        add = add - (slopes[:, None, None] * (j + shift - i).abs()).to(dtype)[None]
    if on("mask_inverted"): hidden = ~hidden
    hidden = hidden.expand(B, -1, m, n)
    seen = (~hidden).to(dtype)
    step = Z
    if masked:
        M = torch.where(hidden, torch.full((), -math.inf, dtype=dtype), Z + add)
        if on("mask_add01"): M = Z + seen
        if on("mask_mul"): M = Z * seen
        if on("mask_fill_tiny"): M = Z.masked_fill(hidden, 1e-9)
        if on("mask_1e9"): M = (Z + add).masked_fill(hidden, -1e9)
        if on("mask_missing") or on("mask_after_softmax"): M = Z + 0
        if on("two_minima"):
            low = torch.where(hidden, torch.full((), torch.finfo(dtype).min, dtype=dtype), torch.zeros((), dtype=dtype))
            M = Z + add + low + low
        if cap and on("cap_after_mask"): M = cap * torch.tanh(torch.where(hidden, torch.full((), -math.inf, dtype=dtype), Z) / cap)
        step = keep("M", M)
    dim = -1
    if on("softmax_query_axis"): dim = -2
    if on("softmax_head_axis"): dim = 1
    if on("softmax_batch_axis"): dim = 0
    dead = (step == -math.inf).all(dim, keepdim=True)
    has_nan = on("nan_rows") or on("two_minima")
    P = torch.softmax(step if has_nan else torch.where(dead, torch.zeros((), dtype=dtype), step), dim)
    if not has_nan: P = torch.where(dead, torch.zeros((), dtype=dtype), P)
    if on("softmax_global"): P = torch.softmax(step.flatten(-2), -1).view_as(step)
    if on("no_softmax"): P = torch.where(torch.isinf(step), torch.zeros((), dtype=dtype), step)
    if on("sigmoid"): P = torch.sigmoid(step)
    if on("softmax_no_max"): P = step.exp() / step.exp().sum(-1, keepdim=True)
    if on("mask_after_softmax"): P = P * seen
    P = keep("P", P)
    last = P
    p = o["dropout"]
    if p:
        k = a["keep"].to(dtype)
        factor = 1 / (1 - p)
        if on("drop_unscaled"): factor = 1
        if on("drop_inverse"): factor = 1 / p
        if on("drop_twice"): factor = factor ** 2
        last = keep("Pd", P * k * factor)
    O = keep("O", last @ Ve)
    C = O.transpose(1, 2).flatten(-2)
    if on("merge_reshape"): C = O.reshape(B, m, -1)
    y = C
    if o["W_O"]:
        C = keep("C", C)
        y = C @ (W["O"].T if on("weight_o_transposed") else W["O"]) + (0 if on("bias_o_missing") else bias("O"))
    if on("residual_in_y"): y = y + xq
    y = keep("y", y)
    G = a["G"].detach()
    G = G[None] if single else G
    if o["loss"] == "upstream": f = (G * y).sum()
    elif o["loss"] == "target": f = ((y - G) ** 2).sum() / 2
    else: f = (y * y).sum() / 2
    if on("loss_mean"): f = f / y.numel()
    f = keep("f", f)
    f.backward(retain_graph=on("not_zeroed"))
    if on("not_zeroed"):
        kept = {k: v.grad.clone() for k, v in nodes.items() if not v.is_leaf}
        f.backward()
        for k, g_ in kept.items():
            nodes[k].grad = g_
    out = {}
    for name, v in nodes.items():
        squeeze = (lambda t: t[0] if single and t.dim() >= 3 and name not in ("x", "xPrime") else t)
        out[name] = squeeze(v.detach())
        grad = v.grad if v.grad is not None else torch.zeros_like(v)
        out[f"d{name}"] = squeeze(grad)
    return {k: v.double().numpy() if dtype == torch.bfloat16 else v.numpy() for k, v in out.items()}
