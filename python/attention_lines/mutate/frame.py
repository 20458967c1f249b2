"""Evaluates candidates where the statement runs, in a copy of its frame."""
import ast
import copy
import re
import sys
import textwrap
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from .mutation import Mutation
from .scope import holds_tensors, is_tensor
from .source import Source
from .values import produced

_COMPOUND = (ast.For, ast.While, ast.If, ast.With, ast.FunctionDef, ast.ClassDef, ast.Try)


_PLAIN = (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)
_WORDS = re.compile(r'[^\W\d]\w*')
_KEYWORDS = re.compile(r'\b(dim|axis|keepdims?|k|diagonal|dtype) *=|[<>=!]=')
_ACTS = re.compile(r'=|\n|_\(|\b(append|extend|insert|pop|update|clear|fill|sort|setdefault|put)\(')
"""In the text of an edit: what may change something in place."""


class Code(NamedTuple):
    """Some statements, ready to be run in a copy of a frame."""

    code: Any
    changed: Set[str]
    """Names whose objects they change in place."""
    sources: Dict[str, Set[str]]
    """Of names that they bind, the names whose objects those may then be, or be views of."""
    returns: bool


class Stretch:
    """What is run of the program for one candidate: a statement, or from it to where its effect is to be seen."""

    def __init__(self, source: Source, first: ast.stmt, last: ast.stmt, targets: List[str]):
        """`last` is in the same block, and `first` where nothing behind it counts."""
        self.source, self.first, self.last = source, first, last
        self.is_single = first is last
        self.is_loop = False
        lines = [(each.lineno, each.end_lineno or each.lineno) for each in (first, last)]
        self.start, self.behind, self.end = (
            source.line_start(line) for line in (lines[0][0], lines[0][1] + 1, lines[1][1] + 1)
        )
        self.is_lambda = source.lambda_of(first) is not None
        if self.is_lambda:
            (self.start, self.end), self.behind = source.span(first.value), source.span(first.value)[1]  # type: ignore
        self.names = set(targets)
        self.targets = [compile(text, '<edit>', 'eval') for text in targets]
        self._first: Optional[Code] = None
        self._words: Set[str] = set()
        self._bound: Set[str] = set()
        self._rest: Optional[Code] = None
        self._codes: Dict[Tuple, Optional[List[Code]]] = {}

    def shows(self, mutation: Mutation) -> bool:
        """Whether running it shows what `mutation` does."""
        if self.is_single and not self.is_loop and (isinstance(self.first, _COMPOUND) or not mutation.local):
            return False
        return all(self.start <= edit.start and edit.end <= self.end for edit in mutation.edits)

    def codes(self, edits: Tuple) -> Optional[List[Code]]:
        """What is to be run, edited; None where it is no Python."""
        if edits not in self._codes:
            try:
                self._codes[edits] = self._compiled(edits)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._codes[edits] = None
        return self._codes[edits]

    def _compiled(self, edits: Tuple) -> List[Code]:
        is_whole = self.is_single or any(edit.end > self.behind for edit in edits)
        text = self._text(edits, self.end if is_whole else self.behind)
        first = self._like_first(edits, text) or _code(text)
        if is_whole:
            return [first]
        if self._rest is None:
            self._rest = _code(self.source.apply((), self.behind, self.end))
        return [first, self._rest]

    def _text(self, edits: Tuple, end: int) -> str:
        text = self.source.apply(edits, self.start, end)
        return 'return (%s\n)' % text if self.is_lambda else text

    def _like_first(self, edits: Tuple, text: str) -> Optional[Code]:
        """Of edits that change only what the first statement computes: what it changes in place stays as it is."""
        value = getattr(self.first, 'value', None)
        if not isinstance(self.first, _PLAIN) or value is None:
            return None
        start, end = self.source.span(value)
        if any(edit.start < start or edit.end > end or _ACTS.search(_KEYWORDS.sub('', edit.text)) for edit in edits):
            return None
        if self._first is None:
            self._first = _code(self._text((), self.behind))
            self._words = set(_WORDS.findall(self.source.of(value)))
            self._bound = {n.id for n in ast.walk(self.first) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        text = textwrap.dedent(text)
        if isinstance(self.first, ast.Return):
            text = '__returned__ =' + text[len('return') :]
        names = self._words.union(*(_WORDS.findall(edit.text) for edit in edits))
        sources = {name: names - {name} for name in self._bound}
        return self._first._replace(code=compile(text, '<edit>', 'exec'), sources=sources)


def stretch(source: Source, first: ast.stmt, until: Optional[ast.stmt] = None) -> Stretch:
    """From `first` to `until`, or to the statement of the same block that holds it; `first` alone where there is none."""
    last: ast.AST = first
    if until is not None and until is not first:
        block = source.block_of(first)
        place: Optional[ast.AST] = until
        while place is not None and place not in block:
            place = source.parents.get(place)
        if place is not None and block.index(place) > block.index(first):  # type: ignore[arg-type]
            last = place
    told = first if last is first else until
    return Stretch(source, first, last, targets_of(source, told))  # type: ignore[arg-type]


def loop(source: Source, whole: ast.stmt) -> Stretch:
    """A whole loop, by the arrays that it writes to."""
    names = dict.fromkeys(
        name
        for node in ast.walk(whole)
        if isinstance(node, (ast.Assign, ast.AugAssign))
        for name in _roots(node.targets if isinstance(node, ast.Assign) else [node.target])
    )
    part = Stretch(source, whole, whole, list(names))
    part.is_loop = True
    return part


def run(part: Stretch, edits: Tuple, names: Dict[str, Any]) -> Optional[List[Any]]:
    """What it, edited, leaves in its targets (or returns); None where it fails."""
    if part.is_single and not part.is_loop and isinstance(part.first, _COMPOUND):
        return None
    codes = part.codes(edits)
    if codes is None:
        return None
    space = dict(names)
    for root in _written(codes):
        if root in space:
            space[root] = duplicate(space[root])
    try:
        returned = False
        for code in codes:
            exec(code.code, space)  # the person's own statements, edited
            returned = code.returns
        if returned:
            return produced(space['__returned__'])
        values: List[Any] = []
        for target in part.targets:
            values += produced(eval(target, space))
        return values
    except Exception:  # noqa: BLE001 - a candidate that fails is none
        return None


def _code(text: str) -> Code:
    """Statements whose `return e` gives a name e."""
    tree = ast.parse(textwrap.dedent(text))
    returns = False
    for at, node in enumerate(tree.body):
        if isinstance(node, ast.Return) and node.value is not None:
            name = ast.Name('__returned__', ast.Store())
            tree.body[at] = ast.copy_location(ast.Assign([name], node.value, lineno=node.lineno), node)
            ast.fix_missing_locations(tree)
            del tree.body[at + 1 :]
            returns = True
    return Code(compile(tree, '<edit>', 'exec'), _changed(tree), _sources(tree), returns)


def _written(codes: List[Code]) -> Set[str]:
    """Names whose objects are changed by all of them together, by whatever name: the frame has to keep its own."""
    found = {name for code in codes for name in code.changed}
    waiting = list(found)
    while waiting:
        name = waiting.pop()
        more = {source for code in codes for source in code.sources.get(name, ())} - found
        found |= more
        waiting += more
    return found


def _sources(tree: ast.Module) -> Dict[str, Set[str]]:
    found: Dict[str, Set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, (ast.For, ast.AnnAssign)):
            targets, value = [node.target], node.iter if isinstance(node, ast.For) else node.value
        else:
            continue
        # Arithmetic gives an object of its own.
        if value is None or isinstance(value, (ast.BinOp, ast.Compare, ast.Constant)):
            continue
        names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
        for target in targets:
            for bound in ast.walk(target):
                if isinstance(bound, ast.Name):
                    found.setdefault(bound.id, set()).update(names - {bound.id})
    return found


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
            if is_tensor(part) or isinstance(part, (dict, list)) or holds_tensors(part):
                object.__setattr__(twin, field, duplicate(part, depth - 1))
        return twin
    except Exception:  # noqa: BLE001 - what cannot be copied is shared
        return value
