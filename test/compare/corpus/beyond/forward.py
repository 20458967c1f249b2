"""Mistakes in the forward pass that are on no list, each a replacement of one step or two.

A row: name, words that a right cause has (a pattern, "" where an honest answer is "unknown"), options, steps.
"""
from beyond.program import *

F = torch.nn.functional
CASES = []
SECTION = [""]

SQ = dict(self=True, n=6, D=6, out=6, dh=3, dv=3, H=2)          # square-ish self attention
SQW = dict(D=8, E=8, out=8, dh=4, dv=4, H=2)
SELF = dict(self=True)
CA = dict(mask="causal", m=6, n=6)
GQA = dict(H=4, Hk=2)
ROPE = dict(rope="half", dh=6); ROPI = dict(rope="interleaved", dh=4, H=3)
DROP = dict(p=.3); CAP = dict(softcap=1.5)


def section(name):
    SECTION[0] = name


def add(name, want, options, **case):
    for o in options if isinstance(options, (list, tuple)) else [options]:
        CASES.append(dict(name=name, want=want, options=o, row=f"+ {SECTION[0]}", forward=None, backward=None, post=None) | case)


def forward(name, want, options=({},), auto=True, hand=True, **steps):
    """Differentiated by autograd, and by the reference's backward pass written by hand."""
    modes = (["auto"] if auto else []) + (["hand"] if hand else [])
    add(name, want, options, forward=steps, modes=modes)


def exps(s):
    return torch.exp(s.M - s.M.amax(-1, keepdim=True))


def shares(e):
    return e / e.sum(-1, keepdim=True)


section("softmax")
forward("eps_denominator", "eps|denominator|constant", [{}, CA], P=lambda s: exps(s) / (exps(s).sum(-1, keepdim=True) + 1e-2))
forward("eps_denominator_1e-3", "eps|denominator|constant", [{}], P=lambda s: torch.exp(s.M) / (torch.exp(s.M).sum(-1, keepdim=True) + 1e-3))
forward("quiet_after_max", "plus one|\\+ 1|denominator|off.by.one|sink", [{}, CA], P=lambda s: exps(s) / (exps(s).sum(-1, keepdim=True) + 1))
forward("quiet", "plus one|\\+ 1|denominator|off.by.one|sink", [{}, dict(bias=True)], P=lambda s: torch.exp(s.M) / (torch.exp(s.M).sum(-1, keepdim=True) + 1))
forward("scale_after_softmax", "scale.*after|after.*softmax|scale", [{}, dict(dh=6)], Z=lambda s: s.S * 1, P=lambda s: torch.softmax(s.M, -1) * s.scale)
forward("scale_after_softmax_Zright", "scale|constant|factor|halved", [{}], P=lambda s: torch.softmax(s.M, -1) * s.scale)
forward("exp2", "base|2", [{}, CA], P=lambda s: shares(torch.exp2(s.M)))
forward("log_softmax", "log", [{}, dict(H=3)], P=lambda s: torch.log_softmax(s.M, -1))
forward("centred_over_queries", "mean|cent|subtract", [{}], P=lambda s: torch.softmax(s.M - s.M.mean(-2, keepdim=True), -1))
forward("zscore", "standard|normali|layer", [{}], P=lambda s: torch.softmax((s.M - s.M.mean(-1, keepdim=True)) / s.M.std(-1, keepdim=True), -1))
forward("max_per_key", "max|axis|subtract", [{}], P=lambda s: shares(torch.exp(s.M - s.M.amax(-2, keepdim=True))))
forward("relu_attention", "relu|softmax|negative", [{}], P=lambda s: shares(torch.relu(s.M) + 1e-9))
forward("softplus", "softplus|exp", [{}], P=lambda s: shares(F.softplus(s.M)))
forward("squared", "square|exp|power", [{}], P=lambda s: shares(s.M ** 2))
forward("l1_no_exp", "exp|softmax|normal", [{}], P=lambda s: s.M / s.M.sum(-1, keepdim=True))
forward("l2_norm", "norm|euclid|l2", [{}], P=lambda s: exps(s) / exps(s).norm(dim=-1, keepdim=True))
forward("max_norm", "max|normal", [{}], P=lambda s: exps(s))
forward("neg_softmax", "sign|negat|minus", [{}], P=lambda s: torch.softmax(-s.M, -1))
forward("top2", "top|largest|sparse|hard", [dict(n=7)], P=lambda s: torch.softmax(s.M.masked_fill(s.M < s.M.topk(2, -1).values[..., -1:], NEG), -1))
forward("hard", "hard|argmax|one.hot|largest|top", [{}], hand=False, P=lambda s: F.one_hot(s.M.argmax(-1), s.M.shape[-1]).to(s.M.dtype) * torch.softmax(s.M, -1).sum(-1, keepdim=True))
forward("p_clamped", "clamp|clip|least|eps", [{}], P=lambda s: torch.softmax(s.M, -1).clamp(min=.05))
forward("p_plus_eps", "added|constant|eps|offset|plus", [{}], P=lambda s: torch.softmax(s.M, -1) + 1e-3)
forward("noise_on_logits", "", [{}], P=lambda s: torch.softmax(s.M + .3 * torch.sin(97 * torch.arange(s.M.numel(), dtype=s.M.dtype)).view_as(s.M), -1))
forward("temperature2", "scale|temperature|factor|constant", [{}], P=lambda s: torch.softmax(s.M / 2, -1))
forward("softmax_1minus", "1 - P|complement|minus", [{}], P=lambda s: 1 - torch.softmax(s.M, -1))
forward("softmax_no_last_key", "last|key|loop|skip", [{}, dict(m=5)], P=lambda s: torch.cat([torch.softmax(s.M[..., :-1], -1), torch.zeros_like(s.M[..., :1])], -1))
forward("p_renorm_by_token_count", "count|mean|divided|constant|factor", [{}], P=lambda s: torch.softmax(s.M, -1) / s.M.shape[-1])
forward("softmax_float16", "precision|float16|bfloat16|half", [dict(n=9)], P=lambda s: torch.softmax(s.M, -1).half().to(s.M.dtype))
forward("sqrt_softmax", "square root|sqrt|power", [{}], P=lambda s: torch.softmax(s.M, -1).sqrt())
forward("first_query_unnormalised", "", [{}], P=lambda s: torch.cat([exps(s)[..., :1, :], torch.softmax(s.M, -1)[..., 1:, :]], -2))
forward("last_query_skipped", "last|query|skip|loop|row", [{}], O=lambda s: torch.cat([(s.Pd @ s.Vr)[..., :-1, :], torch.zeros_like((s.Pd @ s.Vr)[..., :1, :])], -2))
forward("first_head_only", "head", [dict(H=3)], O=lambda s: torch.cat([(s.Pd @ s.Vr)[:, :1], torch.zeros_like((s.Pd @ s.Vr)[:, 1:])], 1))

section("dropout")
forward("p_renorm_after_dropout", "renormal|normal|dropout", [DROP], Pd=lambda s: shares(s.P * s.keep + 1e-12))
forward("dropout_on_scores", "dropout.*(score|before|logit|softmax)", [DROP], P=lambda s: torch.softmax(s.M * s.keep / (1 - s.o.p), -1), Pd=lambda s: s.P)
forward("dropout_on_scores_inf", "dropout.*(score|before|logit|softmax)", [dict(p=.2)], P=lambda s: torch.softmax(s.M.masked_fill(s.keep == 0, NEG), -1).nan_to_num(), Pd=lambda s: s.P)
forward("dropout_scale_1-p", "dropout|1.*p", [DROP], Pd=lambda s: s.P * s.keep * (1 - s.o.p))
forward("dropout_twice", "dropout.*twice|twice", [DROP, dict(p=.5)], Pd=lambda s: s.P * s.keep / (1 - s.o.p) ** 2)
forward("dropout_mask_transposed", "dropout.*transpos", [dict(p=.3, self=True)], Pd=lambda s: s.P * T_(s.keep) / (1 - s.o.p))
forward("dropout_per_batch_swapped", "dropout.*batch|batch.*dropout|batch", [DROP], Pd=lambda s: s.P * s.keep.flip(0) / (1 - s.o.p))
forward("dropout_per_head_shared", "dropout.*head|head", [DROP], Pd=lambda s: s.P * s.keep[:, :1] / (1 - s.o.p))
forward("dropout_not_rescaled_zeroed", "dropout", [DROP], Pd=lambda s: s.P * (1 - s.o.p))
forward("dropout_p_as_keep", "dropout", [DROP], Pd=lambda s: s.P * s.keep / s.o.p)
forward("dropout_other_mask", "dropout", [DROP], Pd=lambda s: s.P * (torch.sin(311 * torch.arange(s.P.numel(), dtype=torch.float64)).view_as(s.P) > -.4).to(s.P.dtype) / (1 - s.o.p))

section("scale")
forward("scale_thrice", "scale", [{}, dict(dh=6)], Z=lambda s: s.S * s.scale ** 3)
forward("scale_D", "scale", [{}], Z=lambda s: s.S / math.sqrt(s.o.D))
forward("scale_dv", "scale|width", [dict(dv=5)], Z=lambda s: s.S / math.sqrt(s.o.dv))
forward("scale_quarter", "scale|root", [dict(dh=5)], Z=lambda s: s.S / s.o.dh ** .25)
forward("scale_heads", "scale|heads", [dict(H=3)], Z=lambda s: s.S / math.sqrt(s.o.H))
forward("scale_queries", "scale|quer|token", [dict(m=5)], Z=lambda s: s.S / math.sqrt(s.o.m))
forward("scale_one_head", "scale.*head|head.*scale|head", [dict(H=3)], Z=lambda s: torch.cat([s.S[:, :1] * s.scale, s.S[:, 1:]], 1))
forward("scale_divided_by", "scale|invert", [dict(dh=6), dict(scale=.3)], Z=lambda s: s.S / s.scale)
forward("scale_added", "scale|add", [{}], Z=lambda s: s.S + s.scale)
forward("scale_log_n", "log|scale|factor|constant", [{}], Z=lambda s: s.S * s.scale * math.log(s.o.n))
forward("scale_int_division", "scale|factor|constant|round", [dict(dh=6)], Z=lambda s: s.S / int(math.sqrt(s.o.dh)))
forward("scale_sign", "sign|negat", [{}], Z=lambda s: -s.S * s.scale)
forward("distance_scores", "distance|square|norm", [dict(dh=4)], S=lambda s: -((s.Qh[..., :, None, :] - s.Kr[..., None, :, :]) ** 2).sum(-1))
forward("cosine_scores", "cosine|norm|unit", [{}], S=lambda s: F.normalize(s.Qh, dim=-1) @ T_(F.normalize(s.Kr, dim=-1)))
forward("additive_scores_sum", "", [{}], S=lambda s: torch.tanh(s.Qh[..., :, None, :] + s.Kr[..., None, :, :]).sum(-1))
forward("k_negated_head", "sign.*head|head.*sign|sign|head", [dict(H=3)], S=lambda s: torch.cat([-(s.Qh @ T_(s.Kr))[:, :1], (s.Qh @ T_(s.Kr))[:, 1:]], 1))
forward("scores_skip_last_dim", "feature|last|width|partial|skip", [dict(dh=4)], S=lambda s: s.Qh[..., :-1] @ T_(s.Kr[..., :-1]))
forward("scores_skip_last_key", "last|key|skip|loop", [{}], S=lambda s: torch.cat([(s.Qh @ T_(s.Kr))[..., :-1], torch.zeros_like((s.Qh @ T_(s.Kr))[..., :1])], -1))
forward("scores_int", "int|trunc|round|whole", [dict(big=2.)], hand=False, Z=lambda s: (s.S * s.scale).trunc() + 0 * s.S)
forward("abs_scores", "abs|sign", [{}], Z=lambda s: (s.S * s.scale).abs())
forward("scores_float16_overflow", "overflow|float16|inf", [dict(big=150.)], S=lambda s: (s.Qh @ T_(s.Kr)).half().to(s.Qh.dtype), )

section("sequences")
forward("repeat_on_tokens", "head|repeat|token", [GQA, dict(H=6, Hk=3)], hand=False,
        Kr=lambda s: s.Kh.repeat_interleave(s.o.H // s.o.Hk, 2).reshape(s.Kh.shape[0], s.o.H, *s.Kh.shape[2:]),
        Vr=lambda s: s.Vh.repeat_interleave(s.o.H // s.o.Hk, 2).reshape(s.Vh.shape[0], s.o.H, *s.Vh.shape[2:]))


def batch_and_tokens(t, heads):
    """(tokens, heads, batch, width) where (batch, heads, tokens, width) is right: batch_first mixed up."""
    return split(t.transpose(0, 1), heads)


forward("attends_across_batch", "batch|transpos|reshape", [dict(self=True, B=4, n=4), dict(self=True, B=5, n=5, H=3)], hand=False,
        Kn=lambda s: batch_and_tokens(s.K, s.o.Hk), Qh=lambda s: batch_and_tokens(s.Q, s.o.H),
        Vh=lambda s: batch_and_tokens(s.V, s.o.Hk), C=lambda s: merge(s.O).transpose(0, 1))
forward("dropout_at_evaluation", "dropout", [{}, CA],
        P=lambda s: torch.softmax(s.M, -1) * (torch.sin(311 * torch.arange(s.M.numel(), dtype=s.M.dtype)).view_as(s.M) > -.6) / .7)

section("projections")
forward("v_with_W_K", "W_K|wrong|operand|weight", [dict(SQ)], V=lambda s: linear(s.x, s.W_K, s.get("b_V")))
forward("k_with_W_Q", "W_Q|wrong|operand|weight", [dict(SQ), dict(SQW)], K=lambda s: linear(s.x, s.W_Q, s.get("b_K")))
forward("k_from_xPrime", "xPrime|x′|queries|wrong|operand", [dict(SQW, m=5, n=5)], K=lambda s: linear(s.xPrime, s.W_K))
forward("q_from_x", "x\\b|wrong|operand", [dict(SQW, m=5, n=5)], Q=lambda s: linear(s.x, s.W_Q))
forward("qknorm_l2", "norm", [{}], Qh=lambda s: F.normalize(split(s.Q, s.o.H), dim=-1), Kn=lambda s: F.normalize(split(s.K, s.o.Hk), dim=-1))
forward("qknorm_layer", "norm", [{}], Qh=lambda s: F.layer_norm(split(s.Q, s.o.H), (s.o.dh,)), Kn=lambda s: F.layer_norm(split(s.K, s.o.Hk), (s.o.dh,)))
forward("qnorm_rms", "norm|rms", [{}], Qh=lambda s: (lambda q: q / (q.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt())(split(s.Q, s.o.H)))
forward("prenorm_x", "norm", [SELF, {}], K=lambda s: linear(F.layer_norm(s.x, (s.o.D,)), s.W_K), V=lambda s: linear(F.layer_norm(s.x, (s.o.D,)), s.W_V))
forward("bq_on_k", "b_Q|bias", [dict(bias=True)], K=lambda s: linear(s.x, s.W_K, s.b_Q))
forward("bk_missing", "bias|b_K", [dict(bias=True)], K=lambda s: linear(s.x, s.W_K))
forward("bias_minus", "bias|sign", [dict(bias=True)], V=lambda s: s.x @ s.W_V - s.b_V)
forward("bias_before_matmul", "bias", [dict(bias=True, D=6, dv=3, H=2)], V=lambda s: (s.x + s.b_V[None]) @ s.W_V)
forward("bo_per_head", "b_O|bias", [dict(bias=True, H=3)], y=lambda s: s.C @ s.W_O + s.o.H * s.b_O)
forward("bo_before_WO", "b_O|bias", [dict(bias=True, H=2, dv=3, out=6)], y=lambda s: (s.C + s.b_O) @ s.W_O)
forward("b_batch_scaled", "bias|factor", [dict(bias=True)], Q=lambda s: s.xPrime @ s.W_Q + s.b_Q * s.scale)
forward("bias_after_scale", "bias|scale", [dict(bias=True)], Q=lambda s: s.xPrime @ s.W_Q * s.scale + s.b_Q, Z=lambda s: s.S)
forward("q_prescaled_and_again", "scale", [dict(dh=6)], Q=lambda s: s.xPrime @ s.W_Q * s.scale)
forward("q_prescaled_Qh_and_again", "scale", [dict(dh=6)], Qh=lambda s: split(s.Q, s.o.H) * s.scale)
forward("relu_on_v", "relu|activation|negative", [{}], V=lambda s: torch.relu(s.x @ s.W_V))
forward("tanh_on_q", "tanh|activation", [{}], Q=lambda s: torch.tanh(s.xPrime @ s.W_Q))
forward("gelu_on_k", "gelu|activation", [{}], K=lambda s: F.gelu(s.x @ s.W_K))
forward("first_head_weights_for_all", "head", [dict(H=3)], Q=lambda s: (s.xPrime @ s.W_Q)[..., :s.o.dh].repeat(1, 1, s.o.H))
forward("tokens_rolled_k", "roll|shift|token|off.by.one|position", [{}], K=lambda s: (s.x @ s.W_K).roll(1, 1))
forward("tokens_rolled_v", "roll|shift|token|off.by.one|position", [{}, GQA], V=lambda s: (s.x @ s.W_V).roll(-1, 1))
forward("v_shift_zero", "roll|shift|token|off.by.one|position", [{}], V=lambda s: torch.cat([torch.zeros_like((s.x @ s.W_V)[:, :1]), (s.x @ s.W_V)[:, :-1]], 1))
forward("tokens_reversed_k", "revers|flip|order", [{}], K=lambda s: (s.x @ s.W_K).flip(1))
forward("batch_swapped_k", "batch", [dict(B=3)], K=lambda s: (s.x @ s.W_K).flip(0))
forward("batch0_v", "batch", [dict(B=3)], V=lambda s: (s.x @ s.W_V)[:1].repeat(s.o.B, 1, 1))
forward("v_row_permuted_W", "revers|permut|order|flip", [{}], V=lambda s: s.x.flip(-1) @ s.W_V)
forward("x_half_features", "half|feature", [dict(D=8)], V=lambda s: s.x[..., :4] @ s.W_V[:4])
forward("q_missing_last_row", "last|token|row|skip|zero", [{}], Q=lambda s: torch.cat([(s.xPrime @ s.W_Q)[:, :-1], torch.zeros_like((s.xPrime @ s.W_Q)[:, :1])], 1))
forward("k_uninitialised_last", "", [{}], K=lambda s: torch.cat([(s.x @ s.W_K)[:, :-1], torch.zeros_like((s.x @ s.W_K)[:, :1]) + 3.7e5], 1))
forward("v_double", "twice|factor|constant", [{}], V=lambda s: 2 * (s.x @ s.W_V))

section("heads")
forward("heads_reversed_merge", "head", [dict(H=3), dict(H=2)], C=lambda s: merge(s.O.flip(1)))
forward("heads_rolled_merge", "head", [dict(H=3)], C=lambda s: merge(s.O.roll(1, 1)))
forward("heads_permuted_q", "head", [dict(H=3)], Qh=lambda s: split(s.Q, s.o.H)[:, [1, 0, 2]])
forward("kv_off_by_one", "head|KV|group", [GQA, dict(H=6, Hk=3)], Kr=lambda s: rep(s.Kh.roll(-1, 1), s.o), Vr=lambda s: rep(s.Vh.roll(-1, 1), s.o))
forward("kv_reversed", "head|KV|group", [GQA], Kr=lambda s: rep(s.Kh.flip(1), s.o))
forward("heads_averaged", "head|mean|averag", [dict(H=3)], O=lambda s: (s.Pd @ s.Vr).mean(1, keepdim=True).expand(-1, s.o.H, -1, -1) * 1)
forward("heads_summed_scores", "head|sum", [dict(H=3)], S=lambda s: (s.Qh @ T_(s.Kr)).sum(1, keepdim=True).expand(-1, s.o.H, -1, -1) * 1)
forward("p_mean_heads", "head|mean|averag", [dict(H=3)], P=lambda s: torch.softmax(s.M, -1).mean(1, keepdim=True).expand(-1, s.o.H, -1, -1) * 1)
forward("v_of_next_head", "head", [dict(H=3)], O=lambda s: s.Pd @ s.Vr.roll(1, 1))
forward("y_over_H", "head|mean|factor|constant", [dict(H=3)], y=lambda s: s.C @ s.W_O / s.o.H)
forward("WO_first_head_only", "head|partial", [dict(H=2)], y=lambda s: s.C[..., :s.o.dv] @ s.W_O[:s.o.dv])
forward("y_residual", "residual|added|extra|x", [dict(SELF, D=6, out=6)], y=lambda s: s.C @ s.W_O + s.x)
forward("y_residual_cross", "residual|added|extra|x", [dict(E=6, out=6)], y=lambda s: s.C @ s.W_O + s.xPrime)
forward("y_layernorm", "norm", [{}], y=lambda s: F.layer_norm(s.C @ s.W_O, (s.o.out,)))
forward("y_relu", "relu|activation|negative", [{}], y=lambda s: torch.relu(s.C @ s.W_O))
forward("WO_transposed", "transpos", [dict(H=2, dv=3, out=6)], y=lambda s: s.C @ s.W_O.T)
forward("c_tokens_flipped", "revers|flip|order|permut", [{}], C=lambda s: merge(s.O).flip(1))
forward("O_P_transposed", "transpos", [SELF], O=lambda s: T_(s.Pd) @ s.Vr)
forward("O_from_K", "K|wrong|operand", [dict(dv=4)], O=lambda s: s.Pd @ s.Kr)
forward("O_renormalised", "normal", [CA], O=lambda s: F.normalize(s.Pd @ s.Vr, dim=-1))

section("rope")


def rotated(name, want, options, keys=None, queries=None, **steps):
    """Keys and queries turned by other angles."""
    keys = keys or (lambda s: angles(s.o.n, s.o.dh, s.o.base, s.o.past))
    queries = queries or (lambda s: angles(s.o.m, s.o.dh, s.o.base, s.o.past))
    turned = dict(Kn=lambda s: rotate(split(s.K, s.o.Hk), keys(s), s.o.rope),
                  Qh=lambda s: rotate(split(s.Q, s.o.H), queries(s), s.o.rope))
    add(name, want, options, forward={**turned, **steps}, modes=["auto"])


PAST = dict(ROPE, past=3, self=True, n=4)
rotated("rope_q_off_by_one", "RoPE|position|rotat", [ROPE, ROPI], queries=lambda s: angles(s.o.m, s.o.dh, s.o.base, 1))
rotated("rope_ignores_past", "RoPE|position|past|rotat", [PAST], keys=lambda s: angles(s.o.n, s.o.dh, s.o.base), queries=lambda s: angles(s.o.m, s.o.dh, s.o.base))
rotated("rope_q_ignores_past", "RoPE|position|past|rotat", [PAST], queries=lambda s: angles(s.o.m, s.o.dh, s.o.base))
rotated("rope_base_1000", "RoPE|base|rotat", [ROPE, ROPI], keys=lambda s: angles(s.o.n, s.o.dh, 1000), queries=lambda s: angles(s.o.m, s.o.dh, 1000))
rotated("rope_base_777", "RoPE|base|rotat", [ROPE], keys=lambda s: angles(s.o.n, s.o.dh, 777), queries=lambda s: angles(s.o.m, s.o.dh, 777))
rotated("rope_degrees", "RoPE|degree|radian|rotat", [ROPE, ROPI], keys=lambda s: angles(s.o.n, s.o.dh, s.o.base) * math.pi / 180, queries=lambda s: angles(s.o.m, s.o.dh, s.o.base) * math.pi / 180)
rotated("rope_radtodeg", "RoPE|degree|radian|rotat", [ROPE], keys=lambda s: angles(s.o.n, s.o.dh, s.o.base) * 180 / math.pi, queries=lambda s: angles(s.o.m, s.o.dh, s.o.base) * 180 / math.pi)
rotated("rope_half_exponent", "RoPE|frequenc|exponent|rotat", [ROPE], keys=lambda s: torch.arange(s.o.n)[:, None] * s.o.base ** (-torch.arange(s.o.dh // 2).double() / s.o.dh), queries=lambda s: torch.arange(s.o.m)[:, None] * s.o.base ** (-torch.arange(s.o.dh // 2).double() / s.o.dh))
rotated("rope_double_exponent", "RoPE|frequenc|exponent|rotat", [ROPE], keys=lambda s: torch.arange(s.o.n)[:, None] * s.o.base ** (-torch.arange(0, s.o.dh, 2).double() / (s.o.dh // 2)), queries=lambda s: torch.arange(s.o.m)[:, None] * s.o.base ** (-torch.arange(0, s.o.dh, 2).double() / (s.o.dh // 2)))
rotated("rope_exponent_model", "RoPE|frequenc|exponent|rotat|width", [ROPE], keys=lambda s: torch.arange(s.o.n)[:, None] * s.o.base ** (-torch.arange(0, s.o.dh, 2).double() / (s.o.dh * s.o.H)), queries=lambda s: torch.arange(s.o.m)[:, None] * s.o.base ** (-torch.arange(0, s.o.dh, 2).double() / (s.o.dh * s.o.H)))
rotated("rope_positive_exponent", "RoPE|frequenc|exponent|rotat", [ROPE], keys=lambda s: torch.arange(s.o.n)[:, None] * s.o.base ** (torch.arange(0, s.o.dh, 2).double() / s.o.dh), queries=lambda s: torch.arange(s.o.m)[:, None] * s.o.base ** (torch.arange(0, s.o.dh, 2).double() / s.o.dh))
rotated("rope_freq_reversed", "RoPE|frequenc|rotat|order", [ROPE], keys=lambda s: angles(s.o.n, s.o.dh, s.o.base).flip(-1), queries=lambda s: angles(s.o.m, s.o.dh, s.o.base).flip(-1))
rotated("rope_linear_scaling", "RoPE|position|frequenc|factor|rotat", [ROPE], keys=lambda s: angles(s.o.n, s.o.dh, s.o.base) / 4, queries=lambda s: angles(s.o.m, s.o.dh, s.o.base) / 4)
rotated("rope_positions_reversed", "RoPE|position|rotat", [ROPE], keys=lambda s: angles(s.o.n, s.o.dh, s.o.base).flip(0), queries=lambda s: angles(s.o.m, s.o.dh, s.o.base).flip(0))
rotated("rope_one_frequency", "RoPE|frequenc|rotat", [ROPE], keys=lambda s: angles(s.o.n, s.o.dh, s.o.base)[:, :1].repeat(1, s.o.dh // 2), queries=lambda s: angles(s.o.m, s.o.dh, s.o.base)[:, :1].repeat(1, s.o.dh // 2))
rotated("rope_same_position", "RoPE|position|rotat", [ROPE], keys=lambda s: angles(s.o.n, s.o.dh, s.o.base)[1:2].repeat(s.o.n, 1), queries=lambda s: angles(s.o.m, s.o.dh, s.o.base)[1:2].repeat(s.o.m, 1))
rotated("rope_cos_sin_swapped", "RoPE|cos|sin|rotat", [ROPE], keys=lambda s: math.pi / 2 - angles(s.o.n, s.o.dh, s.o.base), queries=lambda s: math.pi / 2 - angles(s.o.m, s.o.dh, s.o.base))
rotated("rope_sign_both", "RoPE|sign|rotat|direction", [ROPE, ROPI], keys=lambda s: -angles(s.o.n, s.o.dh, s.o.base), queries=lambda s: -angles(s.o.m, s.o.dh, s.o.base))
rotated("rope_head_index", "RoPE|position|head|rotat", [dict(ROPE, H=3)], keys=lambda s: angles(s.o.H, s.o.dh, s.o.base)[:, None], queries=lambda s: angles(s.o.H, s.o.dh, s.o.base)[:, None])
rotated("rope_twice_both", "RoPE|twice|rotat", [ROPE], keys=lambda s: 2 * angles(s.o.n, s.o.dh, s.o.base), queries=lambda s: 2 * angles(s.o.m, s.o.dh, s.o.base))
rotated("rope_first_half", "RoPE|partial|half|rotat", [dict(ROPE, dh=8)], Kn=lambda s: (lambda t: torch.cat([rotate(t[..., :4], angles(s.o.n, 4, s.o.base), "half"), t[..., 4:]], -1))(split(s.K, s.o.Hk)), Qh=lambda s: (lambda t: torch.cat([rotate(t[..., :4], angles(s.o.m, 4, s.o.base), "half"), t[..., 4:]], -1))(split(s.Q, s.o.H)))
def bad_rot(x, ang, pairing):   # rotate_half without the minus sign
    c, s = torch.cat([ang.cos()] * 2, -1).to(x.dtype), torch.cat([ang.sin()] * 2, -1).to(x.dtype); h = x.shape[-1] // 2
    return x * c + torch.cat([x[..., h:], x[..., :h]], -1) * s
forward("rope_no_minus", "RoPE|sign|rotat", [ROPE], hand=False, Kn=lambda s: bad_rot(split(s.K, s.o.Hk), s.ang_k(s), ""), Qh=lambda s: bad_rot(split(s.Q, s.o.H), s.ang_q(s), ""))
def only_cos(x, ang): c = torch.cat([ang.cos()] * 2, -1).to(x.dtype); return x * c
forward("rope_only_cos", "RoPE|sin|rotat", [ROPE], hand=False, Kn=lambda s: only_cos(split(s.K, s.o.Hk), s.ang_k(s)), Qh=lambda s: only_cos(split(s.Q, s.o.H), s.ang_q(s)))
def inter_cat(x, ang): # interleaved cos with half rotation (repeat_interleave of the angles with rotate_half)
    a = ang.repeat_interleave(2, -1); h = x.shape[-1] // 2
    return x * a.cos().to(x.dtype) + torch.cat([-x[..., h:], x[..., :h]], -1) * a.sin().to(x.dtype)
forward("rope_mixed_layout", "RoPE|pair|rotat|interleav", [ROPE], hand=False, Kn=lambda s: inter_cat(split(s.K, s.o.Hk), s.ang_k(s)), Qh=lambda s: inter_cat(split(s.Q, s.o.H), s.ang_q(s)))
forward("rope_before_split", "RoPE|head|split|rotat|width", [ROPE], hand=False, Kn=lambda s: split(rotate(s.K, angles(s.o.n, s.o.dh * s.o.Hk, s.o.base), s.o.rope), s.o.Hk), Qh=lambda s: split(rotate(s.Q, angles(s.o.m, s.o.dh * s.o.H, s.o.base), s.o.rope), s.o.H))
forward("rope_before_bias", "RoPE|bias|rotat", [dict(ROPE, bias=True)], hand=False, Kn=lambda s: rotate(split(s.x @ s.W_K, s.o.Hk), s.ang_k(s), s.o.rope) + split(s.b_K.expand(s.x.shape[0], s.o.n, -1), s.o.Hk), Qh=lambda s: rotate(split(s.xPrime @ s.W_Q, s.o.H), s.ang_q(s), s.o.rope) + split(s.b_Q.expand(s.x.shape[0], s.o.m, -1), s.o.H))
forward("rope_on_v_too", "RoPE|value|V|rotat", [dict(ROPE, dv=6)], hand=False, Vh=lambda s: rotate(split(s.V, s.o.Hk), s.ang_k(s), s.o.rope))
forward("sinusoidal_added", "RoPE|position|added|sin|rotat", [ROPE], hand=False, Kn=lambda s: split(s.K, s.o.Hk) + torch.cat([s.ang_k(s).sin(), s.ang_k(s).cos()], -1).to(s.K.dtype), Qh=lambda s: split(s.Q, s.o.H) + torch.cat([s.ang_q(s).sin(), s.ang_q(s).cos()], -1).to(s.Q.dtype))

section("masks")
def dist(s): return s.o.past + torch.arange(s.o.m)[:, None] - torch.arange(s.o.n + s.o.past)[None]
forward("causal_swapped", "causal|transpos|future|mask", [CA, dict(mask="causal", m=4, n=6)], M=lambda s: s.Z.masked_fill(dist(s) > 0, NEG))
forward("causal_ignores_past", "causal|past|mask", [dict(mask="causal", past=3, self=True, n=4)], M=lambda s: s.Z.masked_fill(torch.arange(s.o.m)[:, None] < torch.arange(s.o.n + s.o.past), NEG))
forward("causal_off_by_two", "causal|mask|diagonal", [dict(CA, m=7, n=7)], M=lambda s: s.Z.masked_fill(dist(s) < -2, NEG))
forward("window_plus1", "window|mask", [dict(window=2, m=6, n=6)], M=lambda s: s.Z.masked_fill(dist(s).abs() > 2, NEG))
forward("window_one_sided", "window|mask|causal", [dict(window=3, m=7, n=7)], M=lambda s: s.Z.masked_fill((dist(s) >= 3) | (dist(s) < 0), NEG))
forward("window_other_side", "window|mask|causal", [dict(window=3, m=7, n=7)], M=lambda s: s.Z.masked_fill((dist(s) <= -3) | (dist(s) > 0), NEG))
forward("window_without_causal", "causal|window|mask", [dict(CA, window=3)], M=lambda s: s.Z.masked_fill(dist(s).abs() >= 3, NEG))
forward("window_missing", "window|mask", [dict(CA, window=3)], M=lambda s: s.Z.masked_fill(dist(s) < 0, NEG))
forward("window_unmasked_one_side", "window|mask", [dict(window=3, m=7, n=7)], M=lambda s: s.Z.masked_fill(dist(s) >= 3, NEG))
forward("window_chunked", "window|block|chunk|mask", [dict(window=3, m=6, n=6)], M=lambda s: s.Z.masked_fill(torch.arange(6)[:, None] // 3 != torch.arange(6)[None] // 3, NEG))
forward("window_half", "window|mask", [dict(window=4, m=8, n=8)], M=lambda s: s.Z.masked_fill(dist(s).abs() > 2, NEG))
def al(s, sl, d): return -sl[:, None, None].to(s.Z.dtype) * d.to(s.Z.dtype)
def slopes(s): return torch.tensor([2 ** (-8 * (h + 1) / s.o.H) for h in range(s.o.H)])
AL = dict(alibi=True, H=4, m=5)
forward("alibi_sign", "alibi|sign", [AL], M=lambda s: s.Z - al(s, slopes(s), dist(s).abs()))
forward("alibi_base", "alibi|slope", [AL], M=lambda s: s.Z + al(s, torch.tensor([2. ** -(h + 1) for h in range(s.o.H)]), dist(s).abs()))
forward("alibi_start0", "alibi|slope", [AL], M=lambda s: s.Z + al(s, torch.tensor([2 ** (-8 * h / s.o.H) for h in range(s.o.H)]), dist(s).abs()))
forward("alibi_reversed", "alibi|slope|head|order", [AL], M=lambda s: s.Z + al(s, slopes(s).flip(0), dist(s).abs()))
forward("alibi_one_slope", "alibi|slope", [AL], M=lambda s: s.Z + al(s, slopes(s)[:1].repeat(s.o.H), dist(s).abs()))
forward("alibi_no_abs", "alibi|distance|sign", [AL], M=lambda s: s.Z + al(s, slopes(s), dist(s)))
forward("alibi_key_index", "alibi|distance|position", [AL], M=lambda s: s.Z + al(s, slopes(s), (torch.arange(s.o.n))[None].expand(s.o.m, -1)))
forward("alibi_from_end", "alibi|distance|position", [AL], M=lambda s: s.Z + al(s, slopes(s), (s.o.n - s.o.m + torch.arange(s.o.m)[:, None] - torch.arange(s.o.n)[None]).abs()))
forward("alibi_scaled", "alibi|scale|mask", [AL], M=lambda s: (s.S + s.add) * s.scale)
forward("alibi_squared", "alibi|distance|square", [AL], M=lambda s: s.Z + al(s, slopes(s), dist(s) ** 2))
forward("alibi_missing", "alibi|mask", [AL, dict(AL, mask="causal", m=6)], M=lambda s: s.Z + torch.where(s.add == NEG, s.add, torch.zeros_like(s.add)))
forward("alibi_multiplied", "alibi|mask|multip", [AL], M=lambda s: s.Z * s.add)
ADD = dict(mask="add2"); B4 = dict(mask="bias4")
forward("mask_before_scale", "scale|mask", [B4, ADD], M=lambda s: (s.S + s.add) * s.scale)
forward("mask_sign", "sign|mask|subtract|invert", [B4], M=lambda s: s.Z - s.add)
forward("mask_twice", "twice|mask|factor", [B4, ADD], M=lambda s: s.Z + 2 * s.add)
forward("mask_after", "mask|softmax", [B4], M=lambda s: s.Z, P=lambda s: torch.softmax(s.M, -1) + s.add)
forward("mask_multiplied_after", "mask|softmax|normal", [dict(mask="bool4")], M=lambda s: s.Z, P=lambda s: torch.softmax(s.M, -1) * (s.add == 0))
forward("mask_head0", "mask|head", [dict(mask="bool4"), B4], M=lambda s: s.Z + s.add[:, :1])
forward("mask_only_first_head", "mask|head", [dict(mask="bool4", H=3)], M=lambda s: torch.cat([(s.Z + s.add)[:, :1], s.Z[:, 1:]], 1))
forward("mask_batch_swapped", "mask|batch", [dict(mask="pad"), dict(mask="bool4")], M=lambda s: s.Z + s.add.flip(0))
forward("mask_shifted", "mask|shift|roll|off.by.one", [dict(mask="bool2")], M=lambda s: s.Z + s.add.roll(1, -1))
forward("mask_axes_bh", "mask|batch|head|axis|axes", [dict(mask="bool4", B=2, H=2)], M=lambda s: s.Z + s.add.transpose(0, 1))
forward("mask_transposed", "mask.*transpos|transpos", [dict(mask="bool2", self=True)], M=lambda s: s.Z + T_(s.add))
forward("mask_bool_minus1", "mask|fill|add", [dict(mask="bool2")], M=lambda s: s.Z - (s.add == NEG).to(s.Z.dtype))
forward("mask_fill_-1e2", "fill|mask", [dict(mask="causal", m=6, big=2.)], M=lambda s: s.Z.masked_fill(s.add == NEG, -10.))
forward("mask_fill_min_pos", "fill|mask|invert|sign", [dict(mask="bool2")], M=lambda s: s.Z.masked_fill(s.add == NEG, 5.))
forward("mask_row_only", "mask|query|row", [dict(mask="bool2", m=6)], M=lambda s: s.Z + s.add[..., :1, :])
forward("mask_flipped_keys", "mask|revers|flip|order", [dict(mask="pad", B=2)], M=lambda s: s.Z + s.add.flip(-1))
forward("pad_plus_one", "mask|off.by.one|pad|key", [dict(mask="pad", B=2)], M=lambda s: s.Z.masked_fill((s.add == NEG) | (s.add.roll(-1, -1) == NEG), NEG))
forward("mask_on_P_fill", "mask|softmax", [dict(mask="bool2")], M=lambda s: s.Z, P=lambda s: torch.softmax(s.M, -1).masked_fill(s.add == NEG, 0))
forward("mask_half_weight", "mask|factor|scale", [B4], M=lambda s: s.Z + .5 * s.add)

section("softcap")
forward("cap_no_mult", "cap|tanh", [CAP], Z=lambda s: torch.tanh(s.S * s.scale / s.o.softcap))
forward("cap_div_twice", "cap|tanh", [CAP], Z=lambda s: s.o.softcap * torch.tanh(s.S * s.scale / s.o.softcap ** 2))
forward("cap_mult_inside", "cap|tanh", [CAP], Z=lambda s: s.o.softcap * torch.tanh(s.S * s.scale * s.o.softcap))
forward("cap_clip", "cap|clip|clamp|tanh", [CAP], Z=lambda s: (s.S * s.scale).clamp(-s.o.softcap, s.o.softcap))
forward("cap_before_scale", "cap|tanh|scale", [CAP], Z=lambda s: s.o.softcap * torch.tanh(s.S / s.o.softcap) * s.scale)
forward("cap_no_scale", "cap|scale", [CAP], Z=lambda s: s.o.softcap * torch.tanh(s.S / s.o.softcap))
forward("cap_sigmoid", "cap|sigmoid|tanh", [CAP], Z=lambda s: s.o.softcap * torch.sigmoid(s.S * s.scale / s.o.softcap))
forward("cap_softsign", "softsign|cap", [CAP], Z=lambda s: (lambda z: z / (1 + z.abs() / s.o.softcap))(s.S * s.scale))
forward("cap_twice", "cap|twice|tanh", [CAP], Z=lambda s: (lambda c: s.o.softcap * torch.tanh(c / s.o.softcap))(s.o.softcap * torch.tanh(s.S * s.scale / s.o.softcap)))
forward("cap_value_wrong", "cap|tanh", [CAP], Z=lambda s: 2. * torch.tanh(s.S * s.scale / 2.))
forward("cap_unwanted", "cap|tanh", [{}], Z=lambda s: 2. * torch.tanh(s.S * s.scale / 2.))

section("past")
PA = dict(past=3, self=True, n=4)
forward("past_after", "past|order|after|prepend|append", [PA], Kh=lambda s: torch.cat([s.Kn, s.pK], 2), Vh=lambda s: torch.cat([split(s.V, s.o.Hk), s.pV], 2), hand=False)
forward("past_after_k", "past|order|after|append", [PA], Kh=lambda s: torch.cat([s.Kn, s.pK], 2), hand=False)
forward("past_kv_swapped", "past|swap", [dict(PA, dv=4)], Kh=lambda s: torch.cat([s.pV, s.Kn], 2), Vh=lambda s: torch.cat([s.pK, split(s.V, s.o.Hk)], 2))
forward("past_reversed", "past|revers|order", [PA], Kh=lambda s: torch.cat([s.pK.flip(2), s.Kn], 2), Vh=lambda s: torch.cat([s.pV.flip(2), split(s.V, s.o.Hk)], 2))
forward("past_zero", "past|missing|zero", [PA], Kh=lambda s: torch.cat([0 * s.pK, s.Kn], 2), Vh=lambda s: torch.cat([0 * s.pV, split(s.V, s.o.Hk)], 2))
forward("past_batch0", "past|batch", [PA], Kh=lambda s: torch.cat([s.pK[:1].repeat(s.o.B, 1, 1, 1), s.Kn], 2))
forward("past_rotated_again", "past|RoPE|rotat", [dict(PAST)], hand=False, Kh=lambda s: torch.cat([rotate(s.pK, angles(3, s.o.dh, s.o.base), "half"), s.Kn], 2))

section("loss")
forward("loss_mean", "mean|loss|count", [{}, dict(loss="target")], f=lambda s: STEPS["f"](s) / s.y.numel(), hand=False)
forward("loss_mse_no_half", "half|twice|loss|2", [dict(loss="target")], f=lambda s: 2 * STEPS["f"](s), hand=False)
forward("loss_mse_mean", "mean|loss|MSE|count|factor", [dict(loss="target")], f=lambda s: 2 * STEPS["f"](s) / s.y.numel(), hand=False)
forward("loss_batch_mean", "batch|loss|factor|mean", [dict(loss="target", B=3)], f=lambda s: STEPS["f"](s) / s.o.B, hand=False)
forward("loss_l1", "L1|absolute|sign|loss", [dict(loss="target")], f=lambda s: (s.y - s.G).abs().sum(), hand=False)
forward("loss_sign", "sign|loss|negat", [dict(loss="target")], f=lambda s: -STEPS["f"](s), hand=False)
forward("loss_huge", "scale|factor|constant", [{}], f=lambda s: 1024 * STEPS["f"](s), hand=False)
forward("loss_y_only_last_token", "last|token|loss", [dict(loss="expr")], f=lambda s: (s.y[:, -1] ** 3).sum() / 3, hand=False)
