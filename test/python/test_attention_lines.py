"""Tests of attention_lines: what is recorded of a program, and that nothing of the program changes."""

import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import textwrap
import unittest
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDER = ROOT / "python" / "attention_lines"
CODES = {"float64": "d", "float32": "f", "int64": "q", "bool": "?", "float": "d"}


class Recording:
    def __init__(self, path):
        self.data = pathlib.Path(path).read_bytes()
        assert self.data[-8:] == b"ATLINES1"
        (length,) = struct.unpack("<Q", self.data[-16:-8])
        self.header = json.loads(self.data[-16 - length : -16])
        self.events, self.statements = self.header["events"], self.header["statements"]

    def named(self, name, how=None):
        return [each for each in self.events if each["name"] == name and how in (None, each["how"])]

    def line(self, event):
        return self.statements[event["statement"]]["line"]

    def reads(self, event):
        """(name, line) of what an event was computed from."""
        return [(self.events[each]["name"], self.line(self.events[each])) for each in event["reads"]]

    def values(self, event):
        """The numbers, flat; of a 'same' event those of the event that has them."""
        while "same" in event:
            event = self.events[event["same"]]
        if "value" in event:
            return [event["value"]]
        at, length = event["at"]
        code = CODES[event["dtype"]]
        return list(struct.unpack(f"<{length // struct.calcsize(code)}{code}", self.data[at : at + length]))


class Program:
    """A program in a folder of its own, run plainly and recorded."""

    def __init__(self, source, *args, flags=(), name="program.py", **others):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        data = source if isinstance(source, bytes) else textwrap.dedent(source).lstrip("\n").encode()
        (self.path / name).write_bytes(data)
        for each, text in others.items():
            (self.path / f"{each}.py").write_text(textwrap.dedent(text))
        self.name, self.args, self.flags = name, args, flags
        self.out = self.path / "recording"

    def plain(self):
        return run([sys.executable, self.name, *self.args], self.path)

    def recorded(self):
        command = [sys.executable, RECORDER, "--record", self.out, *self.flags, self.name, "--", *self.args]
        result = run(command, self.path)
        return result, Recording(self.out)


def run(command, folder):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, env=environment, timeout=120, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def record(source, *args, **options):
    result, recording = Program(source, *args, **options).recorded()
    assert not [each for each in recording.header["notes"] if each["kind"] == "recorder"], recording.header["notes"]
    assert result[0] == recording.header["exit"]["code"], result
    return recording


class Reads(unittest.TestCase):
    def test_statement_reads_newest_events_of_its_operands(self):
        found = record("""
            import numpy as np
            x = np.ones((2, 3))
            w = np.ones((3, 3))
            x = x @ w
            y = x @ w + x
        """)
        x, w, product, y = found.events
        self.assertEqual(product["reads"], [x["id"], w["id"]])
        self.assertEqual(y["reads"], [product["id"], w["id"]])
        self.assertEqual((y["shape"], y["dtype"], found.values(y)), ([2, 3], "float64", [12.0] * 6))

    def test_only_the_branch_that_was_taken_is_read(self):
        found = record("""
            import numpy as np
            a, b = np.ones(2), np.zeros(2)
            c = a if a.sum() > 0 else b
            d = (a.sum() > 5 and b) or a + 1
        """)
        self.assertEqual(found.reads(found.named("c")[0]), [("a", 2)])
        self.assertEqual(found.reads(found.named("d")[0]), [("c", 3)])

    def test_call_reads_what_the_function_returned(self):
        found = record("""
            import numpy as np
            def double(t):
                u = t * 2
                return u
            x = np.ones(2)
            y = double(x)
            z = double(x + 1)
        """)
        argument, returned = found.named("t")[0], found.named("return")[0]
        self.assertEqual((argument["how"], found.reads(argument)), ("argument", [("x", 5)]))
        self.assertEqual(found.named("y")[0]["reads"], [returned["id"]])
        self.assertEqual(found.named("y")[0]["alias"], returned["id"])
        self.assertEqual(found.reads(found.named("t")[1]), [("t", 2)])
        self.assertEqual([each["frame"] for each in found.named("u")], [1, 2])

    def test_elements_of_a_comprehension_know_what_made_them(self):
        found = record("""
            import numpy as np
            w = [np.ones((2, 2)) * h for h in range(2)]
            x = np.ones((2, 2))
            q = [x @ m for m in w]
            total = sum(a @ b for a, b in zip(q, w))
        """)
        self.assertEqual([each["name"] for each in found.events[:2]], ["w[0]", "w[1]"])
        self.assertIn(("w[1]", 2), found.reads(found.named("q[1]")[0]))
        self.assertEqual({name for name, _ in found.reads(found.named("total")[0])}, {"q[0]", "q[1]", "w[0]", "w[1]"})

    def test_elements_and_arguments_know_what_made_them(self):
        found = record("""
            import numpy as np
            def both(a, b):
                return a + b
            s = 0.5
            x, y, z = np.ones((2, 2)), np.zeros((2, 2)), np.eye(2)
            u, v = x @ x * s, y @ z
            w = both(x @ y, b=z.T)
            g = {"x": x - y, "z": 2 * z}
            t = 2 * both(x, y), both(y, z)
        """)
        reads = {name: {each for each, _ in found.reads(found.named(name)[0])} for name in ("u", "v", "a", "b", "g['x']")}
        self.assertEqual(reads, {"u": {"x", "s"}, "v": {"y", "z"}, "a": {"x", "y"}, "b": {"z"}, "g['x']": {"x", "y"}})
        self.assertEqual({each for each, _ in found.reads(found.named("g['z']")[0])}, {"z"})
        first, second = found.named("return")[1:3]
        self.assertIn(first["id"], found.named("t[0]")[0]["reads"])
        self.assertEqual(found.named("t[1]")[0]["reads"], [second["id"]])

    def test_numbers_are_read_by_name(self):
        found = record("""
            width = 4
            class Model:
                def __init__(self, heads):
                    self.heads = heads
                    self.size = width // heads
            model = Model(2)
            scale = model.size ** -0.5
        """)
        self.assertEqual(found.reads(found.named("self.size")[0]), [("heads", 3), ("width", 1)][::-1])
        self.assertEqual(found.reads(found.named("scale")[0]), [("model.size", 6)])

    def test_a_sum_that_starts_anew_from_a_number_reads_no_earlier_one(self):
        found = record("""
            import numpy as np
            a = np.ones(2)
            for i in range(2):
                s = 0.0
                s += a[i] * 2
        """)
        second = found.named("s")[-1]
        self.assertEqual(found.reads(second), [("a", 2), ("s", 4)])
        self.assertEqual(found.values(found.events[second["reads"][1]]), [0.0])

    def test_what_is_appended_to_a_list_has_its_place_there(self):
        found = record("""
            import numpy as np
            def double(t):
                return t * 2
            kept = []
            for i in range(2):
                kept.append(double(np.ones(2)))
        """)
        self.assertEqual([found.line(each) for name in ("kept[0]", "kept[1]") for each in found.named(name)], [6, 6])

    @unittest.skipUnless(find_spec("torch"), "needs PyTorch")
    def test_a_method_in_place_is_an_update_of_its_own_statement(self):
        found = record("""
            import torch
            t = torch.ones(2, 2)
            hidden = torch.tensor([True, False])
            t.masked_fill_(hidden[:, None], 0.5)
        """)
        (update,) = found.named("t", "update")
        self.assertEqual((found.line(update), found.values(update)), (4, [0.5, 0.5, 1.0, 1.0]))

    def test_loops_of_each_event(self):
        found = record("""
            import numpy as np
            x = np.zeros(2)
            for i in range(2):
                for j in range(3):
                    if j == 2:
                        break
                    y = x + i + j
                z = y * 2
            def late():
                for k in range(5):
                    if k == 1:
                        u = x * k
                        return u
            v = late()
            w = x
        """)
        self.assertEqual([each["loops"] for each in found.named("y")], [[0, 0], [0, 1], [1, 0], [1, 1]])
        self.assertEqual([each["loops"] for each in found.named("z")], [[0], [1]])
        self.assertEqual([found.named(name)[0]["loops"] for name in "uvw"], [[1], [], []])


class InPlace(unittest.TestCase):
    def test_every_way_of_changing_an_array(self):
        found = record("""
            import numpy as np
            x = np.arange(4.0)
            x += 1
            np.exp(x, out=x)
            row = x[:2]
            row *= 0
            y = x + 0
            x.fill(3.0)
            np.copyto(x, y)
            x[...] = 7
            x[x > 5] = 1
        """)
        last = [found.values(each)[0] for each in found.events if each["name"] == "x" and each["how"] == "update"]
        self.assertEqual([found.line(each) for each in found.events if each["name"] == "x" and each["how"] == "update"],
                         [3, 4, 6, 8, 9, 11])  # fmt: skip
        self.assertAlmostEqual(last[1], 2.718281828459045)
        self.assertEqual(last[2:], [0.0, 3.0, 0.0, 1.0])
        self.assertEqual(found.reads(found.named("y")[0]), [("x", 6)])
        masked = found.named("x[x > 5]")[0]
        self.assertEqual((masked["index"], found.values(masked)), ("fancy", [1.0] * 4))

    def test_sums_in_dictionaries_and_lists_are_recorded_as_they_are_then(self):
        _, recording = Program(
            """
            import numpy as np
            grads, sums = {"q": np.zeros(2)}, [np.zeros(2)]
            for step in (np.array([1.0, 2.0]), np.array([3.0, 4.0])):
                grads["q"] += step
                sums[0] -= step
            """
        ).recorded()
        for name, sign in (("grads['q']", 1), ("sums[0]", -1)):
            before, *after = recording.named(name)
            self.assertEqual(before["how"], "bind")
            self.assertEqual([each["how"] for each in after], ["update", "update"])
            found = [recording.values(each) for each in after]
            self.assertEqual(found, [[sign * 1.0, sign * 2.0], [sign * 4.0, sign * 6.0]])
            self.assertEqual(after[0]["alias"], before["id"])

    def test_writes_of_a_loop_and_the_whole_at_its_end(self):
        found = record("""
            import numpy as np
            x = np.arange(6.0).reshape(2, 3)
            y = np.zeros((2, 3))
            for b in range(2):
                for t in range(3):
                    y[b, t] += x[b, t] * 2
            z = y.sum()
        """)
        writes = found.named("y[b, t]", "write")
        self.assertEqual([each["index"] for each in writes], [[b, t] for b in range(2) for t in range(3)])
        self.assertEqual([found.values(each)[0] for each in writes], [0, 2, 4, 6, 8, 10])
        (whole,) = found.named("y", "loop-end")
        self.assertEqual((found.values(whole), found.line(whole), whole["loops"]), ([0, 2, 4, 6, 8, 10], 6, []))
        self.assertEqual(found.reads(found.named("z")[0]), [("y", 6)])

    def test_lists_of_lists_of_numbers_are_matrices(self):
        recording = record("""
            m = [[0.0] * 2 for _ in range(3)]
            for i in range(3):
                for j in range(2):
                    m[i][j] += i + j
            row = m[1]
            row[0] = 9.0
            m[2] = [7.0, 8.0]
            print(m, sum(row))
            counts = [[1, 2], [3, 4]]
            ragged = [[1.0], [2.0, 3.0]]
        """)
        self.assertEqual(recording.named("m", "bind")[0]["shape"], [3, 2])
        written = recording.named("m[i, j]", "write")
        self.assertEqual([each["index"] for each in written], [[i, j] for i in range(3) for j in range(2)])
        self.assertEqual(recording.values(recording.named("m", "loop-end")[0]), [0, 1, 1, 2, 2, 3])
        after = [each for each in recording.events if each["name"] == "m" and each["how"] == "update"]
        self.assertEqual(recording.values(after[0]), [0, 1, 9, 2, 2, 3])
        self.assertEqual(recording.values(after[-1]), [0, 1, 9, 2, 7, 8])
        self.assertEqual([each["name"] for each in recording.events if each["name"] in ("counts", "ragged")], [])

    def test_index_of_a_write(self):
        found = record("""
            import numpy as np
            x = np.zeros((4, 5, 6))
            x[-1, 1:3, ::2] = 1
            x[..., None, 0] = 2
            x[[0, 1]] = 3
        """)
        writes = [each["index"] for each in found.events if each["how"] == "write"]
        self.assertEqual(writes, [[3, [1, 3, 1], [0, 6, 2]], [[0, 4, 1], [0, 5, 1], None, 0], "fancy"])

    def test_unchanged_content_is_stored_once(self):
        found = record("""
            import numpy as np
            x = np.ones((64, 64))
            y = x
            def f(t):
                return t
            z = f(y)
        """)
        self.assertEqual(len([each for each in found.events if "at" in each]), 1)
        self.assertTrue(all(each["same"] == 0 for each in found.events[1:]))


class Containers(unittest.TestCase):
    def test_names_of_elements(self):
        found = record("""
            from dataclasses import dataclass, field
            from typing import NamedTuple
            import numpy as np
            class Saved(NamedTuple):
                q: np.ndarray
                k: np.ndarray
            @dataclass
            class Cache:
                p: np.ndarray
                more: dict = field(default_factory=dict)
            x = np.ones(2)
            heads = [x * 1, x * 2]
            grads = {"wq": x * 3}
            name = "k"
            grads["w" + name] = x * 4
            saved = Saved(x * 5, x * 6)
            cache = Cache(x * 7)
            cache.more["s"] = x * 8
            heads.append(x * 9)
            first, (second, *rest) = heads[0], heads
            (y := x * 10)
        """)
        names = [each["name"] for each in found.events if "alias" not in each and each["name"] != "x"]
        expected = ["heads[0]", "heads[1]", "grads['wq']", "grads['wk']", "saved.q", "saved.k", "cache.p",
                    "cache.more['s']", "heads[2]", "y"]  # fmt: skip
        self.assertEqual(names, expected)
        self.assertEqual(found.values(found.named("rest[1]")[0]), [9.0, 9.0])

    def test_functions_of_every_kind(self):
        found = record("""
            import asyncio, functools
            import numpy as np
            def traced(f):
                @functools.wraps(f)
                def inner(*args, **options):
                    return f(*args, **options)
                return inner
            @traced
            def scaled(t, *, by=2.0):
                return t * by
            def steps(t):
                for i in range(2):
                    t = t + i
                    yield t
            async def later(t):
                await asyncio.sleep(0)
                u = t * 3
                return u
            class Layer:
                w = np.full(2, 5.0)
                @property
                def doubled(self):
                    return self.w * 2
                def __call__(self, t):
                    super().__init__()
                    self.out = t * self.w
                    return self.out
            x = np.ones(2)
            a = scaled(x, by=0.5)
            b = sum(steps(x))
            c = asyncio.run(later(x))
            layer = Layer()
            d = layer(x) + layer.doubled
            e = (lambda t, s=3.0: t * s + a)(x)
            match (x, a):
                case (first, second):
                    f = first + second
        """ if sys.version_info >= (3, 10) else "import numpy as np\nx = np.ones(2)")
        if sys.version_info < (3, 10):
            self.skipTest("match needs Python 3.10")
        functions = [each["name"] for each in found.header["functions"] if each["calls"]]
        for name in ("traced.inner", "scaled", "steps", "later", "Layer.__call__", "Layer.doubled", "<lambda>"):
            self.assertIn(name, functions)
        self.assertEqual(found.values(found.named("d")[0]), [15.0, 15.0])
        self.assertEqual(found.reads(found.named("f")[0]), [("first", 36), ("second", 36)])
        self.assertEqual(len(found.named("yield")), 2)

    def test_modules_of_the_program_and_no_others(self):
        found = record("""
            import numpy as np
            from helper import softmax
            p = softmax(np.ones((2, 2)))
        """, helper="""
            import numpy as np
            def softmax(s):
                e = np.exp(s)
                return e / e.sum(axis=-1, keepdims=True)
        """)  # fmt: skip
        self.assertEqual([each["path"] for each in found.header["files"]], ["program.py", "helper.py"])
        e = found.named("e")[0]
        self.assertEqual((found.statements[e["statement"]]["file"], found.line(e)), (1, 4))


class Places(unittest.TestCase):
    def test_columns_count_characters(self):
        found = record("""
            import numpy as np
            größe = np.ones(2); ä = größe * (
                2)
        """)
        statement = found.statements[found.named("ä")[0]["statement"]]
        place = [statement[key] for key in ("line", "endLine", "column", "endColumn")]
        self.assertEqual(place, [2, 3, 21, 7])
        self.assertEqual(statement["text"], "ä = größe * (\n    2)")
        self.assertEqual((statement["loads"], statement["targets"]), (["größe"], ["ä"]))

    def test_sub_expressions_of_a_line(self):
        found = record("""
            import numpy as np
            q, k = np.ones((2, 3)), np.ones((2, 3))
            s = q @ k.T / np.sqrt(3)
            z = s * 2 + s
        """, flags=("--expressions", "3"))  # fmt: skip
        shown = [each for each in found.events if each["how"] == "expression"]
        self.assertEqual([each["name"] for each in shown], ["k.T", "q @ k.T", "np.sqrt(3)"])
        transposed, product = shown[:2]
        self.assertEqual(found.reads(product), [("q", 2), ("k.T", 3)])
        self.assertEqual([product[key] for key in ("line", "endLine", "column", "endColumn")], [3, 3, 5, 12])
        self.assertEqual(found.reads(found.named("s")[0]), [("q", 2), ("k", 2)])


class Budgets(unittest.TestCase):
    def test_first_iterations_are_kept(self):
        source = """
            import numpy as np
            x = np.zeros(2)
            for i in range(5000):
                y = x + i
            z = y * 2
        """
        found = record(source, flags=("--max-events", "200"))
        self.assertEqual([each["loops"][0] for each in found.named("y")][:3], [0, 1, 2])
        self.assertLess(len(found.events), 250)
        self.assertEqual(found.header["leftOut"]["events"], 5002 - len(found.events))
        self.assertEqual(found.statements[found.header["leftOut"]["statement"]]["line"], 4)
        self.assertEqual(len(found.named("z")), 1)
        found = record(source, flags=("--max-bytes", "160"))
        self.assertEqual(len([each for each in found.events if "at" in each]), 10)
        self.assertEqual(found.header["leftOut"]["bytes"], 16 * (5002 - 10))

    def test_chosen_function_and_what_it_calls(self):
        found = record("""
            import numpy as np
            def helper(t):
                u = t * 2
                return u
            class Mine:
                def forward(self, t):
                    v = helper(t)
                    return v
            x = np.ones(2)
            a = helper(x)
            b = Mine().forward(x)
        """, flags=("--function", "Mine.forward"))  # fmt: skip
        self.assertEqual([found.events[each["id"]]["frame"] for each in found.named("u")], [3])
        self.assertEqual(len(found.named("v")), 1)
        self.assertEqual(len(found.named("b")), 1)


class Autograd(unittest.TestCase):
    def setUp(self):
        try:
            import torch  # noqa: F401
        except ImportError:
            self.skipTest("no PyTorch")

    def test_gradients_at_the_lines_that_made_the_tensors(self):
        found = record("""
            import torch
            x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
            y = x * 3
            z = y * y
            z += 1
            z.sum().backward()
            print(x.grad)
        """)
        gradients = [(found.events[each["of"]]["name"], found.line(each), found.values(each))
                     for each in found.events if each["how"] == "gradient"]  # fmt: skip
        self.assertIn(("y", 3, [6.0, 12.0]), gradients)
        self.assertIn(("x", 2, [18.0, 36.0]), gradients)
        self.assertEqual([values for name, line, values in gradients if name == "z"], [[1.0, 1.0], [1.0, 1.0]])
        (leaf,) = [each for each in found.events if each["how"] == "leaf"]
        self.assertEqual((leaf["name"], found.values(leaf)), ("x.grad", [18.0, 36.0]))

    def test_changes_that_no_version_counts(self):
        _, recording = Program(
            """
            import torch
            w = torch.ones(2)
            w.data.mul_(3)
            w.data *= 2
            w.data = torch.zeros(2)
            same = w.data.sum()
            """
        ).recorded()
        found = [(recording.line(each), recording.values(each)) for each in recording.named("w", "update")]
        self.assertEqual(found, [(3, [3.0, 3.0]), (4, [6.0, 6.0]), (5, [0.0, 0.0])])

    def test_parameters_by_dotted_names(self):
        found = record("""
            import torch
            from torch import nn
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.qkv = nn.Linear(2, 6)
                    self.norm = nn.LayerNorm(2)
                    self.register_buffer("mask", torch.ones(2))
                def forward(self, h):
                    return self.qkv(self.norm(h))
            net = Net()
            y = net(torch.ones(1, 2))
            y.sum().backward()
            with torch.no_grad():
                net.qkv.weight -= 0.1 * net.qkv.weight.grad
            w = net.qkv.weight * 1
        """)
        leaves = {each["name"] for each in found.events if each["how"] == "leaf"}
        expected = {f"net.{name}{part}" for name in ("qkv.weight", "qkv.bias", "norm.weight", "norm.bias")
                    for part in ("", ".grad")} | {"net.mask"}  # fmt: skip
        self.assertLessEqual(expected, leaves)
        returned = found.named("return")[0]
        self.assertLessEqual({"net.qkv.weight", "net.norm.weight", "h"}, {name for name, _ in found.reads(returned)})
        self.assertEqual([name for name, _ in found.reads(found.named("w")[0])], ["net.qkv.weight"])
        update = found.events[found.named("w")[0]["reads"][0]]
        self.assertEqual((update["how"], found.line(update)), ("update", 15))

    def test_function_with_a_backward_of_its_own(self):
        found = record("""
            import torch
            class Square(torch.autograd.Function):
                @staticmethod
                def forward(ctx, t):
                    u = t * t
                    ctx.save_for_backward(t, u)
                    return u
                @staticmethod
                def backward(ctx, grad):
                    t, u = ctx.saved_tensors
                    return 2 * t * grad
            x = torch.tensor([3.0], requires_grad=True)
            y = Square.apply(x)
            y.backward()
        """)
        saved = [each for each in found.named("t", "bind") if found.line(each) == 10]
        self.assertEqual(found.reads(saved[0]), [("t", 4)])
        self.assertEqual(found.values(found.named("return")[1]), [6.0])
        self.assertEqual({name for name, _ in found.reads(found.named("return")[1])}, {"t", "grad"})

    def test_nothing_changes_for_autograd(self):
        self.assertSame("""
            import copy, io, pickle, torch, warnings
            x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
            y = x * 2
            z = y.sum()
            z.backward()
            try:
                z.backward()
            except RuntimeError as error:
                print(str(error))
            print(y.grad is None, x.grad, y._version, x.is_leaf, x.grad.stride())
            v = torch.zeros(3, requires_grad=True)
            try:
                v += 1
            except RuntimeError as error:
                print(error)
            torch.save(x, io.BytesIO())
            print(len(copy.deepcopy(x)), pickle.loads(pickle.dumps(x)).sum().item())
            a = x.exp()
            b = a * 2
            a += 1
            try:
                b.sum().backward()
            except RuntimeError as error:
                print(error)
            (g,) = torch.autograd.grad((x ** 3).sum(), x, create_graph=True)
            g.sum().backward()
            print(x.grad)
            with torch.inference_mode():
                w = x * 2
                w += 1
            s, m = torch.eye(3).to_sparse(), torch.empty(3, device="meta")
            c = torch.complex(x, x).conj()
            h = x.detach().bfloat16()
            print(s, m.shape, c, h)
            print(torch.jit.trace(lambda t: (t * 2).relu(), x).graph)
        """)

    assertSame = lambda self, *given, **options: assert_same(self, *given, **options)  # noqa: E731


def assert_same(test, source, *args, **options):
    """A program prints and exits as if it were not recorded. Gives the recording."""
    program = Program(source, *args, **options)
    plain = program.plain()
    recorded, recording = program.recorded()
    test.assertEqual(recorded, plain)
    return recording


class Undisturbed(unittest.TestCase):
    def same(self, source, *args, **options):
        return assert_same(self, source, *args, **options)

    def test_namespaces_and_introspection(self):
        self.same('''
            """About."""
            from __future__ import annotations
            import inspect, sys
            print(sorted(globals()), __doc__, __name__, __file__, sys.argv, sys.path[0], __spec__, __builtins__)
            def f(q, *s, t, **u):
                "Doc."
                w = 3
                print(locals())
                return locals()
            v = f(1, 3, t=4, z=5)
            class K:
                __priv = 2
                def m(self): return __class__, self.__priv, super().__repr__ is not None
                print(sorted(locals()))
            print(K().m(), inspect.getsource(f), f.__code__.co_varnames, f.__doc__, inspect.signature(f))
            print(f"{v=} {(lambda z: z + 1)(2)!r:>4}", [k for k in dir() if not k.startswith("__")])
        ''', "--flag", "a b")  # fmt: skip

    def test_exceptions_point_at_the_same_lines(self):
        found = self.same("""
            import numpy as np
            def f(x):
                y = (x @
                     np.ones((3, 3)))
                return g(y)[0] / (
                    0)
            def g(y):
                try:
                    z = {}["k"]
                except KeyError as error:
                    raise ValueError("bad") from error
            class A:
                def __init__(self): self.x = f(np.ones((2, 3)))
            q = [A() for _ in range(2)]
        """)
        exception = found.header["exit"]["exception"]
        self.assertEqual((exception["type"], exception["file"], exception["line"]), ("ValueError", "program.py", 11))

    def test_exits(self):
        source = "import atexit, sys\natexit.register(print, 'bye')\nx = 1.5\nsys.exit(eval(sys.argv[1]))\n"
        for code in ("None", "3", "300", "'said'", "(1, 2)"):
            self.assertEqual(len(self.same(source, code).events), 1)
        self.assertEqual(self.same("import os\nx = 1.5\nos._exit(7)\n").header["exit"]["code"], 7)
        self.assertEqual(len(self.same("x = 1.5\nraise KeyboardInterrupt\n").events), 1)
        self.assertEqual(len(self.same("import os, signal\nx = 1.5\nos.kill(os.getpid(), signal.SIGTERM)\n").events), 1)

    def test_forks_and_threads(self):
        found = self.same("""
            import os, threading
            x = 1.5
            pid = os.fork()
            if pid == 0:
                y = 2.5
                print("child", flush=True)
                os._exit(3)
            print(os.waitpid(pid, 0)[1], flush=True)
            def work(n):
                for i in range(3):
                    total = float(n * i)
                return total
            threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
            for each in threads: each.start()
            for each in threads: each.join()
            threading.Thread(target=lambda: print(undefined)).start()
        """)
        self.assertEqual((len(found.named("y")), len(found.named("total"))), (0, 9))

    def test_other_builtins_and_modules_that_are_gone(self):
        self.same("""
            import builtins, sys
            import numpy as np
            p, x = print, np.arange(6.0)
            print = None
            def len(a): return -1
            builtins.len = lambda a: 0
            for name in ("isinstance", "getattr", "id", "type", "list", "dict", "tuple", "range", "sorted"):
                setattr(builtins, name, None)
            for name in ("json", "os", "struct", "weakref", "threading", "numpy"):
                sys.modules.pop(name, None)
            y = x * 2
            y += 1
            p(y)
        """)

    def test_what_is_no_utf8_or_no_python(self):
        self.same(b'# -*- coding: latin-1 -*-\ns = "gr\xfc\xdfe"\nprint(ascii(s)); 1/0\n')
        self.same(b'x = "gr\xfc"\n')
        found = self.same("x = 1\nif x\n    y = 2\n")
        exception = found.header["exit"]["exception"]
        self.assertEqual((exception["type"], exception["line"]), ("SyntaxError", 2))
        self.same("import gone_module\n")
        self.same("import helper\n", helper="x = (\n")
        self.same("# only a comment\n")
        self.same("")

    def test_a_file_of_10000_lines(self):
        lines = [f"y{at} = {at} * 0.5" if at % 3 else f"def f{at}(a, b={at}):\n    return a + b" for at in range(7500)]
        self.same("\n".join([*lines, "print(y7498, f3(1))", "1 / 0"]))

    def test_compiled_functions_are_left_alone(self):
        found = self.same("""
            import sys, types
            numba = types.ModuleType("numba")
            numba.njit = lambda f: (print(f.__code__.co_consts), f)[1]
            sys.modules["numba"] = numba
            from numba import njit
            @njit
            def kernel(x):
                y = x * 2.0
                return y
            z = kernel(3.0)
        """)
        (note,) = found.header["notes"]
        self.assertEqual((note["kind"], note["line"]), ("jit", 7))
        self.assertIn("numba.njit", note["message"])
        self.assertEqual([each["name"] for each in found.events], ["z"])


def programs():
    """(folder, file, arguments) of whole programs: the project's, and of those beside it one of each file."""
    found = []
    beside = ROOT.parent / "shared" / "lines-cases"
    if (beside / "cases.json").exists():
        cases = json.loads((beside / "cases.json").read_text())
        if not os.environ.get("ATTENTION_ALL"):
            cases = {case["file"]: case for case in cases}.values()
        found += [(beside / case["name"], case["file"], case["args"]) for case in cases]
    own = ROOT / "test" / "lines" / "corpus"
    if (own / "mistakes.json").exists():
        for program in json.loads((own / "mistakes.json").read_text())["programs"]:
            folder = own / "programs" / program["name"]
            for setup in folder.glob("*.attention.json"):
                file = setup.name.replace(".attention.json", ".py")
                if (folder / file).exists():
                    found.append((folder, file, program["args"]))
    return found


def without_times(result):
    code, stdout, stderr = result
    return code, stdout, re.sub(rb" in [0-9.]+s", b"", stderr)


@unittest.skipUnless(programs(), "neither ../shared/lines-cases nor test/lines/corpus is there")
class WholePrograms(unittest.TestCase):
    def test_print_and_exit_as_if_unrecorded(self):
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:

            def both(program):
                place, file, args = program
                out = pathlib.Path(folder) / f"{place.name}.recording"
                plain = run([sys.executable, file, *args], place)
                recorded = run([sys.executable, RECORDER, "--record", out, file, "--", *args], place)
                return place.name, plain, recorded, Recording(out)

            for name, plain, recorded, recording in pool.map(both, programs()):
                with self.subTest(name):
                    self.assertEqual(without_times(recorded), without_times(plain))
                    self.assertEqual(recording.header["notes"], [])
                    computed = [each for each in recording.events if each["how"] in ("bind", "update", "return")]
                    blind = [each for each in computed if not each["reads"] and self.reads_tensors(recording, each)]
                    self.assertEqual([(recording.line(each), each["name"]) for each in blind], [])

    def reads_tensors(self, recording, event):
        """Whether a name that the statement reads was a tensor before."""
        loads = set(recording.statements[event["statement"]]["loads"])
        earlier = recording.events[: event["id"]]
        return any(each["name"] in loads and each["shape"] and each["frame"] == event["frame"] for each in earlier)


class Notebooks(unittest.TestCase):
    def test_cells_in_order_in_one_process(self):
        cells = [
            {"cell_type": "markdown", "source": "# Attention"},
            {"cell_type": "code", "source": ["%matplotlib inline\n", "import numpy as np\n", "!ls\n", "x = np.ones(2)"]},
            {"cell_type": "code", "source": "%%bash\nexit 3"},
            {"cell_type": "code", "source": "def f(t):\n    u = t * 2\n    return u\ny = f(x)\nfiles = !ls\ny"},
            {"cell_type": "code", "source": "import asyncio\nawait asyncio.sleep(0)\nz = y + x\n1 / 0"},
        ]
        source = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        (code, _, stderr), found = Program(source, name="book.ipynb").recorded()
        self.assertEqual((code, stderr.decode().splitlines()[-1]), (1, "ZeroDivisionError: division by zero"))
        placed = [(found.statements[each["statement"]]["cell"], found.line(each), each["name"]) for each in found.events]
        self.assertEqual(placed, [(1, 4, "x"), (3, 1, "t"), (3, 2, "u"), (3, 3, "return"), (3, 4, "y"), (4, 3, "z")])
        self.assertEqual(found.reads(found.named("z")[0]), [("y", 4), ("t", 1)])
        magics = [(each["cell"], each["line"]) for each in found.header["notes"] if each["kind"] == "magic"]
        self.assertEqual(magics, [(1, 1), (1, 3), (2, 1), (3, 5)])
        exception = found.header["exit"]["exception"]
        self.assertEqual((exception["file"], exception["cell"], exception["line"]), ("book.ipynb", 4, 4))
        self.assertEqual([(each["cell"], each["firstLine"]) for each in found.header["cells"]],
                         [(1, 1), (2, 5), (3, 7), (4, 13)])  # fmt: skip


if __name__ == "__main__":
    unittest.main()
