"""Mistakes that are on no list, as cases of the corpus: one number type, subset and naming for each."""
import zlib

import torch

from beyond.backward import CASES
from beyond.program import problem, run, setup

VARIANTS = (("float64", "all", "ids"), ("float32", "coarse", "alias"), ("float64", "all", "setup"), ("float32", "mid", "ids"))
# What can only be read off the tensor itself: nothing of a list has these numbers.
ALL_ONLY = ("first_query", "rope_base_777", "scale_one_head", "scores_float16", "heads_permuted", "k_negated_head", "p_plus_eps", "top2",
            "mask_after", "mask_fill_min_pos", "cap_value", "cap_unwanted", "window_chunked", "eps_", "quiet_after_max", "hard", "l1_no_exp",
            "scale_log_n", "scale_quarter", "prenorm", "pad_plus", "dropout_other", "bq_on_k", "q_prescaled_Qh", "dropout_at", "b_batch", "relu_attention", "bk_missing", "rope_positions",
            "dS_uses_dM_times_S", "gqa_max")


def beyond_cases():
    """Dictionaries for the manifest, each with a function that gives clean and slipped traces and the setup."""
    number = 0
    for case in CASES:
        for mode in case["modes"]:
            number += 1
            is_whole = case["name"].startswith(ALL_ONLY) or case["name"].startswith("pair") or not case["want"]
            dtype, subset, names = VARIANTS[0 if is_whole else number % len(VARIANTS)]
            yield dict(row=case["row"], slips=[case["name"]], expect=case["want"].split(" ++ ") if case["want"] else ["^unknown$"],
                       options=case["options"], library=f"torch, {mode}", dtype=dtype, subset=subset, names=names), case, mode


def traces(case, mode, dtype, text):
    o, a = problem(zlib.crc32(text.encode()), **case["options"])
    own = getattr(torch, dtype)
    a = type(a)({k: v if v.dtype == torch.bool else v.to(own).double() for k, v in a.items()})
    clean = run(o, a, dtype=own, mode=mode)
    slipped = run(o, a, case["forward"], case["backward"], dtype=own, mode=mode, post=case["post"])
    numbers = lambda trace: {k: v.detach().numpy() for k, v in trace.items()}
    return numbers(clean), numbers(slipped), lambda names: setup(o, a, names)
