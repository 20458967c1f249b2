"""Traces of correct programs: python3 correct.py FOLDER DTYPE computes every correct-N.attention.json by autograd.

float64 and float32 are PyTorch's own; bfloat16 is float32 with every node and every gradient rounded to bfloat16,
as mixed precision with float32 sums does.
"""
import json
import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "conformance"))
import torch_reference as reference  # noqa: E402


class Rounded(torch.autograd.Function):
    """Value and gradient in bfloat16."""

    @staticmethod
    def forward(ctx, value):
        return value.to(torch.bfloat16).to(value.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.to(torch.bfloat16).to(gradient.dtype)


def main(folder, name):
    torch.set_default_dtype(torch.float64 if name == "float64" else torch.float32)
    original = reference.Graph.keep

    def keep(self, node, value):
        if name == "bfloat16":
            if value.is_leaf:
                value.data = value.data.to(torch.bfloat16).to(value.dtype)
            else:
                value = Rounded.apply(value)
        return original(self, node, value)

    reference.Graph.keep = keep
    # The reference asks for float64 by name; here that is the default type.
    torch.Tensor.double = lambda self: self.to(torch.get_default_dtype())
    for path in sorted(pathlib.Path(folder).glob("correct-*.attention.json")):
        setup = json.loads(path.read_text())
        setup.setdefault("axes", "key-first" if setup["head"] == "kq" else "query-first")
        arrays = {}
        for node, value in reference.attend(setup).items():
            grad = value.grad if value.grad is not None else torch.zeros_like(value)
            if name == "bfloat16":
                grad = grad.to(torch.bfloat16).to(grad.dtype)
            arrays[node], arrays[f"d{node}"] = value.detach().numpy(), grad.numpy()
        np.savez(path.with_name(path.name.replace(".attention.json", ".npz")), **arrays)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
