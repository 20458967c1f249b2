"""The commonest mistakes at real sizes: python3 sizes.py FOLDER TYPE TOKENS... writes N.attention.json, N.npz and manifest.json."""
import json
import pathlib
import sys
import zlib

import numpy as np
import torch

import attention_numpy
import attention_torch
import problems
from generate import SUBSETS, split_key

CAUSAL = dict(mask="causal")
# Slips, the first wrong of all that is logged, the cause; the library that computes it.
FORWARD = [
    ("", "", "", CAUSAL),
    ("no_scale", "Z", "scale-missing", CAUSAL),
    ("no_scale", "Z", "scale-missing", {}),
    ("scale_model_width", "Z", "scale-of-model-width", CAUSAL),
    ("scale_without_root", "Z", "scale-(twice|without-root)", {}),
    ("softmax_query_axis", "P", "softmax-wrong-axis", {}),
    ("mask_missing", "M", "mask-(causal-)?missing", CAUSAL),
    ("causal_strict", "M", "mask-causal-strict", CAUSAL),
    ("causal_leak", "M", "mask-causal-leak", CAUSAL),
    ("mask_after_softmax", "M|P", "mask-after-softmax|mask-(causal-)?missing", CAUSAL),
    ("merge_reshape", "C", "(result|operand)-reshaped-heads", {}),
    ("split_view_k", "Kh", "result-reshaped-heads", {}),
    ("weights_k_v_swapped", "K", "wrong-operand|nodes-swapped", {}),
    ("rope_pairing", "Kh", "rope-pairing", dict(rope="half")),
]
BACKWARD = [
    ("jac_no_sum", "d(Z|M)", "softmax-backward-no-sum", CAUSAL),
    ("jac_sum_query", "d(Z|M)", "softmax-backward-axis", {}),
    ("back_no_scale", "dS", "backward-scale", CAUSAL),
    ("scale_only_dQ", "dKh?|dS", "backward-scale", {}),
    ("p_recomputed_unmasked", "dM|dZ|dV.*", "backward-weights-unmasked", CAUSAL),
    ("dX_no_v", "dx", "path-dropped|gradient-overwritten", dict(self_attention=True)),
    ("dX_double_q", "dx", "path-counted-twice", dict(self_attention=True)),
    ("not_zeroed", "dW_.*|db_.*|dx.*", "gradients-not-zeroed", {}),
]


def main(folder, name, tokens):
    folder = pathlib.Path(folder)
    torch.set_num_threads(1)
    manifest = []
    rows = [(*row, "torch") for row in FORWARD] + ([] if name == "bfloat16" else [(*row, "numpy") for row in BACKWARD])
    for T in tokens:
        for slip, first, cause, options, library in rows:
            for subset in ("all", "mid"):
                text = f"{slip} {T} {name} {json.dumps(options)}"
                size = dict(B=1, m=T, n=T, D=32, E=32, H=2, dh=16, dv=16, out=32, **options)
                o, arrays = problems.make(zlib.crc32(text.encode()), **size)
                narrow = lambda v: v if v.dtype == bool else rounded(v, name)
                arrays = {key: narrow(value) for key, value in arrays.items()}
                slips = [slip] if slip else []
                if library == "torch":
                    trace = attention_torch.run(o, arrays, slips, getattr(torch, name))
                else:
                    trace = attention_numpy.run(o, arrays, slips, getattr(np, name))
                trace = {key: np.asarray(value) for key, value in trace.items() if SUBSETS[subset](*split_key(key))}
                stem = f"{T}-{name}-{len(manifest):03d}-{subset}"
                files = {f"in_{key}": value for key, value in arrays.items()}
                setup = problems.setup(o, {key: np.zeros(0) if value.dtype != bool else value for key, value in arrays.items()})
                link(setup, stem, arrays)
                np.savez(folder / f"{stem}.inputs.npz", **files)
                np.savez(folder / f"{stem}.npz", **trace)
                (folder / f"{stem}.attention.json").write_text(json.dumps(setup))
                manifest.append(dict(stem=stem, tokens=T, slip=slip, first=first, cause=cause, subset=subset))
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rounded(value, name):
    return torch.from_numpy(value).to(getattr(torch, name)).double().numpy()


def link(setup, stem, arrays):
    """Tensors of this size stand in a file."""
    file = lambda key: {"file": f"{stem}.inputs.npz", "key": f"in_{key}"}
    for key in ("x", "xPrime"):
        if key in setup:
            setup[key] = file(key)
    setup["weights"] = {key: file(key) for key in setup["weights"]}
    setup["loss"] = {"upstream": file("G")}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], [int(each) for each in sys.argv[3:]])
