"""Right programs that differ from the reference by convention: none may be called wrong."""
import zlib

import numpy as np
import torch

from beyond.forward import AL, CA, CAP, DROP, GQA, PA, PAST, ROPE, ROPI, SELF, SQ, SQW
from beyond.program import LEAVES, NEG, T_, angles, problem, rotate, run, setup, split

OK = []


def ok(name, options={}, forward=None, backward=None, mode=None, post=None, types=("float64", "float32", "bfloat16"), names="ids",
       subset="all", layout=""):
    mode = mode or ("hand" if backward else "auto")
    OK.append(dict(name=name, options=options, forward=forward, backward=backward, mode=mode, post=post, types=types, names=names,
                   subset=subset, layout=layout))


CONFIGS = dict(base={}, self_=SELF, square=SQ, causal=CA, gqa=GQA, mqa=dict(H=4, Hk=1), bias=dict(bias=True), drop=DROP, cap=CAP, capmask=dict(CAP, mask="bool2"), rope=ROPE, ropi=ROPI, past=PA, pastrope=PAST,
  window=dict(window=3, m=6, n=6), wc=dict(window=3, m=6, n=6, mask="causal"), alibi=AL, alibic=dict(AL, mask="causal", m=6), add=dict(mask="add2"), bias4=dict(mask="bias4"), bool4=dict(mask="bool4"), pad=dict(mask="pad"),
  ignore=dict(mask="bool2", meaning="ignore"), nobatch=dict(B=0), B1=dict(B=1), nowo=dict(WO=False), kq=dict(head="kq"), kqself=dict(head="kq", self=True), kqf=dict(head="kq", axes="query-first"), kqscale=dict(head="kq", scale=.7),
  qkv=dict(head="qkv"), qkvc=dict(head="qkv", mask="causal", m=6), qkvkey=dict(head="qkv", axes="key-first", mask="bool2"), qkvdrop=dict(head="qkv", p=.25), target=dict(loss="target"), expr=dict(loss="expr"), half=dict(loss="half"),
  cbr=dict(mask="causal-bottom-right", m=3, n=6), scale=dict(scale=.3), wide=dict(n=40, m=33, dh=16, dv=16, D=32, E=32, out=32, H=4), big=dict(big=5.), keyfirst=dict(axes="key-first", mask="bool2", p=.2))
for n, o in CONFIGS.items():
    ok("plain_" + n, o)
    ok("by_hand_" + n, o, names="alias", subset="coarse", mode="hand")
    ok("leaves_" + n, o, subset="grads", mode="hand", types=("float64",))
    if o.get("head") in (None, "multihead"):
        ok("heads_last_" + n, o, layout="heads_last", names="alias", types=("float32",))
    if o.get("m", 4) != o.get("n", 6) and not o.get("self"):
        ok("key_first_" + n, o, layout="key_first", names="alias", mode="hand", types=("float64",))
ok("rep", GQA, layout="repeated", names="alias")
ok("torch_w", SQ, layout="torch_w", names="alias")
ok("torch_w2", {}, layout="torch_w", names="alias")
ok("kt", {}, layout="kt", names="alias")
ok("nobatch_axis", dict(B=1), layout="nobatch")
ok("nobatch_axis_g", dict(B=1, H=4, Hk=2), layout="nobatch", names="alias", mode="hand")


def changed(fn):
    return lambda tr, s, o, a: {**tr, **fn(tr, s, o, a)}


# f conventions
ok("f_other_target_half", dict(loss="upstream"), post=changed(lambda tr, s, o, a: dict(f=(tr["y"] ** 2).sum() / 2)))
ok("f_mean", dict(loss="upstream"), post=changed(lambda tr, s, o, a: dict(f=tr["f"] / 17)))
ok("f_arbitrary", dict(loss="upstream"), post=changed(lambda tr, s, o, a: dict(f=torch.tensor(3.25))))
ok("f_arbitrary_named_loss", dict(loss="upstream"), post=changed(lambda tr, s, o, a: dict(f=torch.tensor(3.25))), names="alias", subset="grads+f")
ok("f_per_sample", dict(loss="upstream"), post=changed(lambda tr, s, o, a: dict(f=(s.y * s.G).sum((1, 2)).detach())), names="alias")
ok("f_missing", {}, post=lambda tr, s, o, a: {k: v for k, v in tr.items() if k not in ("f", "df")})
# masks
ok("m1e9", CA, forward=dict(M=lambda s: s.Z.masked_fill(s.add == NEG, -1e9)), types=("float64", "float32",))
ok("m1e4", CA, forward=dict(M=lambda s: s.Z.masked_fill(s.add == NEG, -1e4)))
ok("mfinfo", dict(mask="pad"), forward=dict(M=lambda s: s.Z.masked_fill(s.add == NEG, torch.finfo(s.Z.dtype).min)))
ok("madd1e9", dict(mask="bool2"), forward=dict(M=lambda s: s.Z + (s.add == NEG) * -1e9), types=("float64", "float32",))
ok("madd_finfo", dict(mask="bool4"), forward=dict(M=lambda s: s.Z + (s.add == NEG).to(s.Z.dtype) * torch.finfo(s.Z.dtype).min))
ok("m_mult_renorm", dict(mask="bool2"), forward=dict(M=lambda s: s.Z * 1, P=lambda s: (lambda p: p / p.sum(-1, keepdim=True))(torch.softmax(s.M, -1) * (s.add == 0))), types=("float64", "float32",), names="alias")
ok("m_inplace_scores", CA, forward=dict(), post=changed(lambda tr, s, o, a: dict(S=tr["M"], Z=tr["M"])), names="alias")
BL = dict(mask="causal-bottom-right", m=6, n=4)
ok("blind_zero", BL, forward=dict(P=lambda s: torch.softmax(s.M.masked_fill((s.M == NEG).all(-1, keepdim=True), 0), -1) * ~(s.M == NEG).all(-1, keepdim=True)))
ok("blind_uniform_hand", BL, forward=dict(M=lambda s: s.Z.masked_fill(s.add == NEG, -1e9)), types=("float64", "float32",), mode="auto", subset="P_only")
# logging at another point
ok("S_scaled", {}, post=changed(lambda tr, s, o, a: dict(S=tr["Z"])), names="alias")
ok("S_scaled_dS", {}, post=lambda tr, s, o, a: {k: v for k, v in {**tr, "S": tr["Z"], "dS": tr["dZ"]}.items() if k not in ("Z", "dZ")}, names="alias")
ok("scores_are_M", CA, post=lambda tr, s, o, a: {k: v for k, v in {**tr, "S": tr["M"], "dS": tr["dM"]}.items() if k not in ("Z", "dZ", "M", "dM")}, names="alias")
ok("attn_is_Pd", DROP, post=lambda tr, s, o, a: {k: v for k, v in {**tr, "P": tr["Pd"], "dP": tr["dPd"]}.items() if k not in ("Pd", "dPd")}, names="alias")
ok("q_prescaled", {}, forward=dict(Qh=lambda s: split(s.Q, s.o.H) * s.scale, Z=lambda s: s.S), mode="auto", subset="vals+leaves")
ok("q_prescaled_Q", {}, forward=dict(Q=lambda s: (s.xPrime @ s.W_Q) * s.scale, Z=lambda s: s.S), mode="auto", subset="vals+leaves")
ok("qk_quarter", {}, forward=dict(Qh=lambda s: split(s.Q, s.o.H) * s.scale ** .5, Kn=lambda s: split(s.K, s.o.Hk) * s.scale ** .5, Z=lambda s: s.S), mode="auto", subset="vals+leaves")
ok("max_subtracted", {}, forward=dict(M=lambda s: s.Z), post=changed(lambda tr, s, o, a: dict(Z=tr["Z"] - tr["Z"].amax(-1, keepdim=True))), names="ids", subset="vals+leaves")
ok("max_subtracted_M", CA, post=changed(lambda tr, s, o, a: dict(M=tr["M"] - tr["M"].amax(-1, keepdim=True))), subset="vals+leaves")
ok("mean_centred", {}, forward=dict(P=lambda s: torch.softmax(s.M - s.M.mean(-1, keepdim=True), -1)))
ok("q_is_rotated", ROPE, post=lambda tr, s, o, a: {k: v for k, v in {**tr, "Q": tr["Qh"], "K": tr["Kh"], "dQ": tr["dQh"], "dK": tr["dKh"]}.items() if k not in ("Qh", "Kh", "dQh", "dKh")}, names="alias")
ok("q_is_heads", {}, post=lambda tr, s, o, a: {k: v for k, v in {**tr, "Q": tr["Qh"], "K": tr["Kh"], "V": tr["Vh"], "dQ": tr["dQh"]}.items() if k not in ("Qh", "Kh", "dQh", "Vh", "dKh", "dVh", "dK", "dV")}, names="alias")
ok("attn_mean_heads", {}, post=changed(lambda tr, s, o, a: dict(P=tr["P"].mean(-3))), names="alias", subset="leaves")
ok("out_is_context", {}, post=lambda tr, s, o, a: {("attn_output_pre" if k == "y" else k): v for k, v in tr.items()}, names="ids")
ok("out_is_O", {}, post=lambda tr, s, o, a: {k: v for k, v in {**tr, "y": tr["O"].transpose(-2, -3)}.items() if k not in ("O", "dO", "C", "dC")}, names="alias", subset="vals+leaves")
# gradients
ok("dP_masked_zero", CA, backward=dict(dPd=lambda s: (s.dO @ T_(s.Vr)).masked_fill(s.add == NEG, 0)), mode="hand")
ok("flash_D", {}, backward=dict(dM=lambda s: s.P * (s.dP - (s.O * s.dO).sum(-1, keepdim=True))), mode="hand")
ok("flash_D_drop", DROP, backward=dict(dM=lambda s: s.P * (s.dP - (s.O * s.dO).sum(-1, keepdim=True))), mode="hand")
ok("jac_full", {}, backward=dict(dM=lambda s: torch.einsum("bhjik,bhjk->bhji", torch.diag_embed(s.P) - s.P[..., :, None] * s.P[..., None, :], s.dP)), mode="hand")
ok("scale_in_dQ_dK", {}, backward=dict(dQh=lambda s: s.dZ @ s.Kr * s.scale, dKr=lambda s: T_(s.dZ) @ s.Qh * s.scale), mode="hand")
ok("scale_in_dQ_dK_logS", {}, backward=dict(dS=lambda s: s.dZ, dQh=lambda s: s.dZ @ s.Kr * s.scale, dKr=lambda s: T_(s.dZ) @ s.Qh * s.scale), mode="hand")
ok("max_detached", {}, forward=dict(P=lambda s: (lambda e: e / e.sum(-1, keepdim=True))(torch.exp(s.M - s.M.amax(-1, keepdim=True).detach()))))
ok("logsumexp", CA, forward=dict(P=lambda s: torch.exp(s.M - torch.logsumexp(s.M, -1, keepdim=True))))
ok("einsum", {}, forward=dict(S=lambda s: torch.einsum("bhjd,bhid->bhji", s.Qh, s.Kr), O=lambda s: torch.einsum("bhji,bhiv->bhjv", s.Pd, s.Vr)))
ok("sum_of_heads", {}, forward=dict(y=lambda s: sum(s.O[:, h] @ s.W_O[h * s.o.dv:(h + 1) * s.o.dv] for h in range(s.o.H))))
ok("f32_softmax_in_bf16", {}, forward=dict(P=lambda s: torch.softmax(s.M.float(), -1).to(s.M.dtype)), types=("bfloat16",))
ok("f32_softmax_in_bf16_c", CA, forward=dict(P=lambda s: torch.softmax(s.M.float(), -1).to(s.M.dtype)), types=("bfloat16",))
ok("tril_where", CA, forward=dict(M=lambda s: torch.where(torch.ones(6, 6).tril().bool(), s.Z, torch.full_like(s.Z, NEG))))
ok("dx_order", SELF, backward=dict(dx=lambda s: s.dxq + s.dxk + s.dxv), mode="hand")
ok("dx_fused", SQW | dict(self=True), backward=dict(dx=lambda s: torch.cat([s.dQ, s.dK, s.dV], -1) @ torch.cat([s.W_Q, s.W_K, s.W_V], 1).T), mode="hand")
ok("grads_none", {}, post=lambda tr, s, o, a: {k: v for k, v in tr.items() if k[0] != "d" or k[1:3] in ("W_",)})
ok("extra_entries", {}, post=changed(lambda tr, s, o, a: dict(lr=torch.tensor(.1), step=torch.tensor(3), mask=torch.ones(4, 6), rng_state=torch.arange(8), lse=torch.logsumexp(s.M, -1).detach(), row_max=s.M.amax(-1).detach())))
ok("db_K_noise", dict(bias=True), types=("float32", "bfloat16",))
ok("alibi_shift", dict(AL, mask="causal", m=6), forward=dict(M=lambda s: (s.Z + torch.tensor([2 ** (-8 * (h + 1) / 4) for h in range(4)], dtype=s.Z.dtype)[:, None, None] * torch.arange(6).to(s.Z.dtype)) .masked_fill(s.add == NEG, NEG)), types=("float64", "float32",), subset="vals+leaves")
ok("rope_shift_both", dict(ROPE), forward=dict(Kn=lambda s: rotate(split(s.K, s.o.Hk), angles(s.o.n, s.o.dh, s.o.base, 5), "half"), Qh=lambda s: rotate(split(s.Q, s.o.H), angles(s.o.m, s.o.dh, s.o.base, 5), "half")), subset="nokh", mode="auto", types=("float64", "float32",))
ok("f64_in_f32_file", {}, post=lambda tr, s, o, a: {k: v.float() for k, v in tr.items()}, types=("float64",))
ok("f16_file", {}, post=lambda tr, s, o, a: {k: v.half() for k, v in tr.items()}, types=("float64",))
ok("bf16_file_as_f32", {}, types=("bfloat16",))
ok("rounded4", {}, post=lambda tr, s, o, a: {k: (v * 1e4).round() / 1e4 for k, v in tr.items()}, types=("float64",))
ok("rounded6", CA, post=lambda tr, s, o, a: {k: (v * 1e6).round() / 1e6 for k, v in tr.items()}, types=("float64",))


SUBSETS = {
    "all": lambda n, g: True,
    "coarse": lambda n, g: n in (("P", "y", "Q", "K", "V", *LEAVES) if g else ("Q", "K", "V", "S", "P", "Pd", "C", "y")),
    "grads": lambda n, g: g and n in LEAVES or (not g and n == "y"),
    "grads+f": lambda n, g: g and n in LEAVES or (not g and n in ("y", "f")),
    "vals+leaves": lambda n, g: not g or n in LEAVES,
    "nokh": lambda n, g: n not in ("Kh", "Qh"),
    "P_only": lambda n, g: n in ("P", "S") and not g,
    "leaves": lambda n, g: n in LEAVES or n in ("y", "P"),
}


def laid_out(key, value, o, layout):
    n = key[1:] if key[0] == "d" and key != "d" else key
    if layout == "heads_last" and n in ("Qh", "Kh", "Vh", "O") and o.head == "multihead":
        return value.transpose(-2, -3)
    if layout == "key_first" and n in ("S", "Z", "M", "P", "Pd") or layout == "kt" and n == "Kh":
        return T_(value)
    if layout == "repeated" and key in ("Kh", "Vh"):
        return value.repeat_interleave(o.H // o.Hk, -3)
    if layout == "torch_w" and n[:2] == "W_":
        return value.T
    if layout == "nobatch" and n[:2] not in ("W_", "b_") and n != "f":
        return value[0]
    return value


def conventions():
    """(entry of the manifest, case, number type) for each."""
    for case in OK:
        for dtype in case["types"]:
            entry = dict(row="= " + dtype, slips=[case["name"]], expect=[], options=case["options"], library=f"torch, {case['mode']}",
                         dtype=dtype, subset=case["subset"], names=case["names"])
            yield entry, case, dtype


def right_trace(case, dtype):
    """The trace as NumPy arrays (bfloat16 in float32), and the setup."""
    o, a = problem(zlib.crc32((case["name"] + dtype).encode()), **case["options"])
    own = getattr(torch, dtype)
    a = type(a)({k: v if v.dtype == torch.bool else v.to(own).double() for k, v in a.items()})
    trace = run(o, a, case["forward"], case["backward"], dtype=own, mode=case["mode"], post=case["post"])
    arrays = {k: laid_out(k, v.detach(), o, case["layout"]) for k, v in trace.items()}
    plain = lambda v: (v.float() if v.dtype == torch.bfloat16 else v).contiguous().numpy()
    return {k: np.ascontiguousarray(plain(v)) for k, v in arrays.items()}, lambda names: setup(o, a, names)
