"""Attention in blocks (online softmax, weights recomputed in the backward pass), with the slips of such kernels."""
import zlib

import numpy as np

import problems

# slip -> what the first cause must be
SLIPS = {
    "accumulator_not_rescaled": "^kernel-accumulator-not-rescaled",
    "sum_not_rescaled": "^kernel-denominator-not-rescaled",
    "nothing_rescaled": "^kernel-accumulator-and-denominator-not-rescaled",
    "rescaling_sign": "^kernel-rescaled-with-wrong-sign",
    "sum_of_last_block": "^kernel-denominator-of-last-block",
    "divided_in_each_block": "^kernel-normalised-in-each-block",
    "last_block_skipped": "^(kernel-last-block-skipped|operand-key-last-skipped|mask-of-other-entries|mask-block-bound-rounded-down)",
    "not_divided": "^(kernel-last-accumulator-not-divided|softmax-not-normalised)",
    "divided_by_log": "^kernel-divided-by-logarithm",
    "lse_base_2": "^kernel-backward-lse-of-base-2",
    "lse_maximum_only": "^kernel-backward-lse-without-sum",
    "lse_without_maximum": "^kernel-backward-lse-without-maximum",
    "lse_rolled": "^kernel-backward-lse-of-other-query",
    "recomputed_unscaled": "^kernel-backward-unscaled",
    "D_of_block": "^kernel-backward-sum-of-block",
    "D_rolled": "^kernel-backward-sum-of-other-query",
    "D_of_dO": "^softmax-backward-sum-of-other-product",
    "dQ_assigned": "^(kernel-backward-only-last-block|backward-only-last)",
    "dK_assigned": "^(kernel-backward-only-last-block|backward-only-last)",
    "dV_assigned": "^(kernel-backward-only-last-block|backward-only-last)",
}
# slip -> what the first cause must be, under a causal mask, with blocks of queries and of keys that differ in size
MASK_SLIPS = {
    "diagonal_not_visited": "^mask-block-diagonal-skipped",
    "blocks_rounded_down": "^mask-block-bound-rounded-down",
    "diagonal_not_masked": "^mask-block-unmasked",
    "numbers_of_blocks": "^mask-block-number-compared",
    "local_indices": "^mask-block-local-index",
    "local_indices_on_diagonal": "^mask-block-local-index",
}
MASK_OPTIONS = (dict(B=0, m=8, n=8, H=2, Hk=2, dh=2, dv=3, mask="causal"), dict(B=2, m=7, n=10, H=2, Hk=1, dh=3, dv=2, mask="causal-bottom-right"))
# slip -> what the first cause must be, where the weights that the backward pass recomputes are given as P
LOGGED_SLIPS = {
    "sum_not_rescaled": "^kernel-recomputed-denominator-not-rescaled",
    "nothing_rescaled": "^kernel-recomputed-denominator-not-rescaled",
    "sum_of_last_block": "^kernel-recomputed-denominator-of-last-block",
    "lse_base_2": "^kernel-recomputed-lse-of-base-2",
    "lse_maximum_only": "^kernel-recomputed-lse-without-sum",
    "lse_without_maximum": "^kernel-recomputed-lse-without-maximum",
    "lse_of_first_block": "^kernel-recomputed-lse-of-other-row",
    "recomputed_unscaled": "^kernel-recomputed-unscaled",
}
OPTIONS = (dict(B=0, m=5, n=8, H=2, Hk=2, dh=2, dv=3), dict(B=2, m=6, n=7, H=4, Hk=2, dh=3, dv=2, mask="causal-bottom-right"))
WANTED = {
    "all": lambda key: key != "P",
    "logged": lambda key: True,
    "kernel": lambda key: key in ("y", "dQ", "dK", "dV"),
}


def hides(o, slip=None):
    """What a kernel hides that walks the keys of each block of queries in blocks."""
    hidden = np.ones((o["m"], o["n"]), bool)
    more = o["n"] - o["m"] if o["mask"] == "causal-bottom-right" else 0
    size_q, size_k = (3, 2) if o["mask"] == "causal" else (2, 3)
    for number, q in enumerate(range(0, o["m"], size_q)):
        end = q + size_q + more
        count = -(-end // size_k)
        if slip == "diagonal_not_visited": count = (q + more) // size_k
        if slip == "blocks_rounded_down": count = end // size_k
        if slip == "numbers_of_blocks": count = number + 1
        for k in range(0, min(count * size_k, o["n"]), size_k):
            rows, keys = np.arange(q, min(q + size_q, o["m"])), np.arange(k, min(k + size_k, o["n"]))
            later = keys[None] > rows[:, None] + more
            is_diagonal = k + size_k - 1 > q + more
            if slip == "local_indices" or (slip == "local_indices_on_diagonal" and is_diagonal):
                later = (keys - k)[None] > (rows - q)[:, None]
            if slip == "diagonal_not_masked": later[:] = False
            hidden[np.ix_(rows, keys)] = later
    return hidden


def forward(Q, K, V, scale, hidden, block, on):
    O, L = np.zeros((len(Q), V.shape[1])), np.zeros(len(Q))
    m, l, acc = np.full(len(Q), -np.inf), np.zeros(len(Q)), np.zeros((len(Q), V.shape[1]))
    end = len(K) // block * block if on("last_block_skipped") else len(K)
    if end == len(K) and on("last_block_skipped"):
        end -= block
    for k in range(0, end, block):
        part = slice(k, min(k + block, len(K)))
        S = np.where(hidden[:, part], -np.inf, Q @ K[part].T * scale)
        new = np.maximum(m, S.max(1))
        base = np.where(np.isinf(new), 0, new)
        P = np.exp(S - base[:, None])
        before = np.exp(np.where(np.isinf(m), -np.inf, m - base))
        if on("rescaling_sign"):
            before = np.where(np.isinf(m), 0, np.exp(base - np.where(np.isinf(m), 0, m)))
        l = P.sum(1) + (0 if on("sum_of_last_block") else l * (1 if on("sum_not_rescaled") or on("nothing_rescaled") else before))
        acc = P @ V[part] + acc * (1 if on("accumulator_not_rescaled") or on("nothing_rescaled") else before[:, None])
        if on("divided_in_each_block"):
            acc = acc / l[:, None]
        m = new
    O = acc if on("not_divided") or on("divided_in_each_block") else acc / (np.log(l) if on("divided_by_log") else l)[:, None]
    L = m + (np.log2(l) if on("lse_base_2") else 0 if on("lse_maximum_only") else np.log(l))
    if on("lse_of_first_block"):
        L = L[np.arange(len(L)) % block]
    return O, np.log(l) if on("lse_without_maximum") else np.roll(L, 1) if on("lse_rolled") else L


def backward(Q, K, V, O, L, dO, scale, hidden, block, on):
    dQ, dK, dV, weights = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(V), np.zeros(hidden.shape)
    D = (dO * (dO if on("D_of_dO") else O)).sum(1)
    if on("D_rolled"):
        D = np.roll(D, 1)
    for k in range(0, len(K), block):
        keys = slice(k, min(k + block, len(K)))
        for q in range(0, len(Q), block):
            rows = slice(q, min(q + block, len(Q)))
            S = Q[rows] @ K[keys].T * (1 if on("recomputed_unscaled") else scale)
            P = np.where(hidden[rows, keys], 0, np.exp(S - L[rows, None]))
            weights[rows, keys] = P
            dP = dO[rows] @ V[keys].T
            own = (P * dP).sum(1) if on("D_of_block") else D[rows]
            dS = P * (dP - own[:, None]) * scale
            if on("dV_assigned"): dV[keys] = 0
            if on("dK_assigned"): dK[keys] = 0
            if on("dQ_assigned"): dQ[rows] = 0
            dV[keys] += P.T @ dO[rows]
            dK[keys] += dS.T @ Q[rows]
            dQ[rows] += dS @ K[keys]
    return dQ, dK, dV, weights


def run(o, a, slip, block):
    """All that a program around such a kernel has: no scores, no weights."""
    on = lambda name: name == slip
    batched = {key: (a[key] if a[key].ndim == 3 else a[key][None]) for key in ("x", "xPrime", "G")}
    x, xq, G = batched["x"], batched["xPrime"], batched["G"]
    split = lambda t, heads: t.reshape(*t.shape[:-1], heads, -1).swapaxes(-2, -3)
    merge = lambda t: t.swapaxes(-2, -3).reshape(t.shape[0], t.shape[2], -1)
    K, Q, V = x @ a["W_K"], xq @ a["W_Q"], x @ a["W_V"]
    Kh, Qh, Vh = split(K, o["Hk"]), split(Q, o["H"]), split(V, o["Hk"])
    hidden = hides(o, slip) if o["mask"] != "none" else np.zeros((o["m"], o["n"]), bool)
    scale, group = o["dh"] ** -0.5, o["H"] // o["Hk"]
    O, L = np.zeros((*Qh.shape[:-1], o["dv"])), np.zeros(Qh.shape[:-1])
    for b in range(len(x)):
        for h in range(o["H"]):
            O[b, h], L[b, h] = forward(Qh[b, h], Kh[b, h // group], Vh[b, h // group], scale, hidden, block, on)
    C = merge(O)
    y = C @ a["W_O"]
    dy = G
    dC = dy @ a["W_O"].T
    dO = split(dC, o["H"])
    dQh, dKh, dVh = np.zeros_like(Qh), np.zeros_like(Kh), np.zeros_like(Vh)
    P = np.zeros((*O.shape[:-1], o["n"]))
    for b in range(len(x)):
        for h in range(o["H"]):
            g = h // group
            dQh[b, h], k, v, P[b, h] = backward(Qh[b, h], Kh[b, g], Vh[b, g], O[b, h], L[b, h], dO[b, h], scale, hidden, block, on)
            dKh[b, g] += k
            dVh[b, g] += v
    dQ, dK, dV = merge(dQh), merge(dKh), merge(dVh)
    over = lambda left, right: np.einsum("bic,bio->co", left, right)
    trace = dict(K=K, Q=Q, V=V, Kh=Kh, Qh=Qh, Vh=Vh, P=P, O=O, C=C, y=y, dy=dy, dC=dC, dO=dO, dQh=dQh, dKh=dKh, dVh=dVh, dQ=dQ, dK=dK, dV=dV,
                 dW_O=over(C, dy), dW_K=over(x, dK), dW_Q=over(xq, dQ), dW_V=over(x, dV),
                 dx=dK @ a["W_K"].T + dV @ a["W_V"].T, dxPrime=dQ @ a["W_Q"].T)
    is_weight = lambda key: key.startswith("dW_")
    return {key: value if o["B"] or is_weight(key) else value[0] for key, value in trace.items()}


def kernel_cases(draw=""):
    """Dictionaries for the manifest, each with the clean and the slipped trace and the setup."""
    for slip, expect, subset in [
        *((slip, expect, subset) for slip, expect in {**SLIPS, **MASK_SLIPS}.items() for subset in ("all", "kernel")),
        *((slip, expect, "logged") for slip, expect in LOGGED_SLIPS.items()),
    ]:
        for number, options in enumerate(MASK_OPTIONS if slip in MASK_SLIPS else OPTIONS):
            # Later blocks that overwrite are told apart from a mask only where each query sees all keys.
            if number == 1 and slip in ("dQ_assigned", "sum_of_last_block"):
                continue
            o, a = problems.make(zlib.crc32(f"{slip} {number}{draw}".encode()), **options)
            clean, slipped = run(o, a, None, 3), run(o, a, slip, 3)
            pick = lambda trace: {key: value for key, value in trace.items() if WANTED[subset](key)}
            entry = dict(row="kernel", slips=[slip], expect=[expect], options=options, library="numpy, blocks",
                         dtype="float64", subset=subset, names="ids")
            yield entry, pick(clean), pick(slipped), problems.setup(o, a)
