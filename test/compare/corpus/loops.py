"""One head as plain loops over batch, queries and keys, forward and backward, with the slips that loops invite."""
import zlib

import numpy as np

import problems

# slip -> what the first cause must be
SLIPS = {
    "sum_not_reset": "^softmax-sum-not-reset",
    "sum_too_early": "^softmax-sum-used-too-early",
    "sum_overwritten": "^softmax-sum-overwritten",
    "sum_over_queries": "^softmax-denominator-of-other-axis",
    "one_hot": "^weights-one-hot",
    "D_not_reset": "^softmax-backward-sum-not-reset",
    "D_too_early": "^softmax-backward-sum-used-too-early",
    "D_overwritten": "^(softmax-backward-sum-overwritten|softmax-backward-sum)",
    "D_is_maximum": "^softmax-backward-maximum",
    "D_of_outputs": "^softmax-backward-sum-of-other-product",
    "D_of_first_query": "^kernel-backward-sum-of-other-row",
    "P_of_first_query": "^softmax-backward-wrong-weights",
    "dK_of_Q_i": "^backward-wrong-index",
    "dP_of_V_j": "^backward-wrong-index",
    "K_block_not_advanced": "^backward-key-first-block-for-all",
}
OPTIONS = (dict(B=0, m=6, n=6, D=5, E=4, H=1, dh=3, dv=4, out=2), dict(B=2, m=7, n=7, D=4, E=5, H=1, dh=2, dv=3, mask="causal", self_attention=True))
WANTED = {"all": lambda key: True, "leaves": lambda key: key == "y" or key.startswith("dW_") or key == "dx"}


def head(Q, K, V, dO_of, scale, hidden, on, e_total):
    """One batch entry: all that it has, by name; `e_total` is carried on where it is not reset."""
    m, n = len(Q), len(K)
    S = Q @ K.T * scale
    M = np.where(hidden, -np.inf, S)
    P = np.zeros((m, n))
    shifted = np.exp(M - M.max(1, keepdims=True))
    for j in range(m):
        if not on("sum_not_reset"):
            e_total = 0.0
        for i in range(n):
            if hidden[j, i]:
                continue
            e = shifted[j, i]
            e_total = e if on("sum_overwritten") else e_total + e
            if on("sum_too_early"):
                P[j, i] = e / e_total if e else 0
        if not on("sum_too_early"):
            P[j] = np.where(shifted[j] > 0, shifted[j] / (e_total if e_total else np.nan), 0)
    if on("sum_over_queries"):
        P = shifted / shifted.sum(0, keepdims=True)
    if on("one_hot"):
        P = np.eye(n)[M.argmax(1)]
    O = P @ V
    dO = dO_of(O)
    dV = P.T @ dO
    dP = np.array([[dO[j] @ V[j if on("dP_of_V_j") else i] for i in range(n)] for j in range(m)])
    dM = np.zeros((m, n))
    D = 0.0
    for j in range(m):
        if not on("D_not_reset"):
            D = 0.0
        for i in range(n):
            term = P[j, i] * dP[j, i]
            D = term if on("D_overwritten") else D + term
            if on("D_too_early"):
                dM[j, i] = P[j, i] * (dP[j, i] - D)
        if on("D_is_maximum"): D = (P[j] * dP[j]).max()
        if on("D_of_outputs"): D = O[j] @ O[j]
        if on("D_of_first_query"): D = P[0] @ dP[0]
        row = P[0] if on("P_of_first_query") else P[j]
        if not on("D_too_early"):
            dM[j] = row * (dP[j] - (row @ dP[j] if on("P_of_first_query") else D))
    dS = dM * scale
    dQ, dK = np.zeros_like(Q), np.zeros_like(K)
    for j in range(m):
        for i in range(n):
            dQ[j] += dS[j, i] * K[i % 2 if on("K_block_not_advanced") else i]
            dK[i] += dS[j, i] * Q[i if on("dK_of_Q_i") else j]
    return dict(P=P, O=O, dO=dO, dV=dV, dP=dP, dM=dM, dQ=dQ, dK=dK), e_total


def run(o, a, slip):
    on = lambda name: name == slip
    whole = lambda key: a[key] if a[key].ndim == 3 else a[key][None]
    x, G = whole("x"), whole("G")
    xq = x if o["self_attention"] else whole("xPrime")
    K, Q, V = x @ a["W_K"], xq @ a["W_Q"], x @ a["W_V"]
    hidden = np.triu(np.ones((o["m"], o["n"]), bool), 1) if o["mask"] == "causal" else np.zeros((o["m"], o["n"]), bool)
    total, parts = 0.0, []
    for b in range(len(x)):
        part, total = head(Q[b], K[b], V[b], lambda O: G[b] @ a["W_O"].T, o["dh"] ** -0.5, hidden, on, total)
        parts.append(part)
    own = {key: np.stack([part[key] for part in parts]) for key in parts[0]}
    over = lambda left, right: np.einsum("bic,bio->co", left, right)
    heads = lambda t: t[:, None]
    dx = own["dK"] @ a["W_K"].T + own["dV"] @ a["W_V"].T
    dxq = own["dQ"] @ a["W_Q"].T
    trace = dict(K=K, Q=Q, V=V, P=heads(own["P"]), y=own["O"] @ a["W_O"], dP=heads(own["dP"]), **{"dZ" if o["mask"] == "none" else "dM": heads(own["dM"])}, dQ=own["dQ"], dK=own["dK"], dV=own["dV"],
                 dW_O=over(own["O"], G), dW_K=over(x, own["dK"]), dW_Q=over(xq, own["dQ"]), dW_V=over(x, own["dV"]))
    trace.update(dict(dx=dx + dxq) if o["self_attention"] else dict(dx=dx, dxPrime=dxq))
    is_weight = lambda key: key.startswith("dW_")
    return {key: value if o["B"] or is_weight(key) else value[0] for key, value in trace.items()}


def loop_cases(draw=""):
    """As kernel_cases."""
    for slip, expect in SLIPS.items():
        for number, options in enumerate(OPTIONS):
            for subset, wanted in WANTED.items():
                # The first query sees one key alone under the causal mask; dM is 0 where dP is the same for all keys.
                if (number == 1 and slip == "P_of_first_query") or (subset == "leaves" and slip == "dP_of_V_j"):
                    continue
                o, a = problems.make(zlib.crc32(f"{slip} {number}{draw}".encode()), **options)
                clean, slipped = run(o, a, None), run(o, a, slip)
                pick = lambda trace: {key: value for key, value in trace.items() if wanted(key)}
                entry = dict(row="loops", slips=[slip], expect=[expect], options=options, library="numpy, loops",
                             dtype="float64", subset=subset, names="ids")
                yield entry, pick(clean), pick(slipped), problems.setup(o, a)
