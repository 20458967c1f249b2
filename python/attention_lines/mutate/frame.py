"""Evaluates candidates where the statement runs, in a copy of its frame."""
import ast
import copy
import sys
import textwrap
from typing import Any, Dict, List, Optional, Set, Tuple

from .mutation import Mutation
from .scope import is_tensor
from .source import Source
from .values import produced

_COMPOUND = (ast.For, ast.While, ast.If, ast.With, ast.FunctionDef, ast.ClassDef, ast.Try)


def not_alone(statement: ast.stmt, mutation: Mutation) -> bool:
    """Whether only a run of the whole program shows what `mutation` does."""
    return not mutation.local or isinstance(statement, _COMPOUND)


def run(source: Source, statement: ast.stmt, edits: Tuple, names: Dict[str, Any]) -> Optional[List[Any]]:
    """What the statement, edited, leaves in its targets (or returns); None where it fails."""
    code = _code(source, statement, edits)
    if code is None:
        return None
    tree, targets = code
    space = _copied(names, tree)
    try:
        exec(compile(tree, '<edit>', 'exec'), space)  # the person's own statement, edited
        values: List[Any] = []
        for text in targets:
            values += produced(eval(compile(text, '<edit>', 'eval'), space))
        return values
    except Exception:  # noqa: BLE001 - a candidate that fails is none
        return None


def _code(source: Source, statement: ast.stmt, edits: Tuple) -> Optional[Tuple[ast.Module, List[str]]]:
    """The edited statement as a module, and the texts of what it leaves."""
    if isinstance(statement, _COMPOUND):
        return None
    start = source.line_start(statement.lineno)
    end = source.line_start((statement.end_lineno or statement.lineno) + 1)
    if any(e.start < start or e.end > end for e in edits):
        return None
    text = textwrap.dedent(source.apply(edits, start, end))
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    return tree, _returning(tree, targets_of(source, statement))


def _returning(tree: ast.Module, targets: List[str]) -> List[str]:
    """Turns `return e` into a name that gets e."""
    for at, node in enumerate(tree.body):
        if isinstance(node, ast.Return) and node.value is not None:
            name = ast.Name('__returned__', ast.Store())
            tree.body[at] = ast.copy_location(ast.Assign([name], node.value, lineno=node.lineno), node)
            ast.fix_missing_locations(tree)
            return ['__returned__']
    return targets


def targets_of(source: Source, statement: ast.stmt) -> List[str]:
    """The texts of what `statement` binds or changes."""
    if isinstance(statement, ast.Assign):
        texts = []
        for target in statement.targets:
            texts += [source.of(e) for e in target.elts] if isinstance(target, (ast.Tuple, ast.List)) else [source.of(target)]
        return texts + _roots(statement.targets)
    if isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        return [source.of(statement.target)] + _roots([statement.target])
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        outs = [source.of(k.value) for k in call.keywords if k.arg == 'out']
        if outs:
            return outs
        if isinstance(call.func, ast.Attribute):
            return [source.of(call.func.value)] + [source.of(a) for a in call.args[-1:] if call.func.attr in ('append', 'extend')]
    return []


def _roots(targets: List[ast.expr]) -> List[str]:
    """The names of the arrays that elements are written to."""
    names = []
    for target in targets:
        place: ast.AST = target
        while isinstance(place, ast.Subscript):
            place = place.value
        if place is not target and isinstance(place, ast.Name):
            names.append(place.id)
    return names


def _copied(names: Dict[str, Any], tree: ast.Module) -> Dict[str, Any]:
    """The frame's names, those that the statement changes in place as copies."""
    space = dict(names)
    for root in _changed(tree):
        if root in space:
            space[root] = duplicate(space[root])
    return space


def _changed(tree: ast.Module) -> Set[str]:
    roots: Set[str] = set()
    for node in ast.walk(tree):
        places: List[ast.AST] = []
        if isinstance(node, ast.Assign):
            places = list(node.targets)
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            places = [node.target]
        elif isinstance(node, ast.Call):
            places = [k.value for k in node.keywords if k.arg == 'out']
            if isinstance(node.func, ast.Attribute) and (node.func.attr.endswith('_') or node.func.attr in _MUTATORS):
                places.append(node.func.value)
        for place in places:
            for part in place.elts if isinstance(place, (ast.Tuple, ast.List)) else [place]:
                while isinstance(part, (ast.Subscript, ast.Attribute, ast.Starred)):
                    part = part.value
                if isinstance(part, ast.Name):
                    roots.add(part.id)
    return roots


_MUTATORS = frozenset('append extend insert pop update clear fill sort setdefault put'.split())


def duplicate(value: Any, depth: int = 2) -> Any:
    """A copy of tensors and of what holds them."""
    if is_tensor(value):
        torch = sys.modules.get('torch')
        return value.detach().clone() if torch is not None and isinstance(value, torch.Tensor) else value.copy()
    if depth == 0:
        return value
    if isinstance(value, dict):
        return {key: duplicate(part, depth - 1) for key, part in value.items()}
    if isinstance(value, list):
        return [duplicate(part, depth - 1) for part in value]
    if type(value).__module__ in ('builtins', 'numpy') or callable(value):
        return value
    try:
        twin = copy.copy(value)
        for field, part in list(vars(value).items()):
            if is_tensor(part) or isinstance(part, (dict, list)):
                object.__setattr__(twin, field, duplicate(part, depth - 1))
        return twin
    except Exception:  # noqa: BLE001 - what cannot be copied is shared
        return value
