"""The mistakes of the corpus: row of mistakes.md (or "new", "pair", "ok"), slips, options, what must be named."""

CAUSAL = dict(mask="causal", n=5, m=5)
GQA = dict(H=6, Hk=2, dh=4, dv=3)
SELF = dict(self_attention=True, n=5)
SQUARE = dict(self_attention=True, n=6, D=8, H=2, dh=4, dv=4, out=8)
CAP = dict(softcap=1.5, spread=1.5)
CROSS_SQUARE = dict(m=5, n=5, D=8, E=8, H=2, dh=4, dv=4, out=8)
ROPE = dict(rope="half")
ROPE2 = dict(rope="interleaved", base=100, H=4, dh=6)
DROP = dict(dropout=0.3)
DROP2 = dict(dropout=0.1, H=3, n=7)
PAD = dict(mask="padding")

# (row, slips, expected cause, list of options, libraries). An option set is run by each library.
FORWARD = [
    (1, "softmax_query_axis", "softmax-wrong-axis", [{}, dict(mask="boolean", m=4, n=6)], "nt"),
    (2, "softmax_head_axis", "softmax-wrong-axis", [{}, dict(H=4, dh=2, dv=2, m=4)], "nt"),
    (3, "softmax_batch_axis", "softmax-wrong-axis", [{}, dict(B=3, m=2)], "nt"),
    (3, "softmax_batch_axis", "softmax-wrong-axis|not-normalised|softmax", [dict(B=1)], "n"),
    (4, "softmax_global", "softmax-over-several-axes", [{}, dict(mask="causal", m=4, n=4)], "nt"),
    (5, "no_softmax", "softmax-missing", [{}, dict(B=0, H=3)], "nt"),
    (6, "softmax_no_max", "softmax-overflow", [dict(spread=14.0), dict(spread=20.0, H=4)], "f"),
    (7, "softmax_global_max", "softmax-max-wrong-axis|softmax-overflow", [dict(spread=12.0), dict(spread=16.0, m=6)], "f"),
    (8, "softmax_bf16", "low-precision", [dict(n=9), dict(n=33, m=17)], "f"),
    (9, "no_scale", "scale-missing", [{}, dict(B=0, H=3, dh=6)], "nt"),
    (10, "scale_model_width", "scale-of-model-width", [{}, dict(H=4, dh=8)], "nt"),
    (11, "scale_inverted", "scale-inverted", [dict(dh=3), dict(dh=6, H=3)], "nt"),
    (12, "scale_twice", "scale-(twice|without-root)", [{}, dict(scale=0.3)], "nt"),
    (12, "q_prescaled", "scale-(twice|missing|without-root)", [{}, dict(dh=6)], "n"),
    (13, "scale_without_root", "scale-(twice|without-root)", [{}, dict(dh=9)], "nt"),
    (13, "scale_tokens", "scale-of-token-count", [{}, dict(n=7)], "nt"),
    (14, "mask_after_softmax", "mask-after-softmax|mask-missing", [CAUSAL, PAD], "nt"),
    (15, "mask_inverted", "mask-inverted|mask-transposed", [dict(mask="boolean"), dict(mask="ignore", B=0), CAUSAL], "nt"),
    (16, "mask_add01", "mask-added", [CAUSAL, PAD], "nt"),
    (16, "mask_add_ignore01", "mask-added", [CAUSAL, PAD], "n"),
    (17, "mask_mul", "mask-multiplied|mask-fill", [CAUSAL, dict(mask="boolean")], "nt"),
    (17, "mask_fill_zero", "mask-multiplied|mask-fill", [CAUSAL, PAD], "n"),
    (18, "mask_fill_tiny", "mask-fill|mask-multiplied", [CAUSAL, PAD], "nt"),
    (20, "two_minima", "fully-masked-row", [dict(mask="causal-bottom-right", m=7, n=5), dict(mask="causal-bottom-right", m=6, n=3, B=0)], "t"),
    (21, "nan_rows", "fully-masked-row", [dict(mask="causal-bottom-right", m=6, n=4), dict(mask="causal-bottom-right", m=5, n=3, B=0)], "t"),
    (22, "causal_strict", "mask-causal-strict", [CAUSAL, dict(mask="causal", m=4, n=6)], "nt"),
    (23, "causal_leak", "mask-causal-leak", [CAUSAL, dict(mask="causal", m=5, n=7)], "nt"),
    (24, "causal_alignment", "mask-causal-alignment", [dict(mask="causal", m=3, n=6), dict(mask="causal-bottom-right", m=3, n=5)], "nt"),
    (25, "padding_on_queries", "mask-on-queries|mask-missing|mask-given-missing", [dict(PAD, m=5), dict(PAD, m=3), dict(PAD, m=6, n=6)], "n"),
    (26, "window_wide", "mask-window-too-wide", [dict(window=2, m=6, n=6), dict(window=3, m=7, n=7, mask="causal")], "nt"),
    (26, "window_narrow", "mask-window-too-narrow", [dict(window=3, m=6, n=6), dict(window=4, m=7, n=7, mask="causal")], "nt"),
    (27, "cap_after_mask", "softcap-after-mask", [dict(CAP, **CAUSAL), dict(CAP, mask="boolean")], "nt"),
    (28, "split_view", "result-reshaped-heads", [{}, dict(H=4, dh=2, dv=2, B=0)], "nt"),
    (28, "split_view_k", "result-reshaped-heads", [{}, dict(H=4, dh=2, dv=2)], "nt"),
    (29, "merge_reshape", "result-reshaped-heads", [{}, dict(H=3, B=0), dict(W_O=False)], "nt"),
    (30, "weights_k_v_swapped", "wrong-operand|nodes-swapped", [{}, dict(bias=True)], "nt"),
    (31, "weight_q_transposed", "operand-transposed", [SQUARE, CROSS_SQUARE], "nt"),
    (31, "weight_v_transposed", "operand-transposed", [SQUARE, CROSS_SQUARE], "n"),
    (32, "scores_swapped", "operands-swapped|result-transposed", [SQUARE, CROSS_SQUARE], "nt"),
    (33, "v_from_queries", "wrong-operand", [CROSS_SQUARE, dict(CROSS_SQUARE, H=4, dh=2, dv=2)], "nt"),
    (33, "k_from_queries", "wrong-operand", [CROSS_SQUARE, dict(CROSS_SQUARE, B=0)], "nt"),
    (34, "gqa_tile", "gqa-tile", [GQA, dict(H=4, Hk=2, dh=4)], "nt"),
    (37, "rope_pairing", "rope-pairing", [ROPE, ROPE2], "nt"),
    (38, "rope_pairing_k", "rope-pairing", [ROPE, ROPE2], "nt"),
    (38, "rope_sign_k", "rope-sign", [ROPE, ROPE2], "nt"),
    (39, "rope_on_v", "rope-on-values", [ROPE, ROPE2], "nt"),
    (39, "rope_missing_k", "rope-missing", [ROPE, ROPE2], "nt"),
    (41, "drop_unscaled", "dropout-unscaled", [DROP, DROP2], "nt"),
    (41, "drop_inverse", "dropout-scale-inverse", [DROP, DROP2], "nt"),
    (41, "drop_twice", "dropout-scale-twice", [DROP, DROP2], "nt"),
    (62, "loss_mean", "loss-mean|mean", [{}, dict(loss="target", B=3)], "nt"),
]

BACKWARD = [
    (40, "back_rope_sign", "backward-rope-sign", [ROPE, ROPE2]),
    (40, "back_rope_missing", "backward-rope-missing", [ROPE, ROPE2]),
    (42, "back_drop_unscaled", "backward-dropout-unscaled", [DROP, DROP2]),
    (42, "back_drop_p", "backward-dropout-scale-p", [DROP, DROP2]),
    (44, "jac_diagonal", "softmax-backward-diagonal", [{}, CAUSAL]),
    (45, "jac_no_sum", "softmax-backward-no-sum", [{}, dict(B=0)]),
    (46, "jac_skip", "softmax-(backward-missing|missing)|backward-softmax-missing", [{}, CAUSAL]),
    (47, "jac_sum_query", "softmax-backward-axis", [{}, SELF]),
    (47, "jac_sum_global", "softmax-backward-axis", [{}, dict(H=3)]),
    (47, "jac_mean", "softmax-backward-mean", [{}, dict(n=8)]),
    (48, "jac_sum_dP", "softmax-backward-sum-without-weights", [{}, dict(n=4)]),
    (48, "jac_sign", "softmax-backward-sign", [{}, dict(B=0)]),
    (49, "jac_logits", "weights", [{}, dict(H=4)]),
    (50, "jac_keepdim", "softmax-backward|transposed", [SELF, dict(m=4, n=4)]),
    (51, "p_recomputed_unmasked", "backward-weights-unmasked", [CAUSAL, PAD]),
    (52, "back_no_scale", "backward-scale", [{}, dict(dh=6)]),
    (53, "back_scale_twice", "backward-scale", [{}, dict(dh=9, scale=0.4)]),
    (54, "scale_only_dQ", "backward-scale", [{}, dict(dh=6)]),
    (54, "scale_only_dK", "backward-scale", [{}, dict(dh=6)]),
    (55, "dV_no_transpose", "backward-operand-transposed", [SELF, dict(m=4, n=4)]),
    (55, "dK_no_transpose", "backward-operand-transposed", [SELF, dict(m=4, n=4)]),
    (56, "back_cap_missing", "backward-softcap-missing", [CAP, dict(CAP, H=4)]),
    (57, "dS_bf16", "low-precision", [{}, dict(n=9)]),
    (57, "dV_p_bf16", "low-precision", [{}, dict(n=9)]),
    (58, "dX_overwrite", "gradient-overwritten|path-dropped", [SELF, {}]),
    (59, "dX_no_q", "path-dropped", [SELF, dict(SELF, B=0)]),
    (59, "dX_no_k", "path-dropped|gradient-overwritten", [SELF, {}]),
    (59, "dX_no_v", "path-dropped|gradient-overwritten", [SELF, {}]),
    (60, "dX_double_q", "path-counted-twice", [SELF, dict(SELF, H=4)]),
    (60, "dX_double_k", "path-counted-twice", [{}, dict(B=0)]),
    (61, "not_zeroed", "gradients-not-zeroed", [{}, dict(bias=True)]),
    (61, "not_zeroed_3", "gradients-not-zeroed", [{}, dict(B=0)]),
    (63, "gqa_mean", "group-mean", [GQA, dict(H=4, Hk=1)]),
    (63, "gqa_last", "backward-only-last", [GQA, dict(H=4, Hk=1)]),
    (63, "gqa_wrong_sum", "backward-gqa-tile", [GQA, dict(H=6, Hk=3)]),
    (64, "db_last_batch", "backward-only-last-batch", [dict(bias=True), dict(bias=True, B=3)]),
    (64, "db_last_token", "backward-only-last-query", [dict(bias=True), dict(bias=True, m=6)]),
    (65, "dX_W_not_transposed", "backward-operand-transposed", [SQUARE, CROSS_SQUARE]),
    (65, "dC_W_not_transposed", "backward-operand-transposed", [SQUARE, CROSS_SQUARE]),
    (65, "dW_V_transposed", "gradient-transposed", [SQUARE, CROSS_SQUARE]),
    (66, "detached_k", "gradient-detached", [{}, SELF]),
    (66, "detached_w_v", "gradient-detached", [{}, SELF]),
    (67, "jac_inplace", "softmax-backward|dropout|weights", [DROP, DROP2]),
]

NEW_FORWARD = [
    ("softmax_base2", "softmax-of-base-2", [{}, CAUSAL], "n"),
    ("softmax_plus_one", "softmax-plus-one", [{}], "n"),
    ("sigmoid", "sigmoid", [{}], "nt"),
    ("softmax_twice", "softmax-twice", [{}], "n"),
    ("not_normalised", "not-normalised", [{}], "n"),
    ("residual_in_y", "residual-added|extra-term", [SQUARE], "nt"),
    ("bias_q_missing", "bias-missing", [dict(bias=True)], "nt"),
    ("bias_k_twice", "bias-twice", [dict(bias=True)], "n"),
    ("bias_o_missing", "bias-missing", [dict(bias=True)], "nt"),
    ("bias_v_is_b_k", "wrong-operand", [dict(bias=True)], "n"),
    ("split_interleaved_k", "result-reshaped-heads", [{}], "n"),
    ("merge_interleaved", "result-reshaped-heads", [{}], "n"),
    ("weight_o_transposed", "operand-transposed", [SQUARE], "nt"),
    ("o_from_keys", "wrong-operand", [CROSS_SQUARE], "n"),
    ("o_from_undropped", "wrong-operand|dropout-missing", [DROP], "n"),
    ("qq_scores", "wrong-operand", [SELF], "n"),
    ("keep_inverted", "dropout-mask-inverted", [DROP], "n"),
    ("drop_missing", "dropout-missing", [DROP], "n"),
    ("rope_base", "rope-base", [ROPE], "n"),
    ("rope_offset", "rope-position", [ROPE, ROPE2], "nt"),
    ("rope_partial", "rope-partial", [dict(ROPE, dh=8)], "n"),
    ("rope_twice_q", "rope-twice", [ROPE], "n"),
    ("cap_no_division", "softcap-without-division", [CAP], "n"),
    ("cap_no_multiplication", "softcap-without-multiplication", [CAP], "n"),
    ("cap_before_scale", "softcap-before-scale", [CAP], "n"),
    ("cap_missing", "softcap-missing", [CAP], "nt"),
    ("mask_missing", "mask-(missing|causal-missing)", [CAUSAL], "nt"),
    ("mask_subtracted", "mask-inverted", [dict(mask="additive")], "n"),
    ("mask_fill_small", "mask-fill-value", [CAUSAL], "n"),
    ("mask_first_batch", "mask-of-first-only", [PAD], "n"),
    ("causal_unwanted", "mask-unwanted", [dict(m=5)], "n"),
    ("causal_transposed", "mask-transposed", [CAUSAL], "n"),
    ("alibi_sign", "alibi-sign", [dict(alibi=True)], "n"),
    ("alibi_start", "alibi-slopes", [dict(alibi=True, H=4)], "n"),
    ("gqa_first", "gqa-first-head", [GQA], "n"),
    ("gqa_tile_k_only", "gqa-tile", [GQA], "n"),
    ("scale_arbitrary", "constant-factor|scale", [{}], "n"),
    ("y_doubled", "twice", [{}], "n"),
    ("p_stored_bf16", "low-precision", [dict(n=9)], "f"),
    ("o_from_logits", "wrong-operand", [{}], "n"),
]

NEW_BACKWARD = [
    ("jac_unweighted", "softmax-backward-unweighted", [{}]),
    ("jac_sum_unweighted", "softmax-backward-sum-unweighted", [{}]),
    ("jac_uses_dropped", "weights|softmax-backward", [DROP]),
    ("jac_from_dPd", "upstream|dropout", [DROP]),
    ("jac_sum_heads", "softmax-backward-axis", [dict(H=3)]),
    ("jac_negative", "sign", [{}]),
    ("jac_squared", "softmax-backward|path|operand", [{}]),
    ("dV_from_undropped", "backward-wrong-operand|dropout", [DROP]),
    ("dV_from_y", "backward-value-for-gradient", [{}]),
    ("dP_from_keys", "backward-wrong-operand", [CROSS_SQUARE]),
    ("dK_from_K", "backward-wrong-operand", [SELF]),
    ("dK_from_dM", "backward-wrong-upstream|backward-scale|backward-scale-missing", [CAUSAL]),
    ("dQ_transpose", "backward-operand-transposed", [SELF]),
    ("dQ_dK_swapped", "gradients-swapped", [SELF]),
    ("dO_reshape", "gradient-reshaped-heads|reshaped", [{}]),
    ("dV_merge_reshape", "gradient-reshaped-heads|reshaped", [{}]),
    ("back_drop_skipped", "dropout-missing", [DROP]),
    ("back_drop_no_mask", "dropout-scale-without-mask", [DROP]),
    ("back_cap_not_divided", "backward-softcap-unscaled", [CAP]),
    ("back_cap_not_squared", "backward-softcap-not-squared", [CAP]),
    ("back_rope_missing_k", "backward-rope-missing", [ROPE]),
    ("dW_K_last_batch", "backward-only-last-batch", [{}]),
    ("dW_Q_batch_mean", "batch|half", [{}]),
    ("dW_O_last_batch", "backward-only-last-batch", [{}]),
    ("weight_decay", "weight-decay", [{}]),
    ("clipped", "gradients-of-inputs-scaled|constant", [{}]),
    ("averaged_batch", "scaled|batch|half", [dict(B=3)]),
    ("dX_residual", "extra-term|weight-decay|residual", [{}]),
    ("dX_mean_paths", "path-factors|three|constant|divided-by-count", [SELF]),
    ("dy_ones", "upstream-of-ones", [{}]),
    ("dy_sign", "sign", [{}]),
    ("dy_no_half", "twice|loss", [dict(loss="default")]),
    ("gqa_sum_k_only", "backward-only-last", [GQA]),
    ("gqa_first_member", "backward-only-first", [GQA]),
    ("db_mean", "mean|constant|half|token", [dict(bias=True)]),
    ("dK_unrotated", "rope|operand", [ROPE]),
]

# Two mistakes at once; both must be named, in either order of the list.
PAIRS = [
    (("no_scale", "jac_no_sum"), ("scale-missing", "softmax-backward-no-sum"), {}),
    (("causal_leak", "dX_no_k"), ("mask-causal-leak", "path-dropped|gradient-overwritten"), CAUSAL),
    (("merge_reshape", "gqa_tile"), ("reshaped-heads", "gqa-tile"), GQA),
    (("jac_sign", "back_no_scale"), ("softmax-backward-sign", "backward-scale"), {}),
    (("split_view_k", "scale_model_width"), ("reshaped-heads", "scale-of-model-width"), {}),
    (("drop_unscaled", "jac_mean"), ("dropout-unscaled", "softmax-backward-mean"), DROP),
    (("dK_no_transpose", "dX_double_q"), ("transposed", "path-counted-twice"), SELF),
    (("mask_inverted", "mask_add01"), ("mask-added", "mask-added"), PAD),
    (("bias_q_missing", "db_last_batch"), ("bias-missing", "only-last-batch"), dict(bias=True)),
    (("rope_pairing", "back_drop_unscaled"), ("rope-pairing", "dropout-unscaled"), dict(ROPE, **DROP)),
    (("jac_sum_query", "jac_sign"), ("softmax-backward-.*axis.*sign", "softmax-backward-.*axis.*sign"), {}),
    (("jac_sum_dP", "back_scale_twice"), ("sum-without-weights", "backward-scale"), {}),
    (("scale_inverted", "causal_strict"), ("scale-inverted", "mask-causal-strict"), dict(CAUSAL, dh=3)),
    (("residual_in_y", "dW_V_transposed"), ("residual|extra", "transposed"), SQUARE),
    (("gqa_mean", "jac_sum_global"), ("softmax-backward-axis", "group-mean"), GQA),
]


def all_cases():
    """Dictionaries: row, slips, expect (one pattern per cause), options, library ("numpy", "torch"), dtype, subset, names."""
    cases = []

    def add(row, slips, expect, options, library, dtype, subset, names):
        cases.append(dict(row=row, slips=slips, expect=expect, options=options, library=library, dtype=dtype,
                          subset=subset, names=names))

    for row, slip, expect, options, libraries in FORWARD + [("new", *case) for case in NEW_FORWARD]:
        for k, o in enumerate(options):
            if "n" in libraries:
                add(row, [slip], [expect], o, "numpy", ["float64", "float32"][k % 2], ["all", "coarse"][k % 2], ["ids", "alias"][k % 2])
            if "t" in libraries:
                add(row, [slip], [expect], o, "torch", ["float32", "float64"][k % 2], ["coarse", "all"][k % 2], ["setup", "ids"][k % 2])
            if "f" in libraries:
                add(row, [slip], [expect], o, "numpy", "float32", ["all", "coarse"][k % 2], ["ids", "alias"][k % 2])
    for row, slip, expect, options in BACKWARD + [("new", *case) for case in NEW_BACKWARD]:
        for k, o in enumerate(options):
            add(row, [slip], [expect], o, "numpy", ["float64", "float32"][k % 2], "all", ["ids", "setup"][k % 2])
            add(row, [slip], [expect], o, "numpy", ["float32", "float64"][k % 2], "coarse", ["alias", "ids"][k % 2])
    for slips, expect, o in PAIRS:
        add("pair", list(slips), list(expect), o, "numpy", "float64", "all", "ids")
        add("pair", list(slips), list(expect), o, "numpy", "float32", "all", "alias")
    for slip, expect, o in (
        ("causal_strict", "mask-causal-strict", CAUSAL), ("causal_leak", "mask-causal-leak", CAUSAL),
        ("mask_inverted", "mask-inverted", PAD), ("causal_alignment", "mask-causal-alignment", dict(mask="causal", m=3, n=6)),
        ("jac_no_sum", "softmax-backward-no-sum", CAUSAL), ("scale_model_width", "scale-of-model-width", CAUSAL),
    ):
        add("fill", [slip, "mask_1e9"], [expect], o, "numpy", "float64", "all", "ids")
        add("fill", [slip, "mask_1e9"], [expect], o, "numpy", "float32", "coarse", "alias")
    for row, slip, expect, options, libraries in FORWARD:
        if "n" in libraries:
            add("leaves", [slip], [expect], options[0], "numpy", "float64", "leaves", "ids")
    for row, slip, expect, options in BACKWARD:
        add("leaves", [slip], [expect], options[0], "numpy", "float64", "leaves", "ids")
    return cases
