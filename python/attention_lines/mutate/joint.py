"""Mutations that change several things together: two names exchanged, sizes with the axes that follow them, both operands."""
import ast
import itertools
from typing import Dict, Iterator, List, Optional, Tuple

from .calls import name_of, subject
from .mutation import Mutation, Site, broadcasts
from .scope import Ingredient, Scope
from .source import ATOM, PRODUCT, SUM, Edit, Source

_COMPARED = ('<', '<=', '>', '>=')
MOST_OPERANDS = 9
MOST_COMPARED = 6


def exchanged(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """Two names of one kind that the statement reads, each where the other stands."""
    if isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.FunctionDef, ast.ClassDef)):
        return
    places: Dict[str, List[ast.expr]] = {}
    for node in ast.walk(statement):
        is_read = isinstance(getattr(node, 'ctx', None), ast.Load)
        if is_read and isinstance(node, (ast.Name, ast.Attribute)) and not isinstance(source.parents.get(node), ast.Attribute):
            parent = source.parents.get(node)
            if not (isinstance(parent, ast.Call) and parent.func is node):
                places.setdefault(source.of(node), []).append(node)
    for one, other in itertools.combinations(places, 2):
        a, b = scope.known_text(one), scope.known_text(other)
        is_like = a.sort == b.sort != 'other' and (a.shape == b.shape or len(a.shape) == len(b.shape) and a.sort == 'tensor')
        if is_like and (a.sort != 'number' or a.value != b.value or {one, other} & scope.counters):
            edits = [Edit(*source.span(n), other) for n in places[one]] + [Edit(*source.span(n), one) for n in places[other]]
            yield Mutation(tuple(sorted(edits)), 1.15, 'order')


def sized(site: Site) -> Iterator[Mutation]:
    """Two sizes of a reshape exchanged, with the axes that the call around it names; or without that call."""
    node, source = site.node, site.source
    inner = _reshaped(site)
    if inner is None:
        return
    sizes = list(inner.args[0].elts) if len(inner.args) == 1 and isinstance(inner.args[0], (ast.Tuple, ast.List)) else list(inner.args)
    if isinstance(inner.func, ast.Attribute) and source.of(inner.func.value) in (site.scope.numpy, site.scope.torch):
        return
    starred = [k for k, each in enumerate(sizes) if isinstance(each, ast.Starred)]
    if len(sizes) < 2 or len(sizes) > 6:
        return
    numbers = _axis_numbers(site, inner)
    start, end = source.span(node)
    for i, j in itertools.combinations([k for k in range(len(sizes)) if k not in starred], 2):
        if source.of(sizes[i]) == source.of(sizes[j]):
            continue
        swap = (Edit(*source.span(sizes[i]), source.of(sizes[j])), Edit(*source.span(sizes[j]), source.of(sizes[i])))
        if numbers and not starred:
            turned = {i: j, j: i}
            moved = []
            for each, value in numbers:
                to = turned.get(value % len(sizes), value % len(sizes))
                if to != value % len(sizes):
                    text = str(to - len(sizes) if value < 0 else to)
                    moved.append(Edit(*source.span(each), text))
            if moved:
                yield Mutation(tuple(sorted(swap + tuple(moved))), 1.25, 'layout')
        if end > source.span(inner)[1]:
            text = source.apply(tuple(sorted(swap)), start, source.span(inner)[1])
            yield site.put(text, 1.35, 'layout')


def _reshaped(site: Site) -> Optional[ast.Call]:
    """The reshape that `site` is a chain of attributes and calls upon."""
    node: ast.AST = site.node
    depth = 0
    while depth < 6:
        if isinstance(node, ast.Call) and name_of(node) in ('reshape', 'view') and isinstance(node.func, ast.Attribute):
            return node if node is not site.node else None
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            node = node.value
        else:
            return None
        depth += 1
    return None


def _axis_numbers(site: Site, inner: ast.Call) -> List[Tuple[ast.expr, int]]:
    """The axes that the one call upon the reshape names."""
    node = site.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.value is not inner:
        return []
    if name_of(node) in ('reshape', 'view'):
        return []
    found: List[Tuple[ast.expr, int]] = []
    for place in list(node.args) + [k.value for k in node.keywords if k.arg in ('axis', 'dim', 'axes', 'dims', 'dim0', 'dim1')]:
        for each in place.elts if isinstance(place, (ast.Tuple, ast.List)) else [place]:
            value = _literal(each)
            if value is None:
                return []
            found.append((each, value))
    return found


def _literal(node: ast.expr) -> Optional[int]:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def operands(site: Site) -> Iterator[Mutation]:
    """Both operands are other tensors that are in scope."""
    node, known = site.node, site.known
    if not isinstance(node, ast.BinOp) or known.sort not in ('tensor', 'flag') or not known.shape:
        return
    sign = {ast.Add: '+', ast.Sub: '-', ast.Mult: '*'}.get(type(node.op))
    if sign is None or isinstance(node.left, ast.Constant) or isinstance(node.right, ast.Constant):
        return
    near = [e for e in site.scope.tensors() if ' ' not in e.text and broadcasts(e.known.shape, known.shape)][:MOST_OPERANDS]
    left, right = site.source.of(node.left), site.source.of(node.right)
    tight = PRODUCT if sign == '*' else SUM
    for one, other in itertools.permutations(near, 2):
        if {one.text, other.text} & {left, right} or _joined(one.known.shape, other.known.shape) != known.shape:
            continue
        yield site.put('%s %s %s' % (_at(one, tight), sign, _at(other, tight + 1)), 1.5 + one.distance + other.distance, 'operand')


def _at(each: Ingredient, tight: int) -> str:
    return each.text if each.binds >= tight else '(%s)' % each.text


def _joined(one: Tuple[int, ...], other: Tuple[int, ...]) -> Optional[Tuple[int, ...]]:
    """The shape that two broadcast to."""
    result = []
    for a, b in itertools.zip_longest(reversed(one), reversed(other), fillvalue=1):
        if a != b and 1 not in (a, b):
            return None
        result.append(max(a, b))
    return tuple(reversed(result))


def compared(site: Site) -> Iterator[Mutation]:
    """Another comparison of what the statement compares: both of its sides may be other ones."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or site.known.sort != 'flag':
        return
    texts: List[str] = []
    for each in ast.walk(site.scope.statement):
        if isinstance(each, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(each.ctx, ast.Load):
            text, known = source.of(each), site.scope.known(each)
            if known.sort == 'tensor' and broadcasts(known.shape, site.known.shape) and text not in texts:
                texts.append(text)
    own = (source.of(node.left), source.of(node.comparators[0]))
    for one, other in itertools.permutations(texts[:MOST_COMPARED], 2):
        if (one, other) != own:
            for sign in _COMPARED:
                yield site.put('%s %s %s' % (one, sign, other), 1.5, 'comparison')


def weighted(site: Site) -> Iterator[Mutation]:
    """A mean, or a plain sum, that is weighted by a tensor of the same shape."""
    node, source = site.node, site.source
    if name_of(node) not in ('mean', 'sum', 'average') or not isinstance(node, ast.Call):
        return
    inner = subject(site)
    if inner is None:
        return
    known = site.scope.known(inner)
    if known.sort != 'tensor' or not known.shape:
        return
    text = source.of(inner)
    whole, (start, end) = source.text, source.span(inner)
    outer = source.span(node)
    as_method = start == outer[0]
    tail = whole[end : outer[1]].replace('.mean(', '.sum(', 1) if as_method else whole[end : outer[1]]
    head = '' if as_method else whole[outer[0] : start].replace('mean(', 'sum(').replace('average(', 'sum(')
    for each in site.scope.tensors()[:30]:
        if each.known.shape != known.shape or each.text == text:
            continue
        product = '%s * %s' % (_at(each, PRODUCT), source.grouped(inner, PRODUCT + 1))
        if len(known.shape) == 1:
            yield site.put('%s @ %s' % (_at(each, PRODUCT), source.grouped(inner, PRODUCT + 1)), 1.4 + each.distance, 'factor')
        yield site.put('(%s)%s' % (product, tail) if as_method else head + product + tail, 1.45 + each.distance, 'factor')


def whole(site: Site) -> Iterator[Mutation]:
    """A sum over an axis too of which one entry was taken: `a.sum(axis=(0, 1))` for `a[0].sum(axis=0)`."""
    node, source = site.node, site.source
    if name_of(node) not in ('sum', 'mean') or not isinstance(node, ast.Call):
        return
    inner = subject(site)
    if not isinstance(inner, ast.Subscript):
        return
    index = inner.slice
    index = index.value if type(index).__name__ == 'Index' else index  # type: ignore[attr-defined]
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    at = len(parts) - 1
    is_entry = isinstance(parts[-1], (ast.Name, ast.Constant, ast.UnaryOp)) and site.scope.known(parts[-1]).sort == 'number'
    if not is_entry or not all(isinstance(p, ast.Slice) and not (p.lower or p.upper) for p in parts[:-1]):
        return
    places = [k.value for k in node.keywords if k.arg in ('axis', 'dim')] or [a for a in node.args if a is not inner][:1]
    axes = [_literal(e) for p in places for e in (p.elts if isinstance(p, (ast.Tuple, ast.List)) else [p])]
    own = (Edit(source.span(inner.value)[1], source.span(inner)[1], ''),)
    if not places:
        yield Mutation(own, 1.1, 'sum')
    elif all(each is not None for each in axes):
        rank = len(site.scope.known(inner).shape)
        moved = sorted({at} | {n + (n >= at) for n in (each % max(rank, 1) for each in axes)})  # type: ignore[operator]
        yield Mutation(own + (Edit(*source.span(places[0]), '(%s)' % ', '.join(map(str, moved))),), 1.2, 'sum')


def contracted(site: Site) -> Iterator[Mutation]:
    """The gradient of a matrix: a product of two tensors over all their axes but the last ones."""
    shape, scope = site.known.shape, site.scope
    if site.known.sort != 'tensor' or len(shape) != 2 or not isinstance(site.node, (ast.BinOp, ast.Call)):
        return
    deep = [e for e in scope.tensors() if len(e.known.shape) > 2 and ' ' not in e.text][:MOST_DEEP]
    for one, other in itertools.permutations(deep, 2):
        a, b = one.known.shape, other.known.shape
        if a[:-1] == b[:-1] and (a[-1], b[-1]) == shape:
            yield site.put(_contraction(site, one.text, other.text, len(a) - 1), 1.7 + one.distance + other.distance, 'sum')


MOST_DEEP = 10


def _contraction(site: Site, one: str, other: str, rank: int) -> str:
    numpy, torch, text = site.scope.numpy, site.scope.torch, site.source.text
    letters = 'bthn'[:rank]
    axes = '(%s)' % ', '.join(map(str, range(rank)))
    if numpy and 'tensordot(' in text:
        return '%s.tensordot(%s, %s, axes=(%s, %s))' % (numpy, one, other, axes, axes)
    if 'einsum(' in text:
        return '%s.einsum("%si,%sj->ij", %s, %s)' % (torch or numpy, letters, letters, one, other)
    return '%s.reshape(-1, %s.shape[-1]).T @ %s.reshape(-1, %s.shape[-1])' % (one, one, other, other)


EXPRESSIONS = (contracted, whole, sized, operands, compared, weighted)
STATEMENTS = (exchanged,)
