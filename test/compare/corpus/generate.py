"""Writes the corpus: python3 generate.py FOLDER. For case N: N.attention.json, N.npz and an entry of manifest.json.

In again/ each mistake is made once more, on other numbers."""
import json
import pathlib
import sys
import zlib

import numpy as np

import attention_numpy
import cases
import kernel
import loops
import problems
from beyond.cases import beyond_cases, traces
from beyond.conventions import SUBSETS as CONVENTION_SUBSETS, conventions, right_trace

ALIASES = dict(Q="query", K="key", V="value", Qh="q_heads", Kh="k_heads", Vh="v_heads", S="scores", Z="scaled_scores",
               M="masked_scores", P="attn_weights", Pd="attn_dropped", O="head_outputs", C="context", y="output", f="loss",
               xPrime="tgt", x="x", W_Q="W_query", W_K="W_key", W_V="W_value", W_O="W_out", b_Q="q_bias", b_K="k_bias",
               b_V="v_bias", b_O="out_bias")
LEAVES = ("x", "xPrime", "W_Q", "W_K", "W_V", "W_O", "b_Q", "b_K", "b_V", "b_O")
SUBSETS = {
    "all": lambda node, gradient: True,
    "coarse": lambda node, gradient: node in (("P", "y", "Q", "K", "V", *LEAVES) if gradient else
                                              ("Q", "K", "V", "S", "M", "P", "Pd", "C", "y")),
    "mid": lambda node, gradient: node in LEAVES if gradient else node in ("P", "y"),
    "leaves": lambda node, gradient: node in LEAVES if gradient else node in ("y", "f"),
}


def split_key(key):
    gradient = key.startswith("d") and key[1:] in (*ALIASES,)
    return (key[1:] if gradient else key), gradient


def named(trace, style):
    if style == "ids":
        return trace, None
    if style == "alias":
        return {("grad_" if g else "") + ALIASES[n]: v for (n, g), v in ((split_key(k), v) for k, v in trace.items()) if n in ALIASES}, None
    names = {f"t{k}_{'g' if split_key(key)[1] else 'v'}": key for k, key in enumerate(trace)}
    return {name: trace[key] for name, key in names.items()}, names


def differing(clean, slipped, dtype):
    """The keys whose tensors a slip changes beyond rounding."""
    most = {"float64": 1e-9, "float32": 2e-4}[dtype]
    keys = []
    for key in slipped:
        a, b = np.asarray(clean[key], np.float64), np.asarray(slipped[key], np.float64)
        if a.shape != b.shape:
            keys.append(key)
            continue
        finite = np.isfinite(a) & (np.abs(a) < 1e8)
        scale = max(np.abs(np.where(finite, a, 0)).max(initial=0), 1e-30)
        with np.errstate(all="ignore"):
            same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= most * scale)
        if not same.all():
            keys.append(key)
    return keys


DRAWS = ("", "again")


def write(folder, stem, trace, setup):
    folder.mkdir(exist_ok=True)
    (folder / f"{stem}.attention.json").write_text(json.dumps(setup))
    np.savez(folder / f"{stem}.npz", **{k: np.asarray(v) for k, v in trace.items()})


def listed(case, draw):
    """What a case of the list logs, what changed in it, and the setup."""
    o, arrays = problems.make(zlib.crc32((json.dumps(case) + draw).encode()), **case["options"])
    dtype = case["dtype"]
    if dtype == "float32":
        arrays = {k: v if v.dtype == bool else v.astype(np.float32).astype(np.float64) for k, v in arrays.items()}
    if case["library"] == "torch":
        import torch
        import attention_torch
        torch.set_num_threads(1)
        program = lambda slips: attention_torch.run(o, arrays, slips, getattr(torch, dtype))
    else:
        program = lambda slips: attention_numpy.run(o, arrays, slips, getattr(np, dtype))
    wanted = SUBSETS[case["subset"]]
    pick = lambda trace: {k: v for k, v in trace.items() if wanted(*split_key(k))}
    # -1e9 for -inf is no mistake: both have it.
    clean = program([slip for slip in case["slips"] if slip == "mask_1e9"])
    slipped = program(case["slips"])
    trace, names = named(pick(slipped), case["names"])
    return trace, differing(pick(clean), pick(slipped), dtype), problems.setup(o, arrays, names)


def beyond(entry, case, mode, draw):
    """The same of a mistake that is on no list."""
    clean, slipped, setup = traces(case, mode, entry["dtype"], json.dumps(entry) + draw)
    wanted = SUBSETS[entry["subset"]]
    pick = lambda trace: {k: v for k, v in trace.items() if wanted(*split_key(k))}
    trace, names = named(pick(slipped), entry["names"])
    return trace, differing(pick(clean), pick(slipped), entry["dtype"]), setup(names)


def main(folder):
    folder = pathlib.Path(folder)
    manifest = []
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    for number, case in enumerate(cases.all_cases()):
        text = json.dumps(case)
        if only and only not in text:
            continue
        stem = f"{number:04d}"
        for draw in DRAWS:
            trace, changed, setup = listed(case, draw)
            write(folder / draw, stem, trace, setup)
            if not draw:
                manifest.append(dict(stem=stem, changed=changed, **case))
    for cases_of in (kernel.kernel_cases, loops.loop_cases):
        for (entry, clean, slipped, setup), (_, _, other, others_setup) in zip(cases_of(), cases_of("again")):
            if only and only not in json.dumps(entry):
                continue
            stem = f"{entry['row']}-{len(manifest):04d}"
            write(folder, stem, slipped, setup)
            write(folder / "again", stem, other, others_setup)
            manifest.append(dict(stem=stem, changed=differing(clean, slipped, entry["dtype"]), **entry))
    for entry, case, mode in beyond_cases():
        if only and only not in json.dumps(entry):
            continue
        trace, changed, setup = beyond(entry, case, mode, "")
        if not changed:
            continue
        stem = f"beyond-{len(manifest):04d}"
        write(folder, stem, trace, setup)
        other, _, others_setup = beyond(entry, case, mode, "again")
        write(folder / "again", stem, other, others_setup)
        manifest.append(dict(stem=stem, changed=changed, **entry))
    for entry, case, dtype in conventions():
        if only and only not in json.dumps(entry):
            continue
        trace, setup = right_trace(case, dtype)
        wanted = CONVENTION_SUBSETS[case["subset"]]
        is_node = lambda key: split_key(key)[0] in ALIASES
        trace, names = named({k: v for k, v in trace.items() if not is_node(k) or wanted(*split_key(k))}, entry["names"])
        stem = f"right-{len(manifest):04d}"
        write(folder, stem, trace, setup(names))
        manifest.append(dict(stem=stem, changed=[], **entry))
    (folder / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    main(sys.argv[1])
