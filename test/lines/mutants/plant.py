"""Plants mistakes as a person makes them, one at a time, into a right program, and keeps those that change what it
computes; for mutants.mjs. Independent of python/attention_lines/mutate, whose edits are no measure of what it can mend.

    plant.py FOLDER FILE REFERENCE.safetensors OUT SEED COUNT [ARGS...]

REFERENCE is what `run SETUP --out` wrote. Prints a JSON line for each mistake: { kind, file, lines, before, after, folder }.
"""
import ast
import json
import os
import pickle
import random
import re
import shutil
import signal
import sys
import traceback

import numpy as np

folder, main, reference, out, seed, count, *arguments = sys.argv[1:]
folder, out = os.path.abspath(folder), os.path.abspath(out)
REDUCERS = {"sum", "mean", "max", "amax", "min", "softmax", "argmax", "cumsum", "logsumexp", "flip"}
LEFT = re.compile(r"\b(rng|random|seed|randn?|manual_seed|normal|load|parser|argparse|argv|print|assert|float64)\b")
SECONDS = 20


def tensors():
    """What the reference computes, by node."""
    with open(reference, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    return {k: np.frombuffer(data[slice(*v["data_offsets"])], np.float64) for k, v in header.items()}


def arrays(value, key, found, depth=0):
    """Puts every array in `value`, and every list of arrays as one, into `found`."""
    torch = sys.modules.get("torch")
    if torch and isinstance(value, torch.Tensor):
        if getattr(value, "is_leaf", False) and getattr(value, "grad", None) is not None:
            arrays(value.grad, key + ".grad", found, depth)
        value = value.detach().to("cpu").double().numpy() if value.is_floating_point() else None
    if isinstance(value, (float, np.floating)):
        value = np.array(float(value))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        found[key] = np.array(value, np.float64)
    elif depth < 4 and isinstance(value, (dict, list, tuple)) and len(value) < 200:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        before = len(found)
        for name, each in list(items):
            arrays(each, f"{key}[{name!r}]", found, depth + 1)
        parts = list(found.values())[before:]
        if len(parts) > 1:
            found[key] = np.concatenate([each.ravel() for each in parts])
    elif depth < 4 and type(value).__module__ in own and hasattr(value, "__dict__"):
        for name, each in list(vars(value).items()):
            arrays(each, f"{key}.{name}", found, depth + 1)
        if hasattr(value, "named_parameters"):
            for name, each in value.named_parameters():
                arrays(each, f"{key}.{name}", found, depth + 1)


own = {"__main__", *(name[:-3] for name in os.listdir(folder) if name.endswith(".py"))}


def execute(place):
    """Runs the program in `place`; all arrays that its functions and the module end with."""
    calls = {}

    def trace(frame, event, _):
        if os.path.dirname(frame.f_code.co_filename) != place:
            return None
        frame.f_trace_lines = False

        def leave(frame, event, value):
            if event == "return":
                name = frame.f_code.co_name
                which = f"{name} last" if f"{name} first" in calls else f"{name} first"
                calls[which] = {**frame.f_locals, "return": value}
            return leave

        return leave

    os.chdir(place)
    sys.path.insert(0, place)
    sys.argv = [main, *arguments]
    path = os.path.join(place, main)
    module = {"__name__": "__main__", "__file__": path}
    code = compile(open(path).read(), path, "exec")
    sys.settrace(trace)
    exec(code, module)
    for name in [name for name in module if name.startswith("test")]:
        module[name]()
    sys.settrace(None)
    found = {}
    for name, local in {**calls, "": module}.items():
        for each, value in list(local.items()):
            if not each.startswith("__"):
                arrays(value, f"{name}:{each}", found)
    return found


def run(place):
    """What `execute` gives, of a process of its own; None where it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(SECONDS)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        if not os.environ.get("PLANT_LOUD"):
            os.dup2(null, 2)
        code = 1
        try:
            with open(writing, "wb") as file:
                pickle.dump(execute(place), file, 4)
            code = 0
        except BaseException:
            if os.environ.get("PLANT_LOUD"):
                traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, "rb") as file:
        data = file.read()
    _, status = os.waitpid(child, 0)
    return pickle.loads(data) if status == 0 and data else None


def is_same(one, other, share):
    return one.size == other.size and np.abs(one - other).max(initial=0) <= share * np.abs(other).max(initial=1e-30)


def goals_of(found):
    """Where the program has outputs and gradients of inputs."""
    nodes = tensors()
    inputs = [k for k in nodes if re.fullmatch(r"x|xPrime|[Wb]_[KQVO]", k)]
    inputs += ["K", "Q", "V"] if "x" not in nodes else []
    wanted = [nodes[k] for k in ["y", *("d" + k for k in inputs)] if k in nodes]
    wanted += [np.concatenate([nodes["d" + a] for a in group]) for group in (["W_Q", "W_K", "W_V"], ["b_Q", "b_K", "b_V"]) if all("d" + a in nodes for a in group)]
    wanted = [np.sort(each) for each in wanted if np.abs(each).max(initial=0) > 1e-9]
    return [k for k, v in found.items() if any(is_same(np.sort(v.ravel()), each, 1e-4) for each in wanted)]


class Planter:
    """All edits of one file: (kind, start, end, text, statements whose lines count)."""

    def __init__(self, source, found):
        self.source, self.found, self.edits = source, found, []
        self.starts = [0]
        for line in source.encode().splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        tree = ast.parse(source)
        for node in ast.walk(tree):
            for child in ast.iter_child_nodes(node):
                child.parent = node
        self.strings = {n.slice.value for n in ast.walk(tree) if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Constant) and isinstance(n.slice.value, str)}
        for node in ast.walk(tree):
            if isinstance(getattr(node, "body", None), list):
                self.block(node)

    def span(self, node):
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node):
        start, end = self.span(node)
        found = self.source.encode()[start:end].decode()
        return f"({found})" if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.BoolOp, ast.Lambda)) else found

    def block(self, owner):
        function = owner
        while not isinstance(function, (ast.FunctionDef, ast.Module)) and hasattr(function, "parent"):
            function = function.parent
        name = getattr(function, "name", None)
        self.scope = {}
        for key, value in self.found.items():
            place, _, variable = key.partition(":")
            if variable.isidentifier() and place.split(" ")[0] == (name or ""):
                self.scope[variable] = value
        for body in (owner.body, getattr(owner, "orelse", [])):
            for at, node in enumerate(body):
                if isinstance(node, (ast.For, ast.While, ast.If)):
                    for part in (getattr(node, "iter", None), getattr(node, "test", None)):
                        for each in ast.walk(part) if part else []:
                            self.expression(each, part)
                if not isinstance(node, (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)):
                    continue
                if LEFT.search(self.text(node)) or isinstance(getattr(node, "value", None), ast.Constant):
                    continue
                self.statement(node, body, at, function)
                for each in ast.walk(node):
                    self.expression(each, node)

    def add(self, kind, node, text, *lines):
        self.edits.append((kind, *self.span(node), text, lines))

    def statement(self, node, body, at, function):
        targets = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        targets |= {self.text(n) for n in ast.walk(node) if isinstance(n, (ast.Subscript, ast.Attribute)) and isinstance(n.ctx, ast.Store)}
        users = [n for n in ast.walk(function) if isinstance(n, (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)) and n is not node and any(t in self.text(n) for t in targets)]
        if not isinstance(node, ast.Return):
            self.add("deleted", node, "pass", node, *body[max(0, at - 1) : at + 2], *users)
        if at + 1 < len(body) and isinstance(body[at + 1], (ast.Assign, ast.AugAssign, ast.Expr)) and not isinstance(node, ast.Return):
            other = body[at + 1]
            (start, middle), (then, end) = self.span(node), self.span(other)
            between = self.source.encode()[middle:then].decode()
            text = lambda n: self.source.encode()[slice(*self.span(n))].decode()
            self.edits.append(("moved", start, end, text(other) + between + text(node), (node, other)))
        if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub)):
            sign = "-" if isinstance(node.op, ast.Sub) else ""
            self.add("assigned", node, f"{self.text(node.target)} = {sign}{self.text(node.value)}", node)
            self.add("operator", node, f"{self.text(node.target)} {'-=' if not sign else '+='} {self.text(node.value)}", node)
        if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Tuple):
            for name, value in self.scope.items():
                if value.ndim == 0 and 0.01 < abs(value) < 5 and abs(value) != 1:
                    self.add("scale", node.value, f"{self.text(node.value)} * {name}", node)

    def expression(self, node, at):
        text = self.text
        if isinstance(node, ast.Call):
            self.call(node, at)
        elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
            self.add("transpose", node, text(node.value), at)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in self.scope:
            own = self.scope[node.id]
            for name, value in self.scope.items():
                if name != node.id and value.shape == own.shape and own.ndim > 0 and not is_same(value, own, 1e-6):
                    self.add("operand", node, name, at)
            if own.ndim > 1 and "backward()" in self.source:
                self.add("copy", node, f"{node.id}.detach()", at)
        elif isinstance(node, ast.BinOp):
            self.binary(node, at)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert)):
            if not isinstance(node.operand, ast.Constant):
                self.add("operator", node, text(node.operand), at)
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            swap = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}.get(type(node.ops[0]))
            if swap:
                self.add("mask", node, f"{text(node.left)} {swap} {text(node.comparators[0])}", at)
        elif isinstance(node, ast.Slice):
            for part in (node.lower, node.upper):
                if part is not None:
                    for step in ("+ 1", "- 1"):
                        self.add("slice", part, f"{text(part)} {step}", at)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.string(node, at)
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float) and isinstance(node.parent, (ast.BinOp, ast.Subscript)):
            for value in (node.value + 1, node.value - 1) if type(node.value) is int else (node.value * 2, node.value / 2):
                self.add("constant", node, repr(value), at)

    def string(self, node, at):
        if isinstance(node.parent, ast.Subscript):
            for key in self.strings - {node.value}:
                self.add("operand", node, repr(key), at)
        elif re.fullmatch(r"[A-Za-z. ]+(,[A-Za-z. ]+)*->[A-Za-z. ]*", node.value):
            for n, letter in enumerate(node.value):
                for other in set(re.findall(r"[A-Za-z]", node.value)) - {letter} if letter.isalpha() else ():
                    self.add("einsum", node, repr(node.value[:n] + other + node.value[n + 1 :]), at)
                if node.value[n : n + 2].isalpha() and len(node.value[n : n + 2]) == 2:
                    self.add("einsum", node, repr(node.value[:n] + node.value[n + 1] + letter + node.value[n + 2 :]), at)

    def is_factor(self, node):
        if isinstance(node, ast.Name):
            return node.id not in self.scope or self.scope[node.id].ndim == 0
        return isinstance(node, ast.Constant) or "sqrt" in self.text(node) or isinstance(node, ast.Attribute) and node.attr in ("scale", "d_k")

    def binary(self, node, at):
        left, right = self.text(node.left), self.text(node.right)
        swap = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*"}.get(type(node.op))
        if swap:
            self.add("operator", node, f"({left} {swap} {right})", at)
        if isinstance(node.op, (ast.Add, ast.Sub)):
            self.add("term", node, left, at)
            self.add("term", node, right, at)
        if isinstance(node.op, (ast.Mult, ast.Div)):
            sign = "*" if isinstance(node.op, ast.Mult) else "/"
            is_scale = self.is_factor(node.right)
            self.add("scale" if is_scale else "factor", node, left, at)
            if sign == "*":
                self.add("scale" if self.is_factor(node.left) else "factor", node, right, at)
            if is_scale:
                self.add("scale", node, f"{left} {sign} {right} {sign} {right}", at)
        if isinstance(node.op, ast.MatMult):
            self.add("transpose", node, f"({left}.swapaxes(-1, -2) @ {right})", at)
            self.add("transpose", node, f"({left} @ {right}.swapaxes(-1, -2))", at)
            self.add("operand", node, f"({right} @ {left})", at)
        if isinstance(node.op, ast.Pow):
            self.add("scale", node, left, at)

    def call(self, node, at):
        text, args = self.text, node.args
        of = node.func.value if isinstance(node.func, ast.Attribute) else None
        name = node.func.attr if of is not None else getattr(node.func, "id", "")
        is_module = isinstance(of, ast.Name) and of.id in ("np", "torch", "F", "numpy", "xp", "math")
        first = args[0] if is_module and args else of
        for keyword in node.keywords:
            if keyword.arg in ("axis", "dim") and isinstance(keyword.value, (ast.Constant, ast.UnaryOp)):
                for axis in (-1, -2, 0, 1, 2):
                    self.add("axis", keyword.value, str(axis), at)
            if keyword.arg in ("keepdims", "keepdim"):
                self.add("keepdims", keyword.value, "False", at)
        own = args[1:] if is_module else args
        if name in REDUCERS and own and isinstance(own[0], (ast.Constant, ast.UnaryOp)):
            for axis in (-1, -2, 0, 1, 2):
                self.add("axis", own[0], str(axis), at)
        if name in ("sum", "mean") and of is not None:
            start, end = self.span(node.func)
            self.edits.append(("reduction", end - len(name), end, "mean" if name == "sum" else "sum", (at,)))
        if name in ("transpose", "swapaxes", "permute") and first is not None:
            self.add("transpose", node, text(first), at)
        if name in ("transpose", "permute", "reshape", "view"):
            row = args[-1].elts if args and isinstance(args[-1], ast.Tuple) else own
            for one, two in zip(row, row[1:]):
                (start, middle), (then, end) = self.span(one), self.span(two)
                self.edits.append(("layout", start, end, f"{text(two)}, {text(one)}", (at,)))
        if name == "where" and len(args) == 3:
            self.add("mask", node, text(args[1]), at)
            self.add("mask", node, text(args[2]), at)
        if name == "masked_fill":
            self.add("mask", node, text(first), at)
        if name in ("triu", "tril"):
            word = "k" if text(node.func).startswith("n") else "diagonal"
            for step in (-1, 0, 1):
                row = ", ".join([*(text(each) for each in args[:1] if is_module), f"{word}={step}"])
                self.add("mask", node, f"{text(node.func)}({row})", at)
        if re.search(r"inf|1e9|finfo", text(node)) and name in ("where", "masked_fill"):
            self.add("mask", args[-1], "0.0", at)
        if name in ("copy", "clone", "detach"):
            self.add("copy", node, text(first), at)
        if name in ("sqrt", "exp", "log", "tanh") and args:
            self.add("scale" if name == "sqrt" else "factor", node, text(args[0]), at)
        if len(args) > 1 and name not in ("reshape", "view", "transpose", "permute"):
            for one, two in zip(args, args[1:]):
                (start, middle), (then, end) = self.span(one), self.span(two)
                self.edits.append(("operand", start, end, f"{text(two)}, {text(one)}", (at,)))


def lines_of(statements, source, start, end, text):
    """The lines on which statements of the right program stand in the wrong one."""
    shift = text.count("\n") - source.encode()[start:end].decode().count("\n")
    first = source.encode()[:start].count(b"\n") + 1
    found = set()
    for node in statements:
        last = max(node.lineno, getattr(node.body[0], "lineno", 0) - 1) if isinstance(getattr(node, "body", None), list) else node.end_lineno
        found |= {line + shift if line > first else line for line in range(node.lineno, last + 1)}
    return sorted(found)


def plant():
    modules = [name for name in os.listdir(folder) if name.endswith(".py")]
    if any(re.search(r"^(import|from) torch", open(os.path.join(folder, name)).read(), re.M) for name in modules):
        import torch

        torch.set_num_threads(1)
    right = run(folder)
    goals = goals_of(right) if right else []
    if not goals:
        print(json.dumps({"failed": "its outputs were not found" if right else "does not run"}))
        return
    draw = random.Random(f"{seed} {os.path.basename(folder)}")
    edits = {}
    for name in sorted(modules):
        source = open(os.path.join(folder, name)).read()
        for edit in Planter(source, right).edits:
            edits.setdefault(edit[0], []).append((name, source, edit))
    kept, seen = 0, set()
    while kept < int(count) and edits:
        kind = draw.choice(sorted(edits))
        name, source, (_, start, end, text, statements) = edits[kind].pop(draw.randrange(len(edits[kind])))
        if not edits[kind]:
            del edits[kind]
        wrong = (source.encode()[:start] + text.encode() + source.encode()[end:]).decode()
        lines = lines_of(statements, source, start, end, text)
        if wrong == source or (kind, name, lines[0]) in seen:
            continue
        place = os.path.join(out, f"{os.path.splitext(main)[0]}_{kept}")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns("__pycache__"))
        with open(os.path.join(place, name), "w") as file:
            file.write(wrong)
        found = run(place)
        values = [(found[key], right[key]) for key in goals if key in found] if found else []
        if not values or not all(np.isfinite(one).all() for one, _ in values) or all(is_same(one, other, 1e-3) for one, other in values):
            shutil.rmtree(place)
            continue
        seen.add((kind, name, lines[0]))
        at = source.encode()[:start].count(b"\n")
        row = {"kind": kind, "file": name, "lines": lines, "folder": place}
        row |= {"before": source.split("\n")[at].strip(), "after": wrong.split("\n")[at].strip()}
        print(json.dumps(row), flush=True)
        kept += 1


plant()
