"""Tests of python/attention_trace.py: python3 -m unittest discover -s test/python"""

import ast
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
import zipfile
from contextlib import redirect_stderr
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "python" / "attention_trace.py"
sys.path.insert(0, str(SCRIPT.parent))

import attention_trace  # noqa: E402
from attention_trace import META, TraceError, merge, trace  # noqa: E402


class InFolder(unittest.TestCase):
    """Each test runs in a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        torch.manual_seed(0)

    def load(self, file="t.npz"):
        with np.load(file) as data:
            return {name: data[name] for name in data.files if name != META}

    def meta(self, file="t.npz"):
        with zipfile.ZipFile(file) as archive:
            return json.loads(archive.read(META))

    def assert_same(self, found, expected):
        expected = expected.detach().numpy() if isinstance(expected, torch.Tensor) else expected
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        self.assertEqual(np.shape(found), np.shape(expected))


class Logging(InFolder):
    def test_three_ways_to_log(self):
        with trace("t.npz") as t:
            t.P = np.eye(2)
            t["dQ"] = np.ones(3, np.float32)
            t.log(K=[[1, 2]], V=[[0.5, 1]], mask=[True, False], f=2.5)
        data = self.load()
        self.assertEqual(list(data), ["P", "dQ", "K", "V", "mask", "f"])
        dtypes = [str(each.dtype) for each in data.values()]
        self.assertEqual(dtypes, ["float64", "float32", "int64", "float64", "bool", "float64"])
        self.assertEqual(data["f"].shape, ())
        self.assert_same(data["V"], np.array([[0.5, 1]]))

    def test_lines_of_code_that_logged(self):
        P = torch.eye(2, requires_grad=True)
        with trace("t.npz") as t:
            here = sys._getframe().f_lineno
            t.P = P
            t.log(K=[[1, 2]])
            t.backward((P * P).sum())
        lines = self.meta()["lines"]
        self.assertEqual({name: line for name, (_, line) in lines.items()},
                         {"P": here + 1, "dP": here + 1, "K": here + 2})
        self.assertEqual({file for file, _ in lines.values()}, {os.path.abspath(__file__)})

    def test_lines_are_not_those_of_installed_packages(self):
        class Head(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.attention = torch.nn.MultiheadAttention(4, 2, batch_first=True)

            def forward(self, x):
                return self.attention(x, x, x)[0]

        head = Head()
        with trace("t.npz") as t:
            t.watch(head.attention)
            head(torch.ones(1, 3, 4))
        lines = self.meta()["lines"]
        self.assertEqual({file for file, _ in lines.values()}, {os.path.abspath(__file__)})

    def test_values_are_those_of_the_time_of_logging(self):
        P, Q, K = np.eye(2), torch.eye(2), [[1.0]]
        with trace("t.npz") as t:
            t.log(P=P, Q=Q, K=K)
            P[:], Q[:], K[0][0] = 9, 9, 9
        data = self.load()
        self.assertEqual([data[name].max() for name in "PQK"], [1, 1, 1])

    def test_layouts_and_types(self):
        base = np.arange(24.0).reshape(2, 3, 4)
        arrays = {
            "transposed": base.T,
            "strided": base[:, ::-2, 1:],
            "fortran": np.asfortranarray(base[0]),
            "big_endian": base.astype(">f4"),
            "scalar": np.float32(1.5),
            "empty": np.zeros((0, 3)),
            "one": np.arange(3),
            "half": base.astype(np.float16),
            **{each: np.array([0, 1, 100]).astype(each) for each in ("i1", "u1", "i2", "u2", "i4")},
            **{each: np.array([0, 1, 100]).astype(each) for each in ("u4", "i8", "u8", "?")},
        }
        with trace("t.npz") as t:
            t.log(**arrays)
        for name, found in self.load().items():
            np.testing.assert_array_equal(found, arrays[name])
            self.assertEqual(found.dtype, arrays[name].dtype.newbyteorder("="), name)

    def test_torch_types_and_layouts(self):
        base = torch.arange(24.0).reshape(2, 3, 4)
        tensors = {
            "transposed": base.transpose(0, 2),
            "expanded": base[:, :1].expand(2, 3, 4),
            "scalar": torch.tensor(1.5),
            "empty": torch.zeros(0, 3),
            "sparse": torch.eye(3).to_sparse(),
            "negative_view": torch.conj(torch.tensor([1 + 2j])).imag,
        }
        kinds = "bool uint8 int8 int16 int32 int64 float16 float32 float64".split()
        tensors.update({kind: (base > 3).to(getattr(torch, kind)) for kind in kinds})
        with trace("t.npz") as t:
            t.log(**tensors)
        data = self.load()
        for name, tensor in tensors.items():
            expected = tensor.to_dense() if tensor.is_sparse else tensor.resolve_neg()
            np.testing.assert_array_equal(data[name], expected.numpy())
            self.assertEqual(data[name].dtype, expected.numpy().dtype)

    def test_bfloat16_is_widened_and_its_type_kept(self):
        P = torch.randn(3, 3).bfloat16().requires_grad_()
        with trace("t.npz") as t:
            t.P = P
            t.half = torch.ones(2, dtype=torch.float16)
            t.backward((P * P).sum())
        data = self.load()
        self.assert_same(data["P"], P.float())
        self.assert_same(data["dP"], P.grad.float())
        self.assertEqual(self.meta()["dtypes"], {"P": "bfloat16", "dP": "bfloat16"})
        self.assertEqual([str(data[n].dtype) for n in ("P", "half")], ["float32", "float16"])

    def test_what_numpy_can_read_is_taken_and_a_jax_tracer_explained(self):
        class Foreign:
            def __array__(self, dtype=None, copy=None):
                return np.arange(3.0)

        class JVPTracer:
            def __array__(self, dtype=None, copy=None):
                raise RuntimeError("TracerArrayConversionError\nand more")

        with trace("t.npz") as t:
            t.P = Foreign()
            with self.assertRaisesRegex(TraceError, "^Q: found a JAX tracer, expected an array: log"):
                t.Q = JVPTracer()
        self.assert_same(self.load()["P"], np.arange(3.0))

    def test_errors_name_the_entry_in_one_line(self):
        itself, pair = [], [[], []]
        itself.append(itself)
        pair[0].append(pair)
        pair[1].append(pair)
        deep = np.float64(1)
        for _ in range(33):
            deep = [deep.item()] if not isinstance(deep, list) else [deep]
        cases = [
            (itself, "P: found a list that holds itself, expected"),
            (pair, "P: found a list that holds itself, expected"),
            (deep, "P: found 33 axes, expected at most 32"),
            (torch.ones([1] * 33), "P: found 33 axes, expected at most 32"),
            (np.ma.array([1.0, 2.0], mask=[True, False]), "P: found a masked array, expected"),
            (np.ma.array(np.eye(2), mask=np.eye(2) > 0), "P: found a masked array, expected"),
            (None, "P: found NoneType, expected a tensor, an array or nested lists of numbers"),
            ("text", "P: found str, expected"),
            ([[1, 2], [3]], "P: found ragged lists at axis 1, expected equal lengths"),
            ([[[1]], [2]], "P: found ragged lists at axis 2"),
            ([torch.ones(2)], "P: found Tensor, expected a tensor, an array or nested lists"),
            (np.ones(2, complex), "P: found complex128, expected booleans, integers or reals"),
            (np.array([{}]), "P: found object, expected"),
            (torch.ones(2, dtype=torch.cfloat), "P: found complex64, expected"),
            (torch.ones(2, device="meta"), "P: found a Tensor that cannot be copied: "),
            ([2**70], "P: found a list that cannot be copied: "),
        ]
        with trace("t.npz") as t:
            t.y = 1
            for value, message in cases:
                with self.assertRaises(TraceError) as caught:
                    t.P = value
                self.assertTrue(str(caught.exception).startswith(message), caught.exception)
                self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(list(self.load()), ["y"])

    def test_names(self):
        with trace("t.npz") as t:
            t["attn.q_proj.weight"] = 1
            t["grad/Q"] = 1
            bad = ["", "/P", "a\\b", "a\nb", "x" * 201, 7, "..", "../../x", "a/../../b", "a//b", "./P"]
            for name in (*bad, "P/", "\ud800", "P\udcff", "x" * 10**6, None, b"P"):
                with self.assertRaisesRegex(TraceError, "expected a name"):
                    t[name] = 1
            with self.assertRaisesRegex(TraceError, r'step: is a method .* t\["step"\]'):
                t.step = 1
            t["step"] = 1
        self.assertEqual(list(self.load()), ["attn.q_proj.weight", "grad/Q", "step"])

    def test_twice(self):
        with trace("t.npz") as t:
            t.P = 1
            with self.assertRaisesRegex(TraceError, r"^P: found it twice, expected it once in a step"):
                t.P = 2

    def test_steps(self):
        with redirect_stderr(io.StringIO()) as said, trace("t.npz") as t:
            for n in range(3):
                t.P = n
                t.step()
                self.assertTrue(os.path.exists(f"t.step{n}.npz"))
        self.assertEqual(sorted(os.listdir()), [f"t.step{n}.npz" for n in range(3)])
        self.assertEqual([self.load(f"t.step{n}.npz")["P"] for n in range(3)], [0, 1, 2])
        self.assertEqual(said.getvalue(), "")
        with trace("t.npz") as t:
            t.P = 0
            t.step()
            t.P = 1
        self.assertEqual(self.load("t.step1.npz")["P"], 1)

    def test_only_inside_of_the_block(self):
        t = trace("t.npz")
        with self.assertRaisesRegex(TraceError, "^P: logged outside"):
            t.P = 1
        with t:
            t.P = 1
        with self.assertRaisesRegex(TraceError, "^Q: logged outside"):
            t.Q = 1

    def test_paths(self):
        for path in ("t.npy", "t", "nowhere/t.npz"):
            with self.assertRaisesRegex(TraceError, f"^{path}: expected a name in .npz"):
                trace(path)
        for path in (b"t.npy", "t.npz/", "t.npz//", b"t.npz/", 7, None, ["t.npz"]):
            with self.assertRaisesRegex(TraceError, "expected a name in .npz"):
                trace(path)
        with trace(b"bytes.npz") as t:
            t.P = np.ma.array([1.0, 2.0])
            t.save_setup(b"b.attention.json", x=[[1]], head="kq", start={})
        self.assertEqual(list(self.load("bytes.npz")["P"]), [1, 2])
        self.assertTrue(os.path.exists("b.attention.json"))
        here = os.getcwd()
        os.mkdir("other")
        with trace(Path("t.npz")) as t:
            os.chdir("other")
            t.P = 1
        self.assertTrue(os.path.exists(f"{here}/t.npz"))
        with self.assertRaisesRegex(TraceError, "nothing was logged, expected at least one"):
            with trace("empty.npz"):
                pass

    def test_many_threads(self):
        with trace("t.npz") as t:
            threads = [threading.Thread(target=t.__setitem__, args=(f"t{n}", n)) for n in range(50)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(len(self.load()), 50)


class Writing(InFolder):
    def test_an_exception_passes_and_what_was_logged_is_kept(self):
        with redirect_stderr(io.StringIO()) as said, self.assertRaises(KeyboardInterrupt):
            with trace("t.npz") as t:
                t.P = 1
                raise KeyboardInterrupt
        self.assertEqual(list(self.load()), ["P"])
        self.assertFalse(self.meta()["complete"])
        self.assertRegex(said.getvalue(), r"^attention_trace: KeyboardInterrupt .*t\.npz has .*\n$")
        with redirect_stderr(io.StringIO()), self.assertRaises(ZeroDivisionError):
            with trace("none.npz"):
                1 / 0
        self.assertFalse(os.path.exists("none.npz"))

    def test_nothing_is_there_before_the_end_and_nothing_else_after(self):
        with trace("t.npz") as t:
            t.P = np.ones(1000)
            self.assertEqual(os.listdir(), [])
        self.assertEqual(os.listdir(), ["t.npz"])
        umask = os.umask(0)
        os.umask(umask)
        self.assertEqual(os.stat("t.npz").st_mode & 0o777, 0o666 & ~umask)

    def test_a_failure_leaves_the_old_file(self):
        with trace("t.npz") as t:
            t.P = 1
        for broken in ("os.fsync", "os.replace", "zipfile.ZipFile.writestr"):
            with self.assertRaisesRegex(TraceError, "t.npz: cannot be written: disk is full"):
                with mock.patch(broken, side_effect=OSError("disk is full")):
                    with trace("t.npz") as t:
                        t.P = 2
            self.assertEqual(os.listdir(), ["t.npz"])
            self.assertEqual(self.load()["P"], 1)

    def test_a_failure_does_not_hide_the_exception_of_the_block(self):
        with redirect_stderr(io.StringIO()) as said, self.assertRaises(ZeroDivisionError):
            with mock.patch("os.replace", side_effect=OSError("disk is full")):
                with trace("t.npz") as t:
                    t.P = 1
                    1 / 0
        self.assertIn("ZeroDivisionError ended the block; ", said.getvalue())
        self.assertIn("disk is full", said.getvalue())

    def test_killed_while_writing(self):
        with trace("t.npz") as t:
            t.P = 1
        program = (
            f"import sys, os; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
            "from attention_trace import trace\n"
            "os.replace = lambda *_: os._exit(9)\n"
            "with trace('t.npz') as t: t.P = 2\n"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", program]).returncode, 9)
        self.assertEqual(self.load()["P"], 1)

    def test_a_link_stays_a_link(self):
        os.mkdir("store")
        os.symlink("store/t.npz", "t.npz")
        with trace("t.npz") as t:
            t.P = 1
        self.assertTrue(os.path.islink("t.npz"))
        self.assertEqual(os.listdir("store"), ["t.npz"])

    def test_the_mode_stays(self):
        for mode in (0o600, 0o640, 0o755):
            Path("t.npz").touch()
            os.chmod("t.npz", mode)
            with trace("t.npz") as t:
                t.P = 1
            self.assertEqual(os.stat("t.npz").st_mode & 0o7777, mode)

    def test_what_is_no_regular_file_is_written_to_and_stays(self):
        os.mkfifo("t.npz")
        read = subprocess.Popen(["sh", "-c", "cat t.npz > read.npz"])
        with trace("t.npz") as t:
            t.P = [1, 2]
        read.wait(60)
        self.assertTrue(stat.S_ISFIFO(os.stat("t.npz").st_mode))
        self.assertEqual(list(self.load("read.npz")["P"]), [1, 2])
        os.symlink("/dev/full", "full.npz")
        with self.assertRaisesRegex(TraceError, "cannot be written: No space left"):
            with trace("full.npz") as t:
                t.P = 1
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode))
        os.mkdir("folder.npz")
        with self.assertRaisesRegex(TraceError, "folder.npz: cannot be written: Is a directory"):
            with trace("folder.npz") as t:
                t.P = 1

    def test_drafts_of_killed_writers(self):
        program = (
            f"import sys, os, signal; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
            "from attention_trace import trace\n"
            "os.fsync = lambda _: os.kill(os.getpid(), int(sys.argv[1]))\n"
            "with trace('t.npz') as t: t.P = 2\n"
        )
        with trace("t.npz") as t:
            t.P = 1
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            words = [sys.executable, "-c", program, str(int(number))]
            ended = subprocess.run(words, stderr=subprocess.DEVNULL).returncode
            self.assertIn(ended, (-number, 1))
            self.assertEqual(os.listdir(), ["t.npz"])
        subprocess.run([sys.executable, "-c", program, str(int(signal.SIGKILL))])
        self.assertEqual(len(os.listdir()), 2)
        others = [f"t.npz.00000000-{2**22 + 1}-00000000.tmp", "t.npz.tmp", "my.tmp"]
        for name in others:
            Path(name).touch()
        with trace("t.npz") as t:
            t.P = 3
        self.assertEqual(sorted(os.listdir()), sorted(["t.npz", *others]))
        self.assertEqual(self.load()["P"], 3)

    def test_without_numpy_and_torch(self):
        program = (
            f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
            "import attention_trace\n"
            "assert not {'numpy', 'torch', 'jax'} & set(sys.modules)\n"
            "sys.modules['numpy'] = None\n"  # importing it fails
            "with attention_trace.trace('lists.npz') as t: t.P = [[1, 2.5]]\n"
            "import torch\n"
            "with attention_trace.trace('t.npz') as t: t.P = torch.eye(2).half(); t.Q = torch.ones(1)\n"
        )
        subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
        self.assert_same(self.load("lists.npz")["P"], np.array([[1, 2.5]]))
        self.assert_same(self.load()["P"], np.eye(2, dtype=np.float16))

    def test_python_3_8_can_read_it(self):
        tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 8))
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name in ([each.name for each in node.names] if isinstance(node, ast.Import) else [node.module])
        }
        self.assertLessEqual(imported - {"numpy", "torch"}, set(sys.stdlib_module_names))
        self.assertFalse([line for line in SCRIPT.read_text().split("\n") if len(line) > 100])


class Gradients(InFolder):
    def test_leaf_and_not_leaf_used_several_times(self):
        Q = torch.randn(3, 4, dtype=torch.double, requires_grad=True)
        K = Q * 2
        with trace("t.npz") as t:
            t.log(Q=Q, K=K)
            S = K @ Q.T
            t.S = S
            loss = (S * S).sum() + (K**3).sum() + Q.sum() + 3 * S.sum()
            t.f = loss
            K.retain_grad()
            S.retain_grad()
            t.backward(loss)
        data = self.load()
        for name, tensor in {"dQ": Q, "dK": K, "dS": S}.items():
            self.assert_same(data[name], tensor.grad)
        self.assertEqual((data["f"], data["df"]), (loss.item(), 1))

    def test_a_leaf_has_what_grad_has_leftovers_included(self):
        W = torch.ones(2, requires_grad=True)
        (W * 5).sum().backward()
        with trace("t.npz") as t:
            t.W_K = W
            y = W * 2
            t.y = y
            t.backward(y.sum(), retain_graph=True)
            t.backward(y.sum())
        data = self.load()
        self.assert_same(data["dW_K"], W.grad)
        self.assert_same(data["dW_K"], np.full(2, 9, np.float32))
        self.assert_same(data["dy"], np.full(2, 2, np.float32))

    def test_autograd_grad(self):
        W = torch.ones(2, requires_grad=True)
        with trace("t.npz") as t:
            y = W * 2
            t.log(W_K=W, y=y)
            torch.autograd.grad((y * y).sum(), [W])
        self.assert_same(self.load()["dy"], np.full(2, 4, np.float32))

    def test_changed_in_place_after_logging(self):
        x = torch.ones(2, requires_grad=True)
        with trace("t.npz") as t:
            Q = x * 3
            t.Q = Q
            Q *= 10
            t.backward(Q.sum())
        self.assert_same(self.load()["Q"], np.full(2, 3, np.float32))
        self.assert_same(self.load()["dQ"], np.full(2, 10, np.float32))
        self.assert_same(x.grad.numpy(), np.full(2, 30, np.float32))

    def test_the_gradient_that_is_logged_goes_before_the_recorded(self):
        for before in (True, False):
            P = torch.ones(2, requires_grad=True)
            with trace("t.npz") as t:
                t.P = P
                if before:
                    t.dP = [7, 7]
                t.backward(P.sum())
                if not before:
                    t.dP = [7, 7]
            self.assert_same(self.load()["dP"], np.array([7, 7]))

    def test_names_of_gradients(self):
        with trace("t.npz") as t:
            for name in ("attn_weights", "attn.q_proj.weight", "layer/P"):
                each = torch.ones(1, requires_grad=True)
                t[name] = each
                t.backward(each.sum())
        names = ["dattn_weights", "attn.q_proj.weight.grad", "layer/P.grad"]
        self.assertEqual(list(self.load())[3:], names)

    def test_no_gradient_after_the_step_or_the_block(self):
        P = torch.ones(1, requires_grad=True)
        with trace("t.npz") as t:
            t.P = P
            t.step()
            P.sum().backward()
            t.Q = 1
        P.sum().backward()
        self.assertEqual(list(self.load("t.step0.npz")), ["P"])
        self.assertEqual(list(self.load("t.step1.npz")), ["Q"])

    def test_half_precision_and_frozen(self):
        h = torch.ones(2, dtype=torch.float16, requires_grad=True)
        with trace("t.npz") as t:
            t.Q = h
            t.K = torch.ones(2)
            t.backward((h * h).sum())
        data = self.load()
        self.assertEqual(sorted(data), ["K", "Q", "dQ"])
        self.assertEqual(data["dQ"].dtype, np.float16)
        self.assert_same(data["dQ"], np.full(2, 2, np.float16))


class Heads(nn.Module):
    """Attention as people write it: projections with `names`, causal, softmax as `how`."""

    def __init__(self, names, d=6, heads=2, kv_heads=None, width=3, how="F", dropout=0.0):
        super().__init__()
        self.num_heads, self.kv_heads, self.how, self.names = heads, kv_heads or heads, how, names
        self.width, out = width, heads * width
        sizes = [out, self.kv_heads * width, self.kv_heads * width]
        if len(names) == 2:
            setattr(self, names[0], nn.Linear(d, sum(sizes)))
        else:
            for name, size in zip(names, sizes):
                setattr(self, name, nn.Linear(d, size, bias=name != names[1]))
        if len(names) in (2, 4):
            setattr(self, names[-1], nn.Linear(out, d))
        self.drop = nn.Dropout(dropout)

    def kv_count(self):
        return getattr(self, "kv_heads", None) or self.key_heads

    def forward(self, x, memory=None):
        memory = x if memory is None else memory
        width, kv = self.width, self.kv_count() * self.width
        if len(self.names) == 2:
            q, k, v = getattr(self, self.names[0])(x).split([self.num_heads * width, kv, kv], -1)
        else:
            q, k, v = (getattr(self, n)(a) for n, a in zip(self.names, (x, memory, memory)))
        q = q.clone()
        q *= width**-0.5
        q, k, v = (a.unflatten(-1, (-1, width)).transpose(-3, -2) for a in (q, k, v))
        k, v = (a.repeat_interleave(self.num_heads // self.kv_count(), -3) for a in (k, v))
        scores = q @ k.transpose(-1, -2)
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(hidden, -torch.inf)
        softmax = {"F": F.softmax, "torch": torch.softmax, "method": lambda s, d: s.softmax(d)}
        p = nn.Softmax(-1)(scores) if self.how == "module" else softmax[self.how](scores, -1)
        o = (self.drop(p) @ v).transpose(-3, -2).flatten(-2)
        return (getattr(self, self.names[-1])(o) if len(self.names) in (2, 4) else o), p


class Conv1D(nn.Module):
    """That of transformers, of which GPT-2 is made."""

    def __init__(self, nf, nx):
        super().__init__()
        self.nf, self.weight = nf, nn.Parameter(torch.randn(nx, nf) * 0.3)
        self.bias = nn.Parameter(torch.randn(nf))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], self.nf)


class Watching(InFolder):
    def check(self, module, *inputs, options=None, setup=None, **kwargs):
        """Records a call and computes it again from the recorded inputs; returns what was recorded."""
        module.double().zero_grad()
        with trace("t.npz") as t:
            t.watch(module, **(options or {}))
            t.save_setup("t.attention.json", mask="causal", **(setup or {}))
            y = module(*inputs, **kwargs)
            y = y[0] if isinstance(y, tuple) else y
            # A residual connection around the module must not show in dx.
            t.backward((y**3).sum() + sum(5 * each.sum() for each in inputs if each.requires_grad))
        self.assertNotIn("forward", vars(module))
        for owner in (torch, F, torch.Tensor):
            self.assertNotIn("spying", [getattr(each, "__name__", "") for each in vars(owner).values()])
        found = self.load()
        self.recompute(found, json.loads(Path("t.attention.json").read_text()))
        return found

    def recompute(self, found, setup):
        leaf = {n: torch.tensor(a, requires_grad=True) for n, a in found.items() if n[0] in "xWb"}
        heads, kv_heads = setup["heads"], setup["kvHeads"]
        x = leaf["x"]
        values = {}
        for letter, source in (("Q", leaf.get("xPrime", x)), ("K", x), ("V", x)):
            values[letter] = source @ leaf[f"W_{letter}"] + leaf.get(f"b_{letter}", 0)
        split = {n: a.unflatten(-1, (heads if n == "Q" else kv_heads, -1)) for n, a in values.items()}
        Q, K, V = (split[n].transpose(-3, -2) for n in "QKV")
        K, V = (a.repeat_interleave(heads // kv_heads, -3) for a in (K, V))
        Z = Q @ K.transpose(-1, -2) / Q.shape[-1] ** 0.5
        values["M"] = Z
        if setup["mask"] == "causal":
            values["M"] = Z.masked_fill(torch.ones(Z.shape[-2:]).triu(1) > 0, -torch.inf)
        values["P"] = values["M"].softmax(-1)
        values["Pd"] = values["P"]
        if "keep" in found:
            p = setup["dropout"]["p"]
            values["Pd"] = values["P"] * torch.tensor(found["keep"]) / (1 - p)
        C = values["C"] = (values["Pd"] @ V).transpose(-3, -2).flatten(-2)
        values["y"] = C @ leaf["W_O"] + leaf.get("b_O", 0) if "W_O" in leaf else C
        for each in values.values():
            each.retain_grad()
        (values["y"] * torch.tensor(found["dy"])).sum().backward()
        expected = {**values, **{f"d{n}": a.grad for n, a in {**values, **leaf}.items()}}
        if "M" not in found:
            expected.update(Z=expected.pop("M"), dZ=expected.pop("dM"))
        for name, array in found.items():
            if name in expected:
                self.assert_same(array, expected[name])
        unknown = found.keys() - expected.keys() - leaf.keys() - {"keep"}
        self.assertEqual(unknown, set())

    def input(self, *shape):
        return torch.randn(*shape, dtype=torch.double, requires_grad=True)

    SELF = {
        *"x W_K W_Q W_V W_O b_K b_Q b_V b_O K Q V M P C y".split(),
        *"dx dW_K dW_Q dW_V dW_O db_K db_Q db_V db_O dK dQ dV dM dP dC dy".split(),
    }

    def test_multihead_attention(self):
        for batch_first in (True, False):
            for batch in (0, 3):
                for kind in ("self", "cross", "separate"):
                    with self.subTest(batch_first=batch_first, batch=batch, kind=kind):
                        width = 5 if kind == "separate" else 6
                        module = nn.MultiheadAttention(
                            6, 2, batch_first=batch_first, kdim=width, vdim=width
                        )
                        nn.init.normal_(module.in_proj_bias)
                        place = lambda n, d: (n, d) if not batch else (
                            (batch, n, d) if batch_first else (n, batch, d)
                        )
                        x = self.input(*place(4, 6))
                        memory = x if kind == "self" else self.input(*place(4, width))
                        mask = torch.ones(4, 4, dtype=torch.bool).triu(1)
                        found = self.check(module, x, memory, memory, attn_mask=mask)
                        expected = self.SELF | ({"xPrime", "dxPrime"} if kind != "self" else set())
                        self.assertEqual(found.keys(), expected)
                        shape = ((batch,) if batch else ()) + (2, 4, 4)
                        self.assertEqual(found["P"].shape, shape)

    def test_multihead_attention_called_in_all_ways(self):
        module = nn.MultiheadAttention(6, 2, bias=False, batch_first=True)
        x, setup = self.input(2, 4, 6), {"mask": "none"}
        calls = [{}, {"need_weights": False}, {"average_attn_weights": False}]
        for kwargs in calls:
            module.double().zero_grad()
            with trace("t.npz") as t:
                t.watch(module)
                t.save_setup("t.attention.json", **setup)
                y, p = module(query=x, key=x, value=x, **kwargs)
                t.backward(y.sum())
            if kwargs:
                self.assertEqual(p is None, "need_weights" in kwargs)
            found = self.load()
            self.recompute(found, json.loads(Path("t.attention.json").read_text()))
            self.assertIn("dZ", found)
        self.assert_same(found["P"], p)

    def test_multihead_attention_refused(self):
        x, other = self.input(4, 6), self.input(4, 6)
        for flags in ({"add_bias_kv": True}, {"add_zero_attn": True}):
            with self.assertRaisesRegex(TraceError, "^watch: found add_bias_kv or add_zero_attn"):
                with redirect_stderr(io.StringIO()), trace("t.npz") as t:
                    t.watch(nn.MultiheadAttention(6, 2, **flags))
        with self.assertRaisesRegex(TraceError, "different inputs of K and V, expected one x"):
            with redirect_stderr(io.StringIO()), trace("t.npz") as t:
                module = nn.MultiheadAttention(6, 2).double()
                t.watch(module)
                module(x, x, other)
        with self.assertRaisesRegex(TraceError, r"found no mask, expected it logged or"):
            with trace("t.npz") as t:
                t.watch(module)
                t.save_setup("t.attention.json")
                module(x, x, x, attn_mask=torch.ones(4, 4, dtype=torch.bool).triu(1))

    def test_fast_path(self):
        module = nn.MultiheadAttention(6, 2, batch_first=True).eval()
        x = torch.randn(2, 4, 6)
        with self.assertRaisesRegex(TraceError, r"no projection .* expected module\.train\(\)"):
            with redirect_stderr(io.StringIO()), torch.no_grad(), trace("t.npz") as t:
                t.watch(module)
                module(x, x, x)

    def test_modules_with_projections(self):
        families = [
            ("q_proj", "k_proj", "v_proj", "o_proj"),
            ("q_proj", "k_proj", "v_proj", "out_proj"),
            ("query", "key", "value", "dense"),
            ("query", "key", "value"),
            ("to_q", "to_k", "to_v", "to_out"),
            ("c_attn", "c_proj"),
            ("qkv", "proj"),
        ]
        for n, names in enumerate(families):
            for kv_heads in (4, 2):
                for batch in ((), (3,)):
                    with self.subTest(names=names, kv_heads=kv_heads, batch=batch):
                        how = ("F", "torch", "method", "module")[n % 4]
                        module = Heads(names, heads=4, kv_heads=kv_heads, how=how)
                        if len(names) != 2:  # the widths of the layers tell
                            module.key_heads = module.__dict__.pop("kv_heads")
                        found = self.check(module, self.input(*batch, 5, 6))
                        expected = set(self.SELF)
                        if len(names) != 2:
                            expected -= {"b_K", "db_K"}
                        if len(names) == 3:
                            expected -= {"W_O", "b_O", "dW_O", "db_O", "C", "dC"}
                        self.assertEqual(found.keys(), expected)

    def test_cross_attention_and_dropout(self):
        module = Heads(("to_q", "to_k", "to_v", "to_out"), dropout=0.4)
        module.to_out = nn.Sequential(module.to_out, nn.Dropout(0.0))
        found = self.check(module, self.input(2, 4, 6), self.input(2, 4, 6))
        self.assertLessEqual({"xPrime", "dxPrime", "Pd", "dPd", "keep"}, found.keys())

    def test_conv1d(self):
        module = Heads(("c_attn", "c_proj"), heads=2)
        module.c_attn, module.c_proj = Conv1D(18, 6), Conv1D(6, 6)
        for batch in ((), (3,)):
            self.assertEqual(self.check(module, self.input(*batch, 5, 6)).keys(), self.SELF)

    def test_tokens_first(self):
        class Wrapped(nn.Module):
            def __init__(self):
                super().__init__()
                self.q_proj, self.k_proj, self.v_proj = (nn.Linear(6, 6) for _ in range(3))

            def forward(self, x):
                q, k, v = (f(x).transpose(0, 1) for f in (self.q_proj, self.k_proj, self.v_proj))
                return (F.softmax(q @ k.transpose(1, 2) / 6**0.5, -1) @ v).transpose(0, 1)

        options = {"heads": 1, "batch_first": False}
        module, x = Wrapped().double(), self.input(4, 3, 6)
        with trace("t.npz") as t:
            t.watch(module, **options)
            t.save_setup("t.attention.json", mask="none")
            t.backward((module(x) ** 2).sum())
        found = self.load()
        self.assertEqual([found[n].shape for n in ("x", "P", "y")], [(3, 4, 6), (3, 1, 4, 4), (3, 4, 6)])
        self.recompute(found, json.loads(Path("t.attention.json").read_text()))

    def test_fused_kernel(self):
        def kernel(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False):
            return (query @ key.transpose(-1, -2)).softmax(-1) @ value

        class Fused(nn.Module):
            num_heads = 2

            def __init__(self):
                super().__init__()
                self.qkv = nn.Linear(6, 18)

            def forward(self, x):
                q, k, v = self.qkv(x).unflatten(-1, (3, 2, 3)).permute(2, 0, 3, 1, 4)
                o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                return o.transpose(1, 2).flatten(2)

        with mock.patch.object(F, "scaled_dot_product_attention", kernel, create=True):
            with trace("t.npz") as t:
                module = Fused()
                t.watch(module)
                t.backward(module(torch.randn(2, 4, 6)).sum())
                self.assertTrue(t._facts["masked"])
        found = self.load()
        self.assertLessEqual({"Qh", "Kh", "Vh", "O", "dQh", "dKh", "dVh", "dO"}, found.keys())
        self.assertEqual(found["Qh"].shape, (2, 2, 4, 3))

    def test_other_modules_and_threads_do_not_show(self):
        module, other = Heads(("q", "k", "v")), nn.Linear(6, 6)
        with self.assertRaisesRegex(TraceError, r"found layers \['q', 'k', 'v', 'drop'\], expected q_proj"):
            with redirect_stderr(io.StringIO()), trace("t.npz") as t:
                t.watch(module)
        module = Heads(("to_q", "to_k", "to_v"))

        def forward(x, inner=module.forward):
            thread = threading.Thread(target=lambda: other(x).softmax(-1))
            thread.start()
            thread.join()
            return inner(x)

        module.forward = forward
        with trace("t.npz") as t:
            t.watch(module)
            module(torch.randn(2, 4, 6))
        self.assertIs(module.forward, forward)
        self.assertEqual(self.load()["P"].shape, (2, 2, 4, 4))

    def test_what_watch_refuses(self):
        blocks = nn.ModuleList([Heads(("to_q", "to_k", "to_v")) for _ in range(2)])
        cases = [
            (nn.Linear(2, 2), "found layers"),
            (blocks, "found 0.to_q and 1.to_q, expected one"),
            ("text", "found str, expected a torch.nn.Module"),
        ]
        module = Heads(("to_q", "to_k", "to_v"))
        with trace("t.npz") as t:
            t.P = 1
            for each, message in cases:
                with self.assertRaisesRegex(TraceError, f"^watch: {message}"):
                    t.watch(each)
            del module.num_heads
            with self.assertRaisesRegex(TraceError, r"found no number of heads in Heads, expected watch"):
                t.watch(module)
            t.watch(module, heads=2)
            with self.assertRaisesRegex(TraceError, "expected one module for each"):
                t.watch(blocks[0])

    def test_an_exception_in_the_module_leaves_pytorch_as_it_was(self):
        before = F.softmax, F.linear, torch.softmax
        module = Heads(("to_q", "to_k", "to_v"))
        with redirect_stderr(io.StringIO()), self.assertRaises(RuntimeError), trace("t.npz") as t:
            t.watch(module)
            module(torch.randn(2, 4, 99))
        self.assertEqual((F.softmax, F.linear, torch.softmax), before)
        self.assertNotIn("softmax", vars(torch.Tensor))

    def test_steps(self):
        module = Heads(("qkv", "proj"))
        with trace("t.npz") as t:
            t.watch(module)
            for _ in range(2):
                module(torch.randn(2, 4, 6))
                t.step()
            module(torch.randn(2, 4, 6))
            with self.assertRaisesRegex(TraceError, "found it twice"):
                module(torch.randn(2, 4, 6))
        self.assertEqual(len(os.listdir()), 3)


class Setup(InFolder):
    def setup_of(self, tensors, **entries):
        os.makedirs("setups", exist_ok=True)
        with trace("t.npz") as t:
            t.log(**{name: np.ones(shape) for name, shape in tensors.items()})
            t.save_setup("setups/t.attention.json", **entries)
        return json.loads(Path("setups/t.attention.json").read_text())

    def test_heads(self):
        kq = {"x": (5, 3), "W_K": (3, 2), "W_Q": (3, 2)}
        place = {"file": "../t.npz", "key": "x"}
        setup = self.setup_of(kq, mask="causal", axes="query-first")
        self.assertEqual([setup[k] for k in ("head", "x", "mask", "axes")], ["kq", place, "causal", "query-first"])
        self.assertEqual(list(setup["weights"]), ["W_K", "W_Q"])
        setup = self.setup_of({**kq, "W_V": (3, 2), "dy": (5, 2)}, scale=0.5)
        self.assertEqual([setup["head"], setup["scale"]], ["qkv", 0.5])
        self.assertEqual(setup["loss"], {"upstream": {"file": "../t.npz", "key": "dy"}})
        setup = self.setup_of({**kq, "W_V": (3, 2), "W_O": (2, 3)}, heads=2, kvHeads=1)
        self.assertEqual([setup["head"], setup["heads"], setup["kvHeads"]], ["multihead", 2, 1])
        setup = self.setup_of({"Q": (2, 2)}, head="kq", start={"Q": [[1]]})
        self.assertEqual(setup["start"], {"Q": [[1]]})

    def test_what_is_missing_is_named(self):
        with self.assertRaisesRegex(TraceError, r"t.attention.json: found no x, W_Q, expected it logged"):
            self.setup_of({"W_K": (3, 2)})
        with self.assertRaisesRegex(TraceError, r"found no heads"):
            self.setup_of({name: (2, 2) for name in ("x", "W_K", "W_Q", "W_V", "W_O")})
        self.assertTrue(os.path.exists("t.npz"))
        with self.assertRaisesRegex(TraceError, r"expected a name in .attention.json"):
            with trace("t.npz") as t:
                t.P = 1
                t.save_setup("t.json")


def rank_of_two(rank, port, folder):
    """One of two processes: each has some heads, or some queries, of the same attention."""
    import torch.distributed as dist

    os.chdir(folder)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    whole = attention(torch)
    for kind in ("heads", "tokens"):
        x, W = whole["x"].detach().clone().requires_grad_(), {}
        two = slice(2 * rank, 2 * rank + 2)
        columns = slice(6 * rank, 6 * rank + 6) if kind == "heads" else slice(None)
        for name in ("W_K", "W_Q", "W_V"):
            W[name] = whole[name].detach()[:, columns].clone().requires_grad_()
        W["W_O"] = whole["W_O"].detach()[columns].clone().requires_grad_()
        with trace(f"{kind}.npz", part={kind: [2 * rank, 2 * rank + 2]}) as t:
            t.log(x=x if kind == "heads" else x[two], **W)
            heads = 2 if kind == "heads" else 4
            rows = x if kind == "heads" else x[two]
            Q = (rows @ W["W_Q"]).unflatten(-1, (heads, 3)).transpose(0, 1)
            K, V = ((x @ W[n]).unflatten(-1, (heads, 3)).transpose(0, 1) for n in ("W_K", "W_V"))
            P = (Q @ K.transpose(1, 2)).softmax(-1)
            C = (P @ V).transpose(0, 1).flatten(1)
            y = C @ W["W_O"]
            t.log(Qh=Q, Kh=K, P=P, C=C, y=y)
            G = whole["G"] if kind == "heads" else whole["G"][two]
            loss = (y * G).sum()
            t.f = loss
            if kind == "heads":
                t.save_setup("heads.attention.json", heads=4, mask="none", W_V={})
            t.backward(loss)
    dist.destroy_process_group()


def attention(torch):
    generator = torch.Generator().manual_seed(1)
    normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.double)
    whole = {"x": normal(4, 5), **{n: normal(5, 12) for n in ("W_K", "W_Q", "W_V")}}
    whole["W_O"] = normal(12, 5)
    for each in whole.values():
        each.requires_grad_()
    split = {n: (whole["x"] @ whole[f"W_{n}"]).unflatten(-1, (4, 3)).transpose(0, 1) for n in "QKV"}
    whole.update(Qh=split["Q"], Kh=split["K"])
    whole["P"] = (split["Q"] @ split["K"].transpose(1, 2)).softmax(-1)
    whole["C"] = (whole["P"] @ split["V"]).transpose(0, 1).flatten(1)
    whole["y"] = whole["C"] @ whole["W_O"]
    whole["G"] = normal(4, 5)
    whole["f"] = (whole["y"] * whole["G"]).sum()
    return whole


class Ranks(InFolder):
    def part(self, file, rank, world, part, **arrays):
        with mock.patch.dict(os.environ, RANK=str(rank), WORLD_SIZE=str(world)):
            with trace(file, part=part) as t:
                t.log(**arrays)

    def check_against_whole(self, file, names):
        whole, found = attention(torch), self.load(file)
        for each in whole.values():
            each.retain_grad() if each.requires_grad else None
        whole["f"].backward()
        for name in names:
            self.assert_same(found[name], whole[name])
            if f"d{name}" in found:
                self.assert_same(found[f"d{name}"], whole[name].grad)

    def test_two_processes_with_gloo(self):
        import socket

        import torch.multiprocessing

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        torch.multiprocessing.spawn(rank_of_two, (port, os.getcwd()), nprocs=2)
        parts = [f"{kind}.rank{rank}.npz" for kind in ("heads", "tokens") for rank in (0, 1)]
        self.assertEqual(sorted(f for f in os.listdir() if f.endswith("npz")), parts)
        meta = self.meta(parts[1])
        self.assertIn("W_K", meta.pop("lines"))
        self.assertEqual(meta, {
            "complete": True, "rank": 1, "world": 2, "part": {"heads": [2, 4]}, "dtypes": {},
        })
        setup = json.loads(Path("heads.attention.json").read_text())
        self.assertEqual([setup["heads"], setup["x"]["file"]], [4, "heads.npz"])
        names = ["x", "W_K", "W_Q", "W_V", "W_O", "Qh", "Kh", "P", "C", "y"]
        with self.assertRaisesRegex(TraceError, "^y: found other numbers on other ranks"):
            merge(parts[:2], "heads.npz")
        merge(parts[:2], "heads.npz", ["y", "f", "gradients"])
        self.check_against_whole("heads.npz", [*names, "f"])
        command = [sys.executable, str(SCRIPT), "merge", "tokens.rank*.npz", "tokens.npz"]
        failed = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(failed.returncode, 2)
        self.assertRegex(failed.stderr, r"^merge: d?\w+: found other numbers on other ranks, .*\n$")
        self.assertFalse(os.path.exists("tokens.npz"))
        done = subprocess.run([*command, "--reduce", "gradients,f"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.check_against_whole("tokens.npz", [name for name in names if name != "x"] + ["f"])
        self.assert_same(self.load("tokens.npz")["x"], attention(torch)["x"])

    def test_torchrun(self):
        Path("program.py").write_text(
            f"import sys, os; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
            "import torch\nfrom attention_trace import trace\n"
            "rank = int(os.environ['RANK'])\n"
            "with trace('t.npz', part={'heads': [rank, rank + 1]}) as t:\n"
            "    t.P = torch.full((1, 2, 2), float(rank)).bfloat16()\n"
        )
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
        # 1.13 under Python 3.11 fails without the explicit --redirects and --tee.
        command += ["--redirects=1", "--tee=1", "--log_dir=logs", "--rdzv_backend=c10d"]
        command += ["--rdzv_endpoint=127.0.0.1:0", "program.py"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        merge(["t.rank0.npz", "t.rank1.npz"], "t.npz")
        self.assertEqual(self.load()["P"][:, 0, 0].tolist(), [0, 1])
        self.assertEqual(self.meta()["dtypes"], {"P": "bfloat16"})

    def test_one_process_has_no_rank_in_its_name(self):
        self.part("t.npz", 0, 1, None, P=1)
        self.assertEqual(os.listdir(), ["t.npz"])

    def test_gaps_overlaps_and_missing_parts(self):
        one = np.ones((2, 3, 3))
        cases = [
            ([[0, 2], [3, 5]], r"^P: found a gap: heads from 3 on, expected them from 2 on"),
            ([[0, 2], [1, 3]], r"^P: found an overlap: heads from 1 on, expected them from 2 on"),
            ([[1, 3], [3, 5]], r"^P: found a gap: heads from 1 on, expected them from 0 on"),
            ([[0, 1], [1, 3]], r"^P: found shapes .* expected \[1, 2\] heads on axis -3"),
        ]
        for spans, message in cases:
            for rank, span in enumerate(spans):
                self.part("t.npz", rank, 2, {"heads": span}, P=one)
            with self.assertRaisesRegex(TraceError, message):
                merge(["t.rank0.npz", "t.rank1.npz"], "all.npz")
        with self.assertRaisesRegex(TraceError, r"^all.npz: found ranks \[1\], expected each of 0 to 1"):
            merge(["t.rank1.npz"], "all.npz")
        with self.assertRaisesRegex(TraceError, r"^no.npz: found .*, expected a file that trace wrote"):
            merge(["no.npz"], "all.npz")
        self.part("t.npz", 0, 1, {"heads": [0, 1]}, attn_weights=one)
        with self.assertRaisesRegex(TraceError, r"^attn_weights: found a name that is no node's"):
            merge(["t.npz"], "all.npz")
        for part in ({"head": [0, 1]}, {"heads": [2, 2]}, {"heads": [1]}):
            with self.assertRaisesRegex(TraceError, "^part: found head"):
                trace("t.npz", part=part)

    def test_shared_kv_heads_and_key_first_scores(self):
        K = np.arange(6.0).reshape(1, 3, 2)
        scores = np.arange(24.0).reshape(4, 3, 2)
        for rank in (0, 1):
            part = {"heads": [2 * rank, 2 * rank + 2], "kvHeads": [0, 1]}
            own = {"Kh": K, "dKh": K * (rank + 1), "P": scores[2 * rank : 2 * rank + 2]}
            self.part("t.npz", rank, 2, part, **own)
        merge(["t.rank1.npz", "t.rank0.npz"], "t.npz", ["gradients"])
        found = self.load()
        self.assert_same(found["Kh"], K)
        self.assert_same(found["dKh"], 3 * K)
        self.assert_same(found["P"], scores)
        P = np.arange(20.0).reshape(5, 4)  # (keys, queries)
        for rank in (0, 1):
            own = slice(2 * rank, 2 * rank + 2)
            self.part("t.npz", rank, 2, {"queries": [own.start, own.stop]}, P=P[:, own], x=K)
        merge(["t.rank0.npz", "t.rank1.npz"], "t.npz")
        self.assert_same(self.load()["P"], P)


if __name__ == "__main__":
    unittest.main()
