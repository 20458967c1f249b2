"""Edits that give a program other numbers, and other sizes: what a fix has to stand as well."""

from __future__ import annotations

import ast
import itertools
import os
import re
from typing import Any, Dict, Iterator, List, Tuple

from . import loaded
from .launch import run_until, text_of
from .source import Edit, Source

_SEEDING = frozenset(("seed", "manual_seed", "default_rng", "RandomState", "PRNGKey", "key", "Generator", "set_seed"))
LARGEST = 96
"""A constant above it is taken for something else than a size."""


def variations(request: Dict[str, Any]) -> Dict[str, Any]:
    """
    `seeds`: edits (or arguments) of which each gives other random numbers, or other data where none are drawn; `sizes`: edits, each of
    which makes one number that may be a size another one, or one of the sizes of what is loaded, which `loaded` of the request gives.
    """
    file = request["file"]
    name = os.path.basename(file)
    source = Source(text_of(request, name))
    args = list(request.get("args", []))
    # What is drawn may be nothing that counts, where the data are loaded.
    seeds = [made for vary in (lambda k: _seeds(source, name, args, k), lambda k: _data(source, name, k)) for made in map(vary, (1, 2)) if made]
    # Where data are loaded a constant alone seldom fits them.
    sizes = itertools.chain(_resized(source, name, request.get("loaded", [])), _sizes(source, name, args))
    return {"seeds": seeds, "sizes": list(sizes)}


def _plain(source: Source, node: ast.AST, text: str) -> List[Any]:
    start, end = source.span(node)
    return [start, end, text]


def _seeds(source: Source, name: str, args: List[str], k: int) -> Dict[str, Any]:
    edits = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) in _SEEDING:
            for value in node.args[:1] + [each.value for each in node.keywords if each.arg == "seed"]:
                if _whole(value):
                    edits.append(_plain(source, value, str(value.value + 101 * k)))
        elif isinstance(node, ast.Assign) and _whole(node.value) and all(_named_seed(t) for t in node.targets):
            edits.append(_plain(source, node.value, str(node.value.value + 101 * k)))
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)):
            edits += [_plain(source, value, str(value.value + 101 * k)) for _, value in _defaults(node, "seed")]
        elif isinstance(node, ast.keyword) and node.arg == "seed" and _whole(node.value):
            edits.append(_plain(source, node.value, str(node.value.value + 101 * k)))
        elif isinstance(node, ast.keyword) and _is_option(source, node) and _whole(node.value):
            if "seed" in source.of(source.parents[node].args[0]):
                edits.append(_plain(source, node.value, str(node.value.value + 101 * k)))
        elif isinstance(node, ast.AnnAssign) and _named_seed(node.target) and node.value and _whole(node.value):
            edits.append(_plain(source, node.value, str(node.value.value + 101 * k)))
    made: Dict[str, Any] = {"edits": {name: _once(edits)}} if edits else {}
    for at, word in enumerate(args[:-1]):
        if "seed" in word and args[at + 1].lstrip("-").isdigit():
            made["args"] = args[: at + 1] + [str(int(args[at + 1]) + 101 * k)] + args[at + 2 :]
    return made


def _data(source: Source, name: str, k: int) -> Dict[str, Any]:
    """Other numbers where they are loaded, written down or computed from indices: a wave is added."""
    edits = [each for place in _places(source) for each in _wrapped(source, place, "shifted", ", %d" % k)]
    return {"edits": {name: edits}} if edits else {}


def _places(source: Source) -> List[ast.AST]:
    """Expressions that are data: what is loaded, wherever it is, and what is written down outside of functions."""
    places: List[ast.AST] = [n for n in ast.walk(source.tree) if isinstance(n, ast.Call) and _called(n) in _LOADING]
    for node in _outside(source.tree):
        if not isinstance(node, ast.Assign) or not all(isinstance(each, ast.Name) for each in node.targets):
            continue
        inside = [n for n in ast.walk(node.value) if isinstance(n, ast.Call)]
        if any(_is_data(n) for n in inside) and not any(n in places for n in inside):
            places.append(node.value)
    return places


def _wrapped(source: Source, node: ast.AST, function: str, more: str = "") -> List[List[Any]]:
    """Edits that hand the value of `node` through a function of `loaded`."""
    start, end = source.span(node)
    call = "__import__('%s', fromlist=['%s']).%s(" % (loaded.MODULE, function, function)
    return [[start, start, call], [end, end, "%s)" % more]]


def loaded_sizes(request: Dict[str, Any]) -> List[int]:
    """The sizes of the program's data, for `variations`: it is run for that."""
    name = os.path.basename(request["file"])
    source = Source(text_of(request, name))
    places = _places(source)
    if not places:
        return []
    edits = tuple(Edit(*each) for place in places for each in _wrapped(source, place, "noted"))
    texts = {**request.get("sources", {}), name: source.apply(edits)}
    nowhere = {"file": name, "line": 0}

    def run() -> None:
        try:
            run_until({**request, "sources": texts, "place": nowhere}, lambda *_: None)
        except Exception:  # noqa: BLE001 - what was loaded until then is known
            pass

    return [size for size in loaded.sizes_of(run) if 2 <= size <= LARGEST]


def _resized(source: Source, name: str, sizes: List[int]) -> Iterator[Dict[str, Any]]:
    """One size of all that is loaded after the other, alone and with the constants that are the same number."""
    places = _places(source)
    constants = _constants(source)
    for was in sizes:
        equal = [n for n in constants if n.value == was]
        # Fewer first: what hides keys stays what it is then.
        for now in [n for n in (was - 1, was // 2, was * 2, was + 1) if n > 1 and n != was]:
            edits = [each for place in places for each in _wrapped(source, place, "resized", ", %d, %d" % (was, now))]
            yield {"at": "loaded %d" % was, "edits": {name: edits}}
            if equal:
                both = edits + [_plain(source, n, str(now)) for n in equal]
                yield {"at": "loaded %d" % was, "edits": {name: sorted(both)}}


_LOADING = frozenset(("load", "loadtxt", "genfromtxt", "fromfile", "load_file", "loads"))


def _is_data(node: ast.Call) -> bool:
    """Whether a call reads a file, or makes a tensor of numbers that are written down or counted."""
    called = _called(node)
    if called in _LOADING or called == "linspace":
        return True
    return called in ("array", "tensor", "asarray", "as_tensor") and any(
        isinstance(n, ast.Constant) and isinstance(n.value, float) for n in ast.walk(node)
    )


def _once(edits: List[List[Any]]) -> List[List[Any]]:
    found: Dict[Tuple[int, int], List[Any]] = {}
    for each in edits:
        found.setdefault((each[0], each[1]), each)
    return sorted(found.values())


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _whole(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool)


def _is_option(source: Source, keyword: ast.keyword) -> bool:
    """Whether it is what an option of the command line is where it is left out."""
    call = source.parents.get(keyword)
    return keyword.arg == "default" and isinstance(call, ast.Call) and _called(call) == "add_argument" and bool(call.args)


def _named_seed(target: ast.AST) -> bool:
    return isinstance(target, ast.Name) and "seed" in target.id.lower()


def _defaults(function: Any, word: str) -> Iterator[Tuple[str, ast.Constant]]:
    names = [each.arg for each in function.args.args][-len(function.args.defaults) or len(function.args.args) :]
    pairs = list(zip(names, function.args.defaults)) + [
        (each.arg, value) for each, value in zip(function.args.kwonlyargs, function.args.kw_defaults) if value
    ]
    for name, value in pairs:
        if word in name and _whole(value):
            yield name, value


def _sizes(source: Source, name: str, args: List[str]) -> Iterator[Dict[str, Any]]:
    """One size after the other: constants outside of functions, defaults, keyword arguments, and words of `args`."""
    nodes = _constants(source)
    done: set = set()
    for node in nodes:
        if node in done:
            continue
        # The same shape once more has the same size there; a size that is written anew everywhere is all equal numbers.
        alike = [n for n in nodes if n is node or _shape_of(source, n) == _shape_of(source, node) is not None]
        done.update(alike)
        equal = [n for n in nodes if n.value == node.value]
        at = "%d" % source.span(node)[0]
        # Twice first: a number of heads has to divide a width.
        named = {"names": sorted({_name_of(source, n) for n in equal} - {""})}
        for other in (node.value * 2, node.value + 1, node.value + 2):
            yield {**named, "at": at, "edits": {name: [_plain(source, n, str(other)) for n in alike]}}
        if len(equal) > len(alike):
            for other in (node.value * 2, node.value + 1):
                yield {**named, "at": at, "edits": {name: [_plain(source, n, str(other)) for n in equal]}}
    for at, word in enumerate(args):
        if word.isdigit() and 2 <= int(word) <= LARGEST and not (at and "seed" in args[at - 1]):
            for other in (int(word) + 1, int(word) * 2):
                yield {"at": "arg%d" % at, "args": args[:at] + [str(other)] + args[at + 1 :]}


def _constants(source: Source) -> List[Any]:
    """Whole numbers that may be sizes."""
    options = [n.value for n in ast.walk(source.tree) if isinstance(n, ast.keyword) and _is_option(source, n)]
    every = dict.fromkeys(itertools.chain(_outside(source.tree), options))
    return [
        n for n in every if _whole(n) and (2 <= n.value <= LARGEST or n.value == 1 and _is_count(source, n)) and _may_be_size(source, n)
    ]


_COUNTS = re.compile(r"b|bs|bsz|h|(n|num)?_?(batch|batches|batch_size|head|heads)", re.IGNORECASE)


def _is_count(source: Source, node: ast.AST) -> bool:
    """Whether a 1 is how many sequences or heads there are, by the name that it is given."""
    return _COUNTS.fullmatch(_name_of(source, node)) is not None


def _name_of(source: Source, node: ast.AST) -> str:
    """The name that a constant is given, "" where it has none."""
    parent, target = source.parents.get(node), None
    if isinstance(parent, ast.Assign):
        target = parent.targets[0]
    elif isinstance(parent, ast.AnnAssign):
        target = parent.target
    elif isinstance(parent, ast.Tuple):
        owner = source.parents.get(parent)
        if isinstance(owner, ast.Assign) and isinstance(owner.targets[0], ast.Tuple) and len(owner.targets[0].elts) == len(parent.elts):
            target = owner.targets[0].elts[parent.elts.index(node)]
    elif isinstance(parent, ast.arguments):
        places = [*parent.args[len(parent.args) - len(parent.defaults) :], *parent.kwonlyargs]
        values = [*parent.defaults, *parent.kw_defaults]
        return places[values.index(node)].arg
    elif isinstance(parent, ast.keyword):
        if _is_option(source, parent):
            return str(getattr(source.parents[parent].args[0], "value", "")).lstrip("-").replace("-", "_")
        return parent.arg or ""
    return target.id if isinstance(target, ast.Name) else ""


def _shape_of(source: Source, node: ast.AST) -> Any:
    """The numbers that `node` is one of, and its place among them; None where it stands alone."""
    parent = source.parents.get(node)
    parts = parent.args if isinstance(parent, ast.Call) else getattr(parent, "elts", None)
    if not parts or len(parts) < 2 or not all(isinstance(part, (ast.Constant, ast.Name)) for part in parts):
        return None
    return [source.of(part) for part in parts], parts.index(node)


def _outside(tree: ast.Module) -> Iterator[Any]:
    """
    Nodes of the module's own statements and of what classes bind in their bodies; of functions the defaults and, of a
    `main` or a test, the body.
    """
    stack: List[ast.AST] = list(tree.body)[::-1]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.ClassDef):
            stack += [each for each in node.body if isinstance(each, (ast.Assign, ast.AnnAssign))][::-1]
            continue
        if isinstance(node, ast.FunctionDef):
            driver = node.name.lstrip("_").startswith(_DRIVERS)
            stack += [each for each in node.args.defaults + node.args.kw_defaults if each is not None][::-1]
            if driver:
                stack += node.body[::-1]
            continue
        yield node
        stack += list(ast.iter_child_nodes(node))[::-1]


_DRIVERS = ("main", "demo", "run", "setup", "test", "make", "check", "build", "train", "example", "parse", "init", "sample")


def _may_be_size(source: Source, node: ast.AST) -> bool:
    """Not an index, an axis, an exponent, a seed, or a factor."""
    parent = source.parents.get(node)
    if isinstance(parent, ast.keyword):
        owner = source.parents.get(parent)
        if _is_option(source, parent):
            return "seed" not in source.of(owner.args[0])
        if parent.arg == "dim" and isinstance(owner, ast.Call) and _called(owner)[:1].isupper():
            return True
        return parent.arg not in ("axis", "dim", "seed", "k", "diagonal", "decimals", "ddof", "ord", "random_state", "precision", "linewidth", "edgeitems")
    if isinstance(parent, ast.Call):
        return _called(parent) not in _SEEDING | {"round", "pow", "power", "transpose", "permute", "swapaxes", "sum", "mean", "print"}
    if isinstance(parent, (ast.Assign, ast.AnnAssign)):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        return not any(_named_seed(target) for target in targets)
    if isinstance(parent, (ast.Tuple, ast.List)):
        owner = source.parents.get(parent)
        if isinstance(owner, ast.Assign):
            place = parent.elts.index(node)
            target = owner.targets[0]
            names = target.elts if isinstance(target, ast.Tuple) else []
            return not (place < len(names) and _named_seed(names[place]))
        if isinstance(owner, ast.keyword):
            return owner.arg in ("size", "shape")
        return isinstance(owner, ast.Call) and _called(owner) not in {"transpose", "permute", "sum", "mean", "moveaxis"}
    return False
