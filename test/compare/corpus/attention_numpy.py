"""Attention forward and backward by hand in NumPy, with named places where people slip.

`run(options, arrays, slips, dtype)` returns every node N and gradient dN. A slip is a name in the set `slips`;
each `if on(...)` below is one.
"""
import numpy as np


def softmax(z, axis=-1):
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max(axis=axis, keepdims=True))
        return np.where(np.isnan(e).all(axis=axis, keepdims=True), 0, e / e.sum(axis=axis, keepdims=True)).astype(z.dtype)


def bf16(value):
    """Rounds float32 to bfloat16."""
    bits = np.asarray(value, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.astype(np.uint32).view(np.float32).astype(np.asarray(value).dtype)


def run(o, arrays, slips=(), dtype=np.float64):
    slips = set(slips)
    on = lambda name: name in slips
    a = {k: (v if v.dtype == bool else v.astype(dtype)) for k, v in arrays.items()}
    t = {}
    single = a["x"].ndim == 2
    if single:
        for k in ("x", "xPrime", "G"):
            if k in a:
                a[k] = a[k][None]
    x, xq = a["x"], a.get("xPrime", a["x"])
    B, n, m = x.shape[0], x.shape[1], xq.shape[1]
    H, Hk, dh, dv = o["H"], o["Hk"], o["dh"], o["dv"]
    g = H // Hk
    scale = dtype(o["scale"] if o["scale"] is not None else dh ** -0.5)
    true_scale = scale
    W = {k: a.get(f"W_{k}") for k in "QKVO"}
    if on("weights_k_v_swapped"): W["K"], W["V"] = W["V"], W["K"]
    if on("weights_q_k_swapped"): W["Q"], W["K"] = W["K"], W["Q"]
    if on("weight_q_transposed"): W["Q"] = W["Q"].T
    if on("weight_v_transposed"): W["V"] = W["V"].T
    src_k = xq if on("k_from_queries") else x
    src_v = xq if on("v_from_queries") else x
    Q, K, V = xq @ W["Q"], src_k @ W["K"], src_v @ W["V"]
    if o["bias"]:
        if not on("bias_q_missing"): Q = Q + a["b_Q"]
        K = K + a["b_K"] * (2 if on("bias_k_twice") else 1)
        V = V + (a["b_K"] if on("bias_v_is_b_k") else a["b_V"])
    if on("q_prescaled"): Q = Q * scale
    if on("residual_in_k"): K = K + x

    def split(X, heads, tag=""):
        w = X.shape[-1] // heads
        if on("split_view") or on("split_view_" + tag): return X.reshape(B, heads, X.shape[1], w)
        if on("split_interleaved_" + tag): return X.reshape(B, -1, w, heads).transpose(0, 3, 1, 2)
        return X.reshape(B, -1, heads, w).transpose(0, 2, 1, 3)

    def unsplit(X): return X.transpose(0, 2, 1, 3).reshape(B, X.shape[2], -1)

    def rotate(X, sign=1, pairing=None, base=None, first=0, cut=False):
        pairing, base = pairing or o["rope"], base or o["base"]
        w = X.shape[-1]
        theta = (first + np.arange(X.shape[2]))[:, None] * base ** (-np.arange(0, w, 2) / w)
        if cut: theta[:, w // 4:] = 0
        c, s = np.cos(theta).astype(dtype), (sign * np.sin(theta)).astype(dtype)
        Y = np.empty_like(X)
        u, v = (slice(0, w // 2), slice(w // 2, w)) if pairing == "half" else (slice(0, w, 2), slice(1, w, 2))
        Y[..., u], Y[..., v] = X[..., u] * c - X[..., v] * s, X[..., v] * c + X[..., u] * s
        return Y

    Qh, Kh, Vh = split(Q, H, "q"), split(K, Hk, "k"), split(V, Hk, "v")
    rq, rk = {}, {}
    if o["rope"]:
        other = "half" if o["rope"] == "interleaved" else "interleaved"
        if on("rope_pairing"): rq = rk = {"pairing": other}
        if on("rope_pairing_k"): rk = {"pairing": other}
        if on("rope_sign_k"): rk = {"sign": -1}
        if on("rope_base"): rq = rk = {"base": 1000}
        if on("rope_offset"): rq = {"first": 1}
        if on("rope_partial"): rq = rk = {"cut": True}
        if not on("rope_missing"): Qh = rotate(Qh, **rq)
        if not on("rope_missing") and not on("rope_missing_k"): Kh = rotate(Kh, **rk)
        if on("rope_twice_q"): Qh = rotate(Qh, **rq)
        if on("rope_on_v"): Vh = rotate(Vh)
    kv = np.arange(H) // g
    if on("gqa_tile"): kv = np.arange(H) % Hk
    if on("gqa_first"): kv = np.zeros(H, int)
    kv_v = np.arange(H) // g if on("gqa_tile_k_only") else kv
    if on("gqa_tile_k_only"): kv = np.arange(H) % Hk
    Ke, Ve = Kh[:, kv], Vh[:, kv_v]
    S = Qh @ Ke.transpose(0, 1, 3, 2)
    if on("qq_scores"): S = Qh @ Qh.transpose(0, 1, 3, 2)
    if on("scores_swapped"): S = Ke @ Qh.transpose(0, 1, 3, 2)
    if on("no_scale"): scale = dtype(1)
    if on("scale_model_width"): scale = dtype((H * dh) ** -0.5)
    if on("scale_inverted"): scale = dtype(dh ** 0.5)
    if on("scale_twice"): scale = scale * scale
    if on("scale_without_root"): scale = dtype(1 / dh)
    if on("scale_tokens"): scale = dtype(n ** -0.5)
    if on("scale_arbitrary"): scale = dtype(0.3779)
    Z = S * scale
    cap = o["softcap"]
    if cap and not on("cap_after_mask"):
        if on("cap_missing"): pass
        elif on("cap_no_division"): Z = cap * np.tanh(Z)
        elif on("cap_no_multiplication"): Z = np.tanh(Z / cap)
        elif on("cap_before_scale"): Z = scale * cap * np.tanh(S / cap)
        else: Z = cap * np.tanh(Z / cap)
    Z = Z.astype(dtype)
    j, i = np.arange(m)[:, None], np.arange(n)[None, :]
    shift = n - m if (o["mask"] == "causal-bottom-right") != on("causal_alignment") else 0
    hidden = np.zeros((1, 1, m, n), bool)
    bias = np.zeros((1, 1, m, n), dtype)
    if o["mask"].startswith("causal"):
        hidden = (i > j + shift)[None, None]
        if on("causal_strict"): hidden = (i >= j + shift)[None, None]
        if on("causal_leak"): hidden = (i > j + shift + 1)[None, None]
        if on("causal_transposed"): hidden = (i < j + shift)[None, None]
    if o["mask"] in ("padding", "boolean"): hidden = np.broadcast_to(~a["mask"], (B, 1, m, n)) if a["mask"].ndim == 4 else ~a["mask"][None, None]
    if o["mask"] == "ignore": hidden = a["mask"][None, None]
    if o["mask"] == "padding" and on("padding_on_queries"):
        hidden = ~a["mask"].transpose(0, 1, 3, 2)[:, :, :m]
        hidden = np.broadcast_to(np.pad(hidden, ((0, 0), (0, 0), (0, m - hidden.shape[2]), (0, 0))), (B, 1, m, n))
    if o["mask"] == "padding" and on("mask_first_batch"): hidden = np.broadcast_to(~a["mask"][:1], (B, 1, m, n))
    if o["mask"] == "additive":
        bias = np.where(np.isinf(a["mask"]), 0, a["mask"])[None, None].astype(dtype)
        hidden = np.isinf(a["mask"])[None, None]
        if on("mask_subtracted"): bias = -bias
        if on("mask_bias_missing"): bias = 0 * bias
    if o["window"]:
        w = o["window"] + (1 if on("window_wide") else -1 if on("window_narrow") else 0)
        hidden = hidden | (np.abs(j + shift - i) >= w)
    if o["alibi"]:
        slopes = 2.0 ** (-8 * (np.arange(H) + (0 if on("alibi_start") else 1)) / H)
        bias = bias - (slopes[:, None, None] * np.abs(j + shift - i)).astype(dtype)[None] * (-1 if on("alibi_sign") else 1)
    if on("mask_inverted"): hidden = ~hidden
    if on("mask_missing"): hidden = hidden & False
    seen = (~hidden).astype(dtype)
    masked = o["mask"] != "none" or bool(o["window"]) or o["alibi"]
    M = np.where(hidden, -np.inf, Z + bias).astype(dtype)
    if on("mask_add01"): M = Z + seen
    if on("mask_add_ignore01"): M = Z + hidden.astype(dtype)
    if on("mask_mul"): M = Z * seen
    if on("mask_fill_zero"): M = np.where(hidden, 0, Z).astype(dtype)
    if on("mask_fill_tiny"): M = np.where(hidden, -1e-9, Z).astype(dtype)
    if on("mask_fill_small"): M = np.where(hidden, -5.0, Z).astype(dtype)
    if on("mask_1e9"): M = np.where(hidden, dtype(-1e9), Z + bias).astype(dtype)
    if on("mask_after_softmax") or on("mask_after_softmax_renormalised"): M = Z
    if cap and on("cap_after_mask"): M = (cap * np.tanh(np.where(hidden, -np.inf, Z) / cap)).astype(dtype)
    if on("causal_unwanted"): M = np.where(i > j, -np.inf, M).astype(dtype)
    axes = -1
    if on("softmax_query_axis"): axes = -2
    if on("softmax_head_axis"): axes = 1
    if on("softmax_batch_axis"): axes = 0
    if on("softmax_global"): axes = (-2, -1)
    P = softmax(M, axes)
    if on("no_softmax"): P = np.where(np.isinf(M), 0, M)
    if on("not_normalised"): P = np.exp(M - M.max(-1, keepdims=True))
    if on("softmax_no_max"):
        with np.errstate(all="ignore"):
            P = np.exp(M) / np.exp(M).sum(-1, keepdims=True)
    if on("softmax_global_max"):
        with np.errstate(all="ignore"):
            P = np.exp(M - M.max()) / np.exp(M - M.max()).sum(-1, keepdims=True)
    if on("softmax_base2"): P = np.exp2(M) / np.exp2(M).sum(-1, keepdims=True)
    if on("softmax_plus_one"): P = (np.exp(M) / (1 + np.exp(M).sum(-1, keepdims=True))).astype(dtype)
    if on("sigmoid"): P = (1 / (1 + np.exp(-M))).astype(dtype)
    if on("softmax_twice"): P = softmax(softmax(M))
    if on("softmax_bf16"): P = bf16(softmax(bf16(M)))
    if on("p_stored_bf16"): P = bf16(P)
    if on("mask_after_softmax"): P = P * seen
    if on("mask_after_softmax_renormalised"): P = P * seen / (P * seen).sum(-1, keepdims=True)
    p = o["dropout"]
    keep = a["keep"].astype(dtype) if p else np.ones((1, 1, 1, 1), dtype)
    factor = dtype(1 / (1 - p) if p else 1)
    if p and on("keep_inverted"): keep = 1 - keep
    if on("drop_unscaled"): factor = dtype(1)
    if on("drop_inverse"): factor = dtype(1 / p)
    if on("drop_twice"): factor = factor * factor
    if on("drop_missing"): keep, factor = np.ones_like(keep), dtype(1)
    Pd = P * keep * factor
    Pv = P if on("o_from_undropped") else M if on("o_from_logits") else Pd
    O = Pv @ Ve
    if on("o_from_keys"): O = Pv @ Ke
    C = unsplit(O)
    if on("merge_reshape"): C = O.reshape(B, m, -1)
    if on("merge_interleaved"): C = O.transpose(0, 2, 3, 1).reshape(B, m, -1)
    y = C
    if o["W_O"]:
        y = C @ (W["O"].T if on("weight_o_transposed") else W["O"])
        if o["bias"] and not on("bias_o_missing"): y = y + a["b_O"]
    if on("residual_in_y"): y = y + xq
    if on("y_doubled"): y = 2 * y
    if o["loss"] == "upstream":
        f, dy = (a["G"] * y).sum(), a["G"]
    elif o["loss"] == "target":
        f, dy = ((y - a["G"]) ** 2).sum() / 2, y - a["G"]
    else:
        f, dy = (y * y).sum() / 2, y
    if on("loss_mean"): f, dy = f / y.size, dy / dtype(y.size)
    if on("loss_batch_mean"): f, dy = f / B, dy / dtype(B)
    if on("loss_no_half"): f, dy = 2 * f, 2 * dy
    if on("dy_no_half"): dy = 2 * dy
    if on("dy_ones"): dy = np.ones_like(y)
    if on("dy_sign"): dy = -dy

    # Backward.
    d = {"f": np.ones((), dtype), "y": dy}
    T = lambda X: np.swapaxes(X, -1, -2)
    flat = lambda X: X.reshape(-1, X.shape[-1])
    total = lambda X: flat(X).sum(0)
    dC = dy
    if o["W_O"]:
        d["W_O"] = flat(C).T @ flat(dy)
        if on("dW_O_transposed"): d["W_O"] = d["W_O"].T
        if on("dW_O_last_batch"): d["W_O"] = C[-1].T @ dy[-1]
        if o["bias"]:
            d["b_O"] = dy[-1].sum(0) if on("db_last_batch") else dy[:, -1].sum(0) if on("db_last_token") else total(dy)
            if on("db_mean"): d["b_O"] = flat(dy).mean(0)
        dC = dy @ (W["O"] if on("dC_W_not_transposed") else W["O"].T)
        d["C"] = dC
    dO = dC.reshape(B, m, H, dv).transpose(0, 2, 1, 3)
    if on("merge_reshape") or on("dO_reshape"): dO = dC.reshape(B, H, m, dv)
    P_b = P
    if on("p_recomputed_unmasked"): P_b = softmax(Z)
    Pd_b = P_b * keep * factor
    if on("dV_from_undropped"): Pd_b = P_b
    if on("dV_p_bf16"): Pd_b = bf16(Pd_b)
    dVe = (Pd_b if on("dV_no_transpose") else T(Pd_b)) @ dO
    if on("dV_from_y"): dVe = T(Pd_b) @ O
    dPd = dO @ T(Ve)
    if on("dP_from_keys"): dPd = dO @ T(Ke)
    if on("dP_v_not_transposed"): dPd = dO @ Ve
    back_factor = factor
    if on("back_drop_unscaled"): back_factor = dtype(1)
    if on("back_drop_p"): back_factor = dtype(p)
    if on("back_drop_twice"): back_factor = factor * factor
    back_keep = np.ones_like(keep) if on("back_drop_no_mask") else keep
    dP = dPd * back_keep * back_factor
    if on("back_drop_skipped"): dP = dPd
    D = (P_b * dP).sum(-1, keepdims=True)
    if on("jac_sum_query"): D = (P_b * dP).sum(-2, keepdims=True)
    if on("jac_sum_global"): D = (P_b * dP).sum((-2, -1), keepdims=True)
    if on("jac_mean"): D = (P_b * dP).mean(-1, keepdims=True)
    if on("jac_sum_dP"): D = dP.sum(-1, keepdims=True)
    if on("jac_sum_heads"): D = (P_b * dP).sum(1, keepdims=True)
    if on("jac_keepdim"): D = (P_b * dP).sum(-1)[..., None, :]
    dM = P_b * (dP - D)
    if on("jac_diagonal"): dM = P_b * (1 - P_b) * dP
    if on("jac_no_sum"): dM = P_b * dP
    if on("jac_skip"): dM = dP
    if on("jac_sign"): dM = P_b * (dP + D)
    if on("jac_negative"): dM = -dM
    if on("jac_logits"): dM = np.where(np.isinf(M), 0, M) * (dP - (np.where(np.isinf(M), 0, M) * dP).sum(-1, keepdims=True))
    if on("jac_unweighted"): dM = dP - D
    if on("jac_sum_unweighted"): dM = P_b * dP - D
    if on("jac_uses_dropped"): dM = Pd * (dP - (Pd * dP).sum(-1, keepdims=True))
    if on("jac_from_dPd"): dM = P_b * (dPd - (P_b * dPd).sum(-1, keepdims=True))
    if on("jac_squared"): dM = P_b * dP - P_b * P_b * dP.sum(-1, keepdims=True)
    if on("jac_inplace"): dM = P_b * keep * (dP - D)
    dZ = np.where(hidden, 0, dM) if masked and not (on("mask_add01") or on("mask_add_ignore01") or on("mask_after_softmax")) else dM
    if on("mask_mul"): dZ = dM * seen
    dS = dZ * scale
    if on("back_no_scale"): dS = dZ
    if on("back_scale_twice"): dS = dZ * scale * scale
    if on("back_right_scale"): dS = dZ * true_scale
    if cap and not (on("cap_missing") or on("cap_after_mask")):
        slope = 1 - (Z / cap) ** 2
        if on("back_cap_missing"): slope = 1
        if on("back_cap_not_divided"): slope = 1 - Z ** 2
        if on("back_cap_not_squared"): slope = 1 - Z / cap
        if on("back_cap_of_logits"): slope = 1 - (S * scale / cap) ** 2
        dS = dS * slope
    dS_q = bf16(dS) if on("dS_bf16") else dS
    dQh = dS_q @ Ke
    dKe = T(dS_q) @ Qh
    if on("dK_no_transpose"): dKe = dS @ Qh
    if on("dQ_transpose"): dQh = T(dS) @ Ke
    if on("dK_from_K"): dKe = T(dS) @ Ke
    if on("dQ_from_Q"): dQh = dS @ Qh
    if on("dK_from_dM"): dKe = T(dM) @ Qh
    if on("scale_only_dQ"): dKe = dKe / scale
    if on("scale_only_dK"): dQh = dQh / scale
    if on("dK_unrotated") and o["rope"]: dKe = T(dS_q) @ split(Q, H, "q")
    if on("dQ_dK_swapped"): dQh, dKe = dKe, dQh

    def group(X, name):
        Y = X.reshape(B, Hk, g, *X.shape[2:])
        if on("gqa_mean"): return Y.mean(2)
        if on("gqa_last"): return Y[:, :, -1]
        if on("gqa_first_member"): return Y[:, :, 0]
        if on("gqa_wrong_sum"): return X.reshape(B, g, Hk, *X.shape[2:]).sum(1)
        if on("gqa_sum_k_only") and name == "V": return Y[:, :, -1]
        if on("gqa_tile"): return X.reshape(B, g, Hk, *X.shape[2:]).sum(1)
        return Y.sum(2)

    dKh, dVh = group(dKe, "K"), group(dVe, "V")
    uQ, uK = dQh, dKh
    if o["rope"] and not on("rope_missing"):
        sign = 1 if on("back_rope_sign") else -1
        sq, sk = sign * rq.get("sign", 1), sign * rk.get("sign", 1)
        uQ = dQh if on("back_rope_missing") else rotate(dQh, **{**rq, "sign": sq})
        uK = dKh if on("back_rope_missing") or on("back_rope_missing_k") else rotate(dKh, **{**rk, "sign": sk})
    dQ, dK, dV = unsplit(uQ), unsplit(uK), unsplit(dVh)
    if on("dV_merge_reshape"): dV = dVh.reshape(B, n, -1)
    for name, dX, src in (("Q", dQ, xq), ("K", dK, x), ("V", dV, x)):
        d[f"W_{name}"] = flat(src).T @ flat(dX)
        if o["bias"]: d[f"b_{name}"] = total(dX)
    if on("dW_K_last_batch"): d["W_K"] = x[-1].T @ dK[-1]
    if on("dW_Q_batch_mean"): d["W_Q"] = d["W_Q"] / B
    if on("dW_V_transposed"): d["W_V"] = d["W_V"].T
    if on("dW_Q_from_x_wrong"): d["W_Q"] = flat(x).T @ flat(dQ)
    if on("db_K_last"): d["b_K"] = dK[:, -1].sum(0)
    if on("detached_k"): dK = dK * 0; d["W_K"] = d["W_K"] * 0
    if on("detached_w_v"): d["W_V"] = d["W_V"] * 0
    Wk = W["K"] if on("dX_W_not_transposed") else W["K"].T
    via_q, via_k, via_v = dQ @ W["Q"].T, dK @ Wk, dV @ W["V"].T
    if o["self_attention"]:
        dx = via_q + via_k + via_v
        if on("dX_no_q"): dx = via_k + via_v
        if on("dX_no_k"): dx = via_q + via_v
        if on("dX_no_v"): dx = via_q + via_k
        if on("dX_overwrite"): dx = via_v
        if on("dX_double_q"): dx = dx + via_q
        if on("dX_mean_paths"): dx = dx / 3
    else:
        dx = via_k + via_v
        d["xPrime"] = via_q
        if on("dX_no_k"): dx = via_v
        if on("dX_no_v"): dx = via_k
        if on("dX_overwrite"): dx = via_v
        if on("dX_double_k"): dx = dx + via_k
        if on("dX_prime_plus_residual"): d["xPrime"] = via_q + xq
    if on("dX_residual"): dx = dx + x
    d["x"] = dx
    d.update(O=dO, P=dP, M=dM, Z=dZ, S=dS, Qh=dQh, Kh=dKh, Vh=dVh, Q=dQ, K=dK, V=dV)
    if p: d["Pd"] = dPd
    leaves = [k for k in d if k[:2] in ("W_", "b_") or k in ("x", "xPrime")]
    if on("not_zeroed"):
        for k in leaves: d[k] = 2 * d[k]
    if on("not_zeroed_3"):
        for k in leaves: d[k] = 3 * d[k]
    if on("weight_decay"):
        for k in leaves:
            if k[:2] == "W_": d[k] = d[k] + dtype(0.01) * a[k]
    if on("clipped"):
        norm = np.sqrt(sum((d[k] ** 2).sum() for k in leaves))
        for k in leaves: d[k] = d[k] / norm
    if on("averaged_batch"):
        for k in leaves:
            if k[:2] in ("W_", "b_"): d[k] = d[k] / B

    t.update(Q=Q, K=K, V=V, Qh=Qh, Kh=Kh, Vh=Vh, S=S, Z=Z, P=P, O=O, y=y, f=np.asarray(f, dtype))
    if masked: t["M"] = M
    if p: t["Pd"] = Pd
    if o["W_O"]: t["C"] = C
    if not masked: d["Z"] = d.pop("M")
    if not masked: d["Z"] = dM
    for k in d: t[f"d{k}"] = d[k]
    t.update({k: v for k, v in a.items() if k in ("x", "xPrime") or k[:2] in ("W_", "b_")})
    if single:
        t = {k: v[0] if v.ndim >= 3 else v for k, v in t.items()}
    return t
