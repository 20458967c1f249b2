"""Computes all setups of a folder by attention_trace.py, in one launch of torchrun.

    torchrun --nproc_per_node 2 reference_all.py FOLDER

For every FOLDER/NAME.attention.json writes FOLDER/NAME.safetensors.
"""
import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))

from attention_trace import reference  # noqa: E402

torch.set_num_threads(1)
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.attention.json")):
    try:
        reference(str(path), str(path).replace(".attention.json", ".safetensors"), "cpu")
    except ValueError as error:
        print(error, file=sys.stderr)
