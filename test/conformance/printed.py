"""Runs printed formulas on the tensors beside them: python3 printed.py PROGRAMS.json"""
import json
import sys

import numpy as np
import torch


def read(tensor):
    data = [float(each.replace("Infinity", "inf")) for each in tensor["data"]]
    return np.array(data, dtype=np.float64).reshape(tensor["shape"])


def difference(found, expected, is_softmax):
    found = np.array(found, dtype=np.float64)
    if is_softmax:  # a row in which all is hidden is 0/0; the engine has 0 there
        found[np.isnan(found) & (expected == 0)] = 0
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    if same.all():
        return ""
    if not np.isfinite(found[~same]).all() or not np.isfinite(expected[~same]).all():
        return "NaN or infinity"
    error = np.abs(found - expected)[~same].max()
    finite = np.abs(expected[np.isfinite(expected)])
    return "" if error <= 1e-9 * max(1.0, finite.max(initial=0)) else f"off by {error}"


def run(code, target, scope):
    own = dict(scope)
    exec(code, own)
    return own[target]


torch.set_default_dtype(torch.float64)
np.seterr(all="ignore")
for program in json.load(open(sys.argv[1], encoding="utf-8")):
    arrays = {name: read(tensor) for name, tensor in program["tensors"].items()}
    scopes = {
        "numpy": {**arrays, "np": np},
        "pytorch": {**{name: torch.from_numpy(own) for name, own in arrays.items()}, "torch": torch},
    }
    for line in program["lines"]:
        expected = read(line["expected"])
        for library, scope in scopes.items():
            if library not in line:
                continue
            try:
                problem = difference(run(line[library], line["target"], scope), expected, "exp(" in line["text"])
            except Exception as error:  # what a line does wrong is what is to be told
                problem = f"{type(error).__name__}: {error}"
            print("ok" if not problem else f"{library}: {line['text']}  {line[library]}  {problem}")
