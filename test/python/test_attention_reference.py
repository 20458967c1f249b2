"""Tests of `attention_trace.py reference`: python3 -m unittest discover -s test/python

test/conformance/reference.mjs holds that its numbers are the engine's, over several processes too.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "python" / "attention_trace.py"
sys.path.insert(0, str(SCRIPT.parent))

import attention_trace  # noqa: E402
from attention_trace import TraceError, reference  # noqa: E402

EXERCISE = {
    "head": "kq",
    "x": [[0.5, -1.0, 0.25], [1.5, 0.0, -0.75]],
    "weights": {"W_K": [[1, 2], [0, 1], [3, -1]], "W_Q": [[1, 0], [2, 1], [0, 1]]},
}


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)

    def compute(self, **entries):
        """A setup with other entries; what was written."""
        text = json.dumps({**EXERCISE, **entries})
        return self.compute_text(text)

    def compute_text(self, text):
        Path("s.attention.json").write_text(text, encoding="utf-8")
        reference("s.attention.json", "s.safetensors", "cpu")
        data = Path("s.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        self.assertIn(f"\"{header.pop('__metadata__')['head']}\"", text)
        tensors = {}
        for name, entry in header.items():
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[begin:end], "<f8").reshape(entry["shape"])
        return tensors

    def refused(self, message, **entries):
        with self.assertRaises(TraceError) as caught:
            self.compute(**entries)
        self.assertNotIn("\n", str(caught.exception))
        self.assertRegex(str(caught.exception), message)


class Numbers(InFolder):
    def test_by_hand(self):
        found = self.compute()
        x = np.array(EXERCISE["x"])
        K, Q = x @ EXERCISE["weights"]["W_K"], x @ EXERCISE["weights"]["W_Q"]
        S = K @ Q.T  # key-first
        P = np.exp(S - S.max(0)) / np.exp(S - S.max(0)).sum(0)
        y = P.T @ x
        for name, expected in {"S": S, "P": P, "y": y, "f": (y**2).sum() / 2, "dy": y}.items():
            np.testing.assert_allclose(found[name], expected, rtol=1e-14, atol=1e-15)
        dP = x @ y.T
        np.testing.assert_allclose(found["dS"], P * (dP - (P * dP).sum(0)), atol=1e-14)

    def test_the_documented_generator(self):
        fixture = ROOT / "test" / "formats" / "fixtures" / "random.json"
        for expected in json.loads(fixture.read_text()):
            for kind in ("normal", "uniform"):
                spec = {"random": kind, "shape": [3, 3], "seed": expected["seed"]}
                found = self.compute(x=spec)["x"]
                np.testing.assert_array_equal(found.ravel(), expected[kind])
                more = {"mean": 2, "std": 0.5} if kind == "normal" else {"low": 2, "high": 2.5}
                moved = self.compute(x={**spec, **more})["x"]
                np.testing.assert_array_equal(moved, 2 + 0.5 * found)

    def test_comments_and_trailing_commas(self):
        more = '// a "comment"\n"title": "a // b, }", "head"'
        text = json.dumps(EXERCISE).replace('"head"', more)
        found = self.compute_text(text[:-1] + ",}")
        self.assertEqual(found["x"].shape, (2, 3))

    def test_a_query_that_sees_nothing(self):
        found = self.compute(mask=[[False, True], [False, True]], loss={"expression": "norm(y)"})
        np.testing.assert_array_equal(found["P"][:, 0], 0)
        np.testing.assert_array_equal(found["dS"][:, 0], 0)
        self.assertTrue(np.isfinite(found["dx"]).all())


class Options(InFolder):
    """Options of today's models: test/conformance/reference.mjs holds their numbers."""

    def test_latents_and_pairs_that_lack_something(self):
        W = {"W_K": [[1, 0]] * 3, "W_Q": [[1, 0]] * 3, "W_V": [[1, 2]] * 3}
        share = {**W, "lambda_share": [0.5]}
        for message, entries in {
            "differential: found it with head kq": {"head": "kq", "differential": {"layer": 1}},
            "differential: found it alone, expected weights.lambda_q1, too": {
                "differential": {"layer": 1}, "weights": W,
            },
            "differential: found .*, expected either lambdaInit or the layer": {
                "differential": {"layer": 1, "lambdaInit": 0.2}, "weights": share,
            },
            "differential.lambdaInit: found 1, expected a number below 1": {
                "differential": {"lambdaInit": 1}, "weights": share,
            },
            "weights.lambda_q1: found it beside lambda_share": {
                "differential": {"layer": 1}, "weights": {**share, "lambda_q1": [1]},
            },
            "weights.gamma_O: found it without a norm": {
                "differential": {"layer": 1, "norm": "none"}, "weights": {**share, "gamma_O": [1]},
            },
            "weights.gamma_DKV: found it alone, expected weights.W_DKV, too": {
                "weights": {**W, "gamma_DKV": [1]},
            },
            "weights.W_KR: found it alone, expected weights.W_QR, too": {
                "weights": {**W, "W_KR": [[1, 2]] * 3},
            },
            "qkNorm.place: found before-rope, expected after-rope": {
                "weights": {**W, "W_KR": [[1, 2]] * 3, "W_QR": [[1, 2]] * 3},
                "rope": {"base": 10}, "qkNorm": {"kind": "rms"},
            },
        }.items():
            with self.subTest(message):
                self.refused(message, **{"head": "multihead", **entries})

    def test_the_share_of_the_second_softmax_as_a_number(self):
        weights = {"W_K": [[1, 0]] * 3, "W_Q": [[0, 1]] * 3, "W_V": [[1, 2]] * 3}
        head = {"head": "multihead", "differential": {"lambdaInit": 0, "norm": "none"}}
        for own in ([0.25], [[0.25]]):
            found = self.compute(**head, weights={**weights, "lambda_share": own})
            first, second = found["P"]
            np.testing.assert_allclose(found["Pdiff"][0], first - second / 4, atol=1e-15)

    def test_weights_as_models_keep_them(self):
        x, (q, k, v) = EXERCISE["x"], np.arange(18).reshape(3, 3, 2) / 7
        head = {"head": "qkv", "x": x, "mask": "none", "loss": None}
        head = {key: value for key, value in head.items() if value is not None}
        plain = {"W_Q": q.tolist(), "W_K": k.tolist(), "W_V": v.tolist()}
        expected = self.compute(**head, weights=plain)
        fused = {"W_QKV": np.concatenate([q, k, v], 1).tolist()}
        turned = {key: np.array(own).T.tolist() for key, own in plain.items()}
        for entries in (
            {"weights": fused},
            {"weights": turned},  # only the transpose fits x
            {"weights": turned, "weightLayout": "out-in"},
            {"weights": {"W_QKV": np.array(fused["W_QKV"]).T.tolist()}, "weightLayout": "out-in"},
        ):
            found = self.compute(**head, **entries)
            self.assertEqual({*found}, {*expected})
            for name, own in expected.items():
                np.testing.assert_allclose(found[name], own, atol=1e-14)

    def test_weights_that_are_none(self):
        for message, weights in {
            "weights.W_Q: found it beside W_QKV, expected one of the two": {
                "W_QKV": [[1, 2, 3]] * 3, "W_Q": [[1]] * 3,
            },
            "weights.W_QKV: found 4 outputs, expected a multiple of 3": {"W_QKV": [[1] * 4] * 3},
            "weights.W_K: found shape .*, expected .3, 1 heads, width.": {
                "W_K": [[[1]], [[2]]], "W_Q": [[1]] * 3, "W_V": [[1]] * 3,
            },
            "weights.null_K: found it alone, expected weights.null_V, too": {
                "W_K": [[1]] * 3, "W_Q": [[1]] * 3, "W_V": [[1]] * 3, "null_K": [1],
            },
        }.items():
            self.refused(message, head="multihead", weights=weights)

    def test_rotary_embeddings(self):
        more = {"head": "multihead", "weights": {**EXERCISE["weights"], "W_V": [[1], [0], [2]]}}
        linear = {"kind": "linear", "factor": 2}
        llama3 = {"kind": "llama3", "factor": 8}
        for message, rope in {
            r"rope: found 4 features that turn, in keys of width 2": {"features": 4},
            "rope.sections: found no positions": {"sections": [1]},
            r"rope.sections: found \[2\], expected lengths that sum to 1": {
                "sections": [2],
                "positions": [[0, 1]],
            },
            r"rope.positions: found shape \[3\], expected \[2\]": {"positions": [0, 1, 2]},
            "rope.queryPositions: found no positions": {"queryPositions": [0, 1]},
            r"rope.invFreq: found shape \[2\], expected \[1\]": {"invFreq": [1, 2]},
            "rope.base: found it beside invFreq": {"invFreq": [1], "base": 10},
            "rope.scaling: found .*mrope.*, expected an object of kind": {
                "scaling": {"kind": "mrope"}
            },
            "rope.scaling.factor: found 0, expected a number above 0": {
                "scaling": {**linear, "factor": 0}
            },
            "rope.scaling.originalLength: found nothing": {"scaling": llama3},
            "rope.scaling.low: found an unknown entry": {"scaling": {**linear, "low": 1}},
        }.items():
            with self.subTest(message):
                self.refused(message, **more, rope=rope)

    def test_given_projections_by_heads(self):
        q = np.arange(24.0).reshape(2, 2, 3, 2) / 10 - 1
        for shape in ((0, 1, 2, 3), (0, 2, 1, 3)):
            own = q.transpose(shape).tolist()
            start = {"Q": own, "K": own, "V": own}
            x = q.sum((1, 3))[..., None].tolist()
            more = {"x": x, "weights": {}, "loss": {"upstream": own}}
            found = self.compute(head="multihead", heads=2, start=start, **more)
            np.testing.assert_array_equal(found["Qh"], q)
            np.testing.assert_array_equal(found["dO"], q)

    def test_the_layer_around_the_attention(self):
        weights = {**EXERCISE["weights"], "W_V": [[1], [0], [2]]}
        more = {"head": "multihead", "weights": weights}
        bias = {**more, "weights": {**weights, "beta_pre": [1, 2, 3]}}
        rms = {"preNorm": "rms"}
        self.refused("weights.beta_pre: found it alone, expected block.preNorm", **bias)
        self.refused("weights.beta_pre: found it with an RMS norm", **bias, block=rms)
        self.refused("block.preNorm: found batch, expected", **more, block={"preNorm": "batch"})
        self.refused("block.preNorm: found .*, expected", **more, block={"preNorm": {"p": 1}})
        self.refused("block.residual: found 1, expected true", **more, block={"residual": 1})
        found = "block.residual: found 3 features of x and 1 of the attention's output"
        self.refused(found, **more, block={"residual": True})
        self.refused("block: found it with head kq", block={"residual": True})

    def test_masks_of_a_list(self):
        padding = {"kind": "padding", "lengths": [1]}
        found = self.compute(mask=["causal", padding])
        np.testing.assert_array_equal(np.isinf(found["M"]), [[False, False], [True, True]])
        kept = self.compute(mask=["causal", {"kind": "prefix", "length": 2}])
        self.assertFalse(np.isinf(kept["S"]).any())
        self.refused("mask.1.kind: found triangle", mask=["causal", {"kind": "triangle"}])
        self.refused("mask.0.size: found an unknown entry", mask=[{"kind": "padding", "size": 1}])
        self.refused(r"mask.0.lengths: found shape \[2\]", mask=[{**padding, "lengths": [1, 2]}])

    def test_softmax_plus_one(self):
        found = self.compute(softmax="plus-one")
        E = np.exp(found["S"])
        np.testing.assert_allclose(found["P"], E / (1 + E.sum(0)), rtol=1e-14)


class Files(InFolder):
    """Tensors of a setup that stand in files."""

    x = np.arange(6).reshape(2, 3) * 0.5

    def read(self, **source):
        np.testing.assert_array_equal(self.compute(x=source)["x"], self.x)

    def test_npy(self):
        for kind in ("<f8", ">f8", "<f4", ">f2"):
            for array in (self.x, np.asfortranarray(self.x)):
                np.save("x.npy", array.astype(kind, order="K"))
                self.read(file="x.npy")

    def test_integers(self):
        for kind in ("i1", "u1", "<i2", ">u2", "<u4", ">i4", "<i8", "u8"):
            np.save("x.npy", np.array([[1, 2, 3], [100, 127, 0]], kind))
            np.testing.assert_array_equal(self.compute(x={"file": "x.npy"})["x"][1], [100, 127, 0])
        for kind, most in (("u2", 2**16), ("u4", 2**32), ("u8", 2.0**64)):
            np.save("x.npy", np.array([[most // 2] * 3] * 2).astype(kind))
            self.assertEqual(self.compute(x={"file": "x.npy"})["x"][0, 0], most // 2)

    def test_npz(self):
        for save in (np.savez, np.savez_compressed):
            save("t.npz", x=self.x, other=np.ones(5))
            self.read(file="t.npz", key="x")
        np.savez("one.npz", x=self.x)
        self.read(file="one.npz")
        self.refused("x: t.npz: found no key, expected one of x other", x={"file": "t.npz"})
        self.refused("x: t.npz: found no 'y'", x={"file": "t.npz", "key": "y"})

    def test_safetensors(self):
        tensors = {"BF16": torch.tensor(self.x).bfloat16(), "F64": torch.tensor(self.x)}
        for kind, tensor in tensors.items():
            data = tensor.view(torch.uint8 if kind == "F64" else torch.int16).numpy().tobytes()
            entry = {"dtype": kind, "shape": [2, 3], "data_offsets": [0, len(data)]}
            header = json.dumps({"__metadata__": {}, "x": entry}).encode()
            Path("x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + data)
            self.read(file="x.safetensors", key="x")

    def test_json(self):
        flat = {"shape": [2, 3], "data": self.x.ravel().tolist(), "dtype": "float32"}
        tensors = {"_note": "a", "in": {"x": flat}, "x": self.x.tolist()}
        Path("t.json").write_text(json.dumps(tensors))
        self.read(file="t.json", key="x")
        self.read(file="t.json", key="in/x")

    def test_a_boolean_mask_out_of_a_file_tells_who_attends(self):
        mask = np.array([[True, False], [True, True]])
        np.save("m.npy", mask)
        found = self.compute(mask={"file": "m.npy"})["M"]
        np.testing.assert_array_equal(np.isfinite(found), mask)

    def test_what_is_no_tensor(self):
        Path("x.npy").write_bytes(b"\x93NUMPY\x01\x00\xff")
        self.refused("x: x.npy: ", x={"file": "x.npy"})
        np.save("x.npy", np.array([1j]))
        self.refused("x: x.npy: found numbers of type c16", x={"file": "x.npy"})
        self.refused("x: none.npz: .*No such file", x={"file": "none.npz"})


class Refused(InFolder):
    """One line: the file, the entry, what was found."""

    def test_entries(self):
        file = r"^s\.attention\.json: "
        for message, entries in {
            "sinks: found an unknown entry": {"sinks": [0]},
            "rope.scale: found an unknown entry": {"rope": {"scale": 2}},
            "mask: found sliding, expected": {"mask": "sliding"},
            "mask.1: found .*, expected a kind": {"mask": ["causal", {"size": 2}]},
            r"temperature: found shape \(3\)": {"temperature": [1, 2, 3]},
            "head: found mla, expected": {"head": "mla"},
            "scale: found null, expected": {"scale": None},
            "window: found 0.5, expected an integer from 1": {"window": 0.5},
            r"loss.upstream: found shape \(1, 1\), expected \(2, 3\)": {
                "loss": {"upstream": [[1]]}
            },
            r"weights.W_K: found shape \(2, 1\), expected 3 on": {
                "weights": {"W_K": [[1], [2]], "W_Q": [[1]]}
            },
            "weights.W_K: found nothing": {"weights": {"W_Q": [[1], [2], [3]]}},
            "weights.W_V: found it with head kq": {
                "weights": {**EXERCISE["weights"], "W_V": [[1]] * 3}
            },
            "mask: found shape": {"mask": [[1, 0, 1]]},
            "dropout.p: found it alone": {"dropout": {"p": 0.1}},
            "x: found ragged lists": {"x": [[1], [2, 3]]},
            "x.seed: found -1": {"x": {"random": "normal", "shape": [2, 3], "seed": -1}},
        }.items():
            with self.subTest(message):
                self.refused(file + message, **entries)

    def test_expressions(self):
        for expression, message in {
            "sum(y .^ 2) + foo": "found the name foo",
            "y": "y stands only inside of sum",
            "sum(mean(y))": "found mean inside of a sum",
            "sum(gamma(y))": "found the function gamma",
            "sum(2 y)": "found sum",
            "a = 3": "found = 3",
            "sum(y": "without its",
            "2 y": "found y in 2 y, expected an operator",
            "dot(y)": "found 1 arguments of dot",
            "": "found its end",
        }.items():
            with self.subTest(expression):
                self.refused(f"loss.expression: .*{message}", loss={"expression": expression})

    def test_what_would_not_fit(self):
        with mock.patch.object(attention_trace, "_free_memory", return_value=10.0):
            self.refused("x: found .* GiB of scores .*, expected more processes")

    def test_the_command(self):
        Path("s.attention.json").write_text(json.dumps({**EXERCISE, "sinks": 1}))
        words = ["reference", "s.attention.json", "--out", "s.safetensors"]
        command = [sys.executable, SCRIPT, *words]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^reference: s\.attention\.json: sinks: found .*\n$")
        self.assertFalse(os.path.exists("s.safetensors"))


if __name__ == "__main__":
    unittest.main()
