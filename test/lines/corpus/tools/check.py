#!/usr/bin/env python3
"""Checks the corpus: right programs against PyTorch's autograd, wrong ones against the right ones.

    check.py            every base program's values and gradients, and every variant in mistakes.json
    check.py --write    writes the setups and their .npz from the programs first
    check.py NAME ...   these programs only
"""
import json
import os
import sys
import tempfile

import numpy as np
import torch

import materialise
import program
import reference
from specs import SPECS, T

HERE = materialise.CORPUS


def plain(value):
    """A NumPy copy of whatever a program keeps its numbers in."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return value.float().numpy().copy() if value.dtype in (torch.bfloat16, torch.float16) else value.numpy().copy()
    if isinstance(value, (list, tuple)):
        return np.stack([plain(item) for item in value])
    return np.array(value)


def lookup(expression, found, last):
    return plain(eval(expression, {"np": np, "torch": torch, **found, "LOCALS": last}))


def write(name, spec):
    """The setup file of a base program and the tensors that it names."""
    _, found, last = program.run(materialise.path_of(name), spec.get("args", []))
    arrays = {}

    def place(entry, key):
        if isinstance(entry, T):
            arrays[key] = lookup(entry.expression, found, last)
            return {"file": f"{name}.npz", "key": key}
        if isinstance(entry, dict):
            return {k: place(v, k) for k, v in entry.items()}
        return entry

    setup = {key: place(value, key) for key, value in spec["setup"].items()}
    folder = os.path.join(HERE, "programs", name)
    np.savez(os.path.join(folder, f"{name}.npz"), **arrays)
    with open(os.path.join(folder, f"{name}.attention.json"), "w") as file:
        json.dump(setup, file, indent=2)
        file.write("\n")


def errors(name, spec, path):
    """Relative error of each value that the program keeps, and its printed text."""
    printed, found, last = program.run(path, spec.get("args", []))
    want = reference.run(os.path.join(HERE, "programs", name, f"{name}.attention.json"))
    result = {}
    for node, expression in spec["values"].items():
        try:
            got = lookup(expression, found, last)
        except Exception as problem:
            result[node] = repr(problem)
            continue
        right = want[node.rstrip("'")]
        if got.shape != right.shape:
            result[node] = f"shape {got.shape}, not {right.shape}"
        else:
            result[node] = float(np.abs(got - right).max() / max(np.abs(right).max(), 1e-12))
    return printed, result


def off(error, spec):
    return isinstance(error, str) or not error <= spec.get("tolerance", 1e-9)


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("-")]
    with open(os.path.join(HERE, "mistakes.json")) as file:
        corpus = json.load(file)
    bad = 0
    for name, spec in SPECS.items():
        if names and name not in names:
            continue
        if "--write" in sys.argv:
            write(name, spec)
        base, result = errors(name, spec, materialise.path_of(name))
        wrong = {node: e for node, e in result.items() if off(e, spec)}
        worst = max((e for e in result.values() if not isinstance(e, str)), default=None)
        print(f"{'BAD ' if wrong else 'ok  '} {name}: {len(result)} tensors, largest relative error {worst} {wrong or ''}")
        bad += bool(wrong)
        for other in (r for r in corpus["conventions"] if r["program"] == name):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    _, result = errors(name, spec, materialise.variant(other, folder))
                except Exception as problem:
                    result = {"program": repr(problem)}
            wrong = {node: e for node, e in result.items() if off(e, spec)}
            bad += bool(wrong)
            print(f"  {'BAD' if wrong else 'ok '} {other['name']}: right as well {wrong or ''}")
        for mistake in (m for m in corpus["mistakes"] if m["program"] == name):
            with tempfile.TemporaryDirectory() as folder:
                path = materialise.variant(mistake, folder)
                try:
                    printed, result = errors(name, spec, path)
                except Exception as problem:
                    print(f"  BAD {mistake['name']}: {problem!r}")
                    bad += 1
                    continue
            wrong = [f"{node} {e if isinstance(e, str) else format(e, '.0e')}" for node, e in result.items() if off(e, spec)]
            note = [] if wrong else ["changes no gradient"]
            if printed == base:
                note.append("prints the same")
            if any(isinstance(e, float) and not np.isfinite(e) for e in result.values()):
                note.append("not finite")
            bad += not wrong
            print(f"  {'ok ' if wrong else 'BAD'} {mistake['name']}: {', '.join(wrong)} {note or ''}")
    print("bad:", bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
