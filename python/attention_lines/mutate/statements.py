"""Mutations of a whole statement: = and +=, what is returned or unpacked, its place, and a statement that is missing."""
import ast
import itertools
import re
from typing import Dict, Iterator, List, Optional, Set, Tuple

from .expressions import fitting
from .mutation import Mutation
from .scope import Scope
from .source import Edit, Source
from .steps import lacking

_AUGMENTED = {ast.Add: '+=', ast.Sub: '-=', ast.Mult: '*=', ast.Div: '/=', ast.MatMult: '@='}


def assignment(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """`=` for `+=` and the other way about, and other operators with `=`."""
    if isinstance(statement, ast.AugAssign):
        own = _AUGMENTED.get(type(statement.op))
        end = source.span(statement.target)[1]
        value = source.span(statement.value)[0]
        at = source.text.index(own, end, value) if own else -1
        if at < 0:
            return
        for other in ['='] + [o for o in ('+=', '-=', '*=', '/=') if o != own]:
            yield Mutation((Edit(at, at + len(own), other),), 1.0, 'assignment')
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and not isinstance(statement.targets[0], ast.Tuple):
        end = source.span(statement.targets[0])[1]
        at = source.text.index('=', end)
        for other in ('+=', '-=', '*='):
            yield Mutation((Edit(at, at + 1, other),), 1.0, 'assignment')


def accumulated(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """`f(..., out=x)` adds to what x holds."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return
    outs = [each for each in call.keywords if each.arg == 'out']
    if len(outs) != 1 or len(call.keywords) > 1 or not call.args:
        return
    given = source.text[source.span(call)[0] : source.span(call.args[-1])[1]] + ')'
    module, into = source.of(call.func).partition('.')[0], source.of(outs[0].value)
    if module in (scope.numpy, scope.torch):
        for name in ('add', 'subtract' if module == scope.numpy else 'sub'):
            text = '%s.%s(%s, %s, out=%s)' % (module, name, into, given, into)
            yield Mutation((Edit(*source.span(call), text),), 1.3, 'assignment')


def order(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """What is returned, unpacked or given several names, in another order."""
    groups: List[List[ast.expr]] = []
    for node in ast.walk(statement):
        if isinstance(node, (ast.Tuple, ast.List)) and 2 <= len(node.elts) <= MOST_ELEMENTS:
            groups.append(node.elts)
        elif isinstance(node, ast.Dict) and 2 <= len(node.values) <= MOST_ELEMENTS:
            groups.append(node.values)
        elif isinstance(node, ast.Call) and 2 <= len(node.keywords) <= MOST_ELEMENTS:
            groups.append([each.value for each in node.keywords])
    for elements in groups:
        texts = [source.of(e) for e in elements]
        if any(isinstance(e, ast.Starred) for e in elements):
            continue
        orders = itertools.permutations(range(len(texts))) if len(texts) <= 4 else _swaps(len(texts))
        for permuted in orders:
            moved = [k for k, p in enumerate(permuted) if p != k]
            if moved:
                edits = tuple(Edit(*source.span(elements[k]), texts[permuted[k]]) for k in moved)
                yield Mutation(edits, 1.0 + 0.1 * len(moved), 'order')


def entries(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """Entries of a dictionary in another order, each with its key: what takes its values in turn finds others."""
    for node in ast.walk(statement):
        spans: List[Tuple[int, int]] = []
        if isinstance(node, ast.Dict) and all(node.keys):
            spans = [(source.span(key)[0], source.span(value)[1]) for key, value in zip(node.keys, node.values)]  # type: ignore[arg-type]
        elif isinstance(node, ast.Call) and getattr(node.func, 'id', '') in ('dict', 'OrderedDict') and all(k.arg for k in node.keywords):
            spans = [(source.text.rindex(str(k.arg), 0, source.span(k.value)[0]), source.span(k.value)[1]) for k in node.keywords]
        for (a, b), (c, d) in itertools.combinations(spans[:MOST_ELEMENTS], 2):
            yield Mutation((Edit(a, b, source.text[c:d]), Edit(c, d, source.text[a:b])), 1.25, 'order')


MOST_ELEMENTS = 12


def _swaps(count: int) -> Iterator[Tuple[int, ...]]:
    for a, b in itertools.combinations(range(count), 2):
        new = list(range(count))
        new[a], new[b] = b, a
        yield tuple(new)


def target(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """Another name gets the result."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, 'target', None)]
    for each in targets:
        if isinstance(each, (ast.Name, ast.Subscript)):
            node = each if isinstance(each, ast.Name) else each.value
            shape = scope.known_text(source.of(node)).shape
            for other in scope.tensors():
                if other.known.shape == shape and other.text != source.of(node):
                    yield Mutation((Edit(*source.span(node), other.text),), 1.5, 'target', isinstance(each, ast.Subscript))
        if isinstance(each, ast.Subscript):
            yield from _target_index(source, scope, each)
            yield from _index_elsewhere(source, scope, each)


def _target_index(source: Source, scope: Scope, each: ast.Subscript) -> Iterator[Mutation]:
    index = each.slice
    index = index.value if type(index).__name__ == 'Index' else index
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    for part in parts:
        names = [n for n in ast.walk(part) if isinstance(n, ast.Name)]
        for name in names:
            for other in scope.numbers()[:20]:
                if isinstance(other.known.value, int) and other.text != name.id:
                    yield Mutation((Edit(*source.span(name), other.text),), 1.2, 'index')
    for one, other in itertools.combinations(parts, 2):
        if source.of(one) != source.of(other):
            edits = (Edit(*source.span(one), source.of(other)), Edit(*source.span(other), source.of(one)))
            yield Mutation(edits, 1.2, 'index')


def _index_elsewhere(source: Source, scope: Scope, each: ast.Subscript) -> Iterator[Mutation]:
    """The index that stands at the same axis elsewhere in the function."""
    own = _indices(each)
    seen = set()
    for node in ast.walk(source.function_of(scope.statement)):
        others = _indices(node) if isinstance(node, ast.Subscript) and node is not each else []
        if len(others) != len(own):
            continue
        for part, other in zip(own, others):
            text = source.of(other) if not isinstance(other, ast.Slice) else ''
            if text and text != source.of(part) and (part, text) not in seen and not isinstance(part, ast.Slice):
                seen.add((part, text))
                yield Mutation((Edit(*source.span(part), text),), 1.3, 'index')


def _indices(each: ast.Subscript) -> List[ast.expr]:
    index = each.slice
    index = index.value if type(index).__name__ == 'Index' else index  # type: ignore[attr-defined]
    return list(index.elts) if isinstance(index, ast.Tuple) else [index]


def place(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """The statement left out, moved over its neighbours, into the loop before it or out of its own."""
    # What is set to zero elsewhere no number shows where it stands.
    soon = SOON if _is_reset(statement) else 2.0
    start, end = _lines(source, statement)
    whole = source.text[start:end]
    block = source.block_of(statement)
    at = block.index(statement) if statement in block else 0
    if len(block) > 1:
        yield Mutation((Edit(start, end, ''),), min(1.2, soon), 'superfluous', False)
    for to in range(max(0, at - 4), min(len(block), at + 5)):
        if to == at:
            continue
        other = block[to]
        where = _lines(source, other)[0 if to < at else 1]
        crossed = block[to:at] if to < at else block[at + 1 : to + 1]
        # What is changed in place too soon, or read too late, is the likelier to stand in the wrong place.
        first = SOON if any(_disturbs(statement, each) or _disturbs(each, statement) for each in crossed) else 1.2
        yield Mutation((Edit(start, end, ''), Edit(where, where, whole)), first + 0.01 * abs(to - at), 'moved', False)
        for text in _renamed(source, scope, statement, other, to < at):
            moved = source.text[start : source.span(statement)[0]] + text + source.text[source.span(statement)[1] : end]
            yield Mutation((Edit(start, end, ''), Edit(where, where, moved)), 1.4 + 0.1 * abs(to - at), 'moved', False)
    parent = source.parents.get(statement)
    if isinstance(parent, (ast.For, ast.While, ast.If, ast.With)):
        outer = source.indent(parent.lineno)
        inner = source.indent(statement.lineno)
        moved = '\n'.join(outer + line[len(inner):] if line.startswith(inner) else line for line in whole.split('\n'))
        first, last = _lines(source, parent)
        if len(block) > 1:
            for where in (first, last):
                yield Mutation((Edit(start, end, ''), Edit(where, where, moved)), min(1.4, soon), 'moved', False)
    for neighbour, into in ((at - 1, -1), (at + 1, 0)):
        if 0 <= neighbour < len(block) and isinstance(block[neighbour], (ast.For, ast.While)):
            loop = block[neighbour]
            inside = loop.body[into]  # type: ignore[attr-defined]
            inner, outer = source.indent(inside.lineno), source.indent(statement.lineno)
            moved = '\n'.join(inner + line[len(outer):] if line.strip() else line for line in whole.split('\n'))
            where = _lines(source, inside)[1 if into else 0]
            cost = 1.4 if into else min(1.4, soon)
            yield Mutation((Edit(start, end, ''), Edit(where, where, moved)), cost, 'moved', False)


SOON = 0.9
_EMPTY = frozenset('zeros zeros_like empty empty_like full full_like new_zeros list dict float int'.split())


def _is_reset(statement: ast.stmt) -> bool:
    """Whether it gives names what a sum or a list begins with."""
    if not isinstance(statement, ast.Assign):
        return False
    values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
    return all(_is_empty(value) for value in values)


def _is_empty(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, 'id', '')
        return name in _EMPTY
    if isinstance(value, (ast.List, ast.Dict)):
        return not (value.elts if isinstance(value, ast.List) else value.values)
    value = value.operand if isinstance(value, ast.UnaryOp) else value
    return isinstance(value, ast.Constant) and isinstance(value.value, (int, float))


def _renamed(source: Source, scope: Scope, statement: ast.stmt, other: ast.stmt, is_before: bool) -> Iterator[str]:
    """`a = f(a)` behind `b = g(a)` as `b = f(b)`; and `b = f(b)` before it as `a = f(a)`."""
    own, its = _bound(statement), _bound(other)
    if own is None or its is None or own not in _reads(statement):
        return
    for name in sorted(_reads(other)) if is_before else [its]:
        if name == own or is_before and scope.known_text(name).sort != 'tensor':
            continue
        edits = [Edit(*source.span(n), name) for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == own]
        yield source.apply(tuple(edits), *source.span(statement))


def _disturbs(one: ast.stmt, other: ast.stmt) -> bool:
    """Whether `one` changes in place a name that `other` reads."""
    place: ast.AST = one.target if isinstance(one, ast.AugAssign) else one
    while isinstance(place, (ast.Subscript, ast.Attribute)):
        place = place.value
    return isinstance(one, ast.AugAssign) and isinstance(place, ast.Name) and place.id in _reads(other)


def _reads(statement: ast.stmt) -> Set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _bound(statement: ast.stmt) -> Optional[str]:
    """The one name that a statement binds."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
    return target.id if isinstance(target, ast.Name) else None


def _lines(source: Source, statement: ast.stmt) -> Tuple[int, int]:
    """The characters of the whole lines that `statement` stands on."""
    end = statement.end_lineno or statement.lineno
    return source.line_start(statement.lineno), source.line_start(end + 1)


def unguarded(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """Out of a `with torch.no_grad()` that cuts the graph."""
    parent = source.parents.get(statement)
    if isinstance(parent, ast.With) and 'no_grad' in source.text[source.span(parent)[0] : source.span(parent.body[0])[0]]:
        outer, inner = source.indent(parent.lineno), source.indent(parent.body[0].lineno)
        first, last = _lines(source, parent)
        body = source.text[source.line_start(parent.body[0].lineno) : last]
        text = '\n'.join(outer + line[len(inner):] if line.startswith(inner) else line for line in body.split('\n'))
        yield Mutation((Edit(first, last, text),), 0.9, 'detach', False)


def missing(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """A statement that should stand behind this one, or before it."""
    indent = source.indent(statement.lineno)
    first, last = _lines(source, statement)
    newline = '' if source.text[:last].endswith('\n') else '\n'

    def after(text: str, cost: float, slip: str) -> Mutation:
        return Mutation((Edit(last, last, '%s%s%s\n' % (newline, indent, text)),), cost, slip)

    def before(text: str, cost: float, slip: str) -> Mutation:
        return Mutation((Edit(first, first, '%s%s\n' % (indent, text)),), cost, slip)

    for name, shape in _assigned(source, scope, statement):
        yield from (after('%s %s %s' % (name, op, text), cost, 'missing') for op, text, cost in _changes(source, scope, name, shape))
    for text, cost, slip in lacking(source, scope, statement):
        yield after(text, cost, slip)
    for name, shape in _assigned(source, scope, statement):
        for early, text in _row_terms(source, scope, name, shape):
            yield (before if early else after)('%s -= %s' % (name, text), 2.4, 'row term')
        for text, cost in _products(scope, shape):
            yield after('%s += %s' % (name, text), cost, 'path')
    written = _written(source, statement)
    for name in written:
        zero = '%s[...] = 0' % name
        yield before(zero, 2.0, 'not zeroed')
        if scope.torch:
            yield before('%s.zero_()' % name, 2.1, 'not zeroed')
    function = source.function_of(statement)
    for other in ast.walk(function):
        if isinstance(other, (ast.Assign, ast.AugAssign)) and (other is not statement or isinstance(other, ast.AugAssign)) and abs(other.lineno - statement.lineno) < 12:
            yield from _like(source, scope, other, after)


def _assigned(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Tuple[str, Tuple[int, ...]]]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, 'target', None)]
    for each in targets:
        for part in each.elts if isinstance(each, ast.Tuple) else [each]:
            if isinstance(part, (ast.Name, ast.Subscript, ast.Attribute)):
                known = scope.known_text(source.of(part))
                if known.sort == 'tensor':
                    yield source.of(part), known.shape


def _changes(source: Source, scope: Scope, name: str, shape: Tuple[int, ...]) -> Iterator[Tuple[str, str, float]]:
    root = next((m + '.sqrt' for m in ('np', 'math', 'torch') if m + '.sqrt' in source.text), '')
    for each in scope.numbers()[:24]:
        if float(each.known.value) in (0.0, 1.0):
            continue
        for op in ('*=', '/='):
            yield op, each.text, 2.0 + each.distance
            if root and root != 'torch.sqrt' and float(each.known.value) > 1:
                yield op, '%s(%s)' % (root, each.text), 2.2 + each.distance
    for each in scope.tensors() + scope.tensors('flag'):
        if each.text == name:
            continue
        for text in fitting(each, shape):
            for op in ('+=', '-=', '*='):
                yield op, text, 2.0 + each.distance


def _row_terms(source: Source, scope: Scope, name: str, shape: Tuple[int, ...]) -> Iterator[Tuple[bool, str]]:
    """What the softmax's gradient takes off, before it is multiplied by the weights (the first) or after."""
    if len(shape) < 2:
        return
    torch = scope.torch is not None and (scope.numpy is None or 'keepdim=' in source.text)
    end = '.sum(dim=-1, keepdim=True)' if torch else '.sum(axis=-1, keepdims=True)'
    for each in [e for e in scope.tensors() if e.known.shape == shape and e.text != name][:10]:
        yield True, '(%s * %s)%s' % (name, each.text, end)
        yield False, '%s * %s%s' % (each.text, name, end)


MOST_FACTORS, MOST_PRODUCTS = 60, 250


def _products(scope: Scope, shape: Tuple[int, ...]) -> List[Tuple[str, float]]:
    """Products of two tensors in scope that have this shape, the nearest first: a path into an accumulator that is missing."""
    return sorted(_all_products(scope, shape), key=lambda each: each[1])[:MOST_PRODUCTS]


def _all_products(scope: Scope, shape: Tuple[int, ...]) -> Iterator[Tuple[str, float]]:
    near = [each for each in scope.tensors() if ' ' not in each.text and '(' not in each.text][:MOST_FACTORS]
    numbers = [e for e in scope.numbers() if not isinstance(e.known.value, int)][:12]
    for one, other in itertools.product(near, near):
        cost = 2.6 + one.distance + other.distance
        a, b = one.known.shape, other.known.shape
        if one.text < other.text and len(a) == len(b) and a == b == shape:
            yield '%s * %s' % (one.text, other.text), cost
        if len(a) == 2 and len(b) == 2 and len(shape) == 2:
            for left, first in ((one.text, a), ('%s.T' % one.text, a[::-1])):
                for right, second in ((other.text, b), ('%s.T' % other.text, b[::-1])):
                    if first[1] == second[0] and (first[0], second[1]) == shape:
                        yield '%s @ %s' % (left, right), cost + 0.1
        elif len(a) == 2 and len(b) == 1 and a == shape + b:
            yield '%s @ %s' % (one.text, other.text), cost
        elif len(a) == 1 and len(b) == 2 and b == a + shape:
            yield '%s @ %s' % (one.text, other.text), cost
        elif len(a) > 2 and len(b) in (2, len(a)) and len(shape) == len(a) and a[-1] == b[-2] and a[:-1] + b[-1:] == shape:
            yield '%s @ %s' % (one.text, other.text), cost
        elif len(a) > 2 and len(b) in (2, len(a)) and len(shape) == len(a) and a[-1] == b[-1] and a[:-1] + b[-2:-1] == shape:
            turned = '%s.T' % other.text if len(b) == 2 else '%s.swapaxes(-1, -2)' % other.text
            yield '%s @ %s' % (one.text, turned), cost + 0.1
    for tensor in near:
        if tensor.known.shape == shape:
            for factor in numbers:
                yield '%s * %s' % (factor.text, tensor.text), 2.6 + tensor.distance + factor.distance


def path(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """A product of two tensors in scope that the sum lacks: a path of the gradient that is missing."""
    value = getattr(statement, 'value', None)
    if not isinstance(value, ast.expr):
        return
    known = scope.known(value)
    if known.sort == 'tensor':
        end = source.span(value)[1]
        for text, cost in _products(scope, known.shape):
            yield Mutation((Edit(end, end, ' + %s' % text),), cost - 0.2, 'path')


def everywhere(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """One name or number that stands in several places, replaced in all of them."""
    if isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.FunctionDef, ast.ClassDef)):
        return
    places: Dict[str, List[ast.expr]] = {}
    for node in ast.walk(statement):
        if isinstance(node, (ast.Name, ast.Attribute, ast.Constant)) and not isinstance(getattr(node, 'value', None), str):
            places.setdefault(source.of(node), []).append(node)
    yield from _bounds(source, scope, statement)
    for text, nodes in places.items():
        if len(nodes) < 2 or any(isinstance(source.parents.get(n), ast.JoinedStr) for n in nodes):
            continue
        for other, cost in _others(scope, nodes[0], text):
            yield Mutation(tuple(source.replaced(n, other) for n in nodes), cost, 'everywhere')


def _bounds(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """One slice that stands in several places, with another bound in all of them."""
    places: Dict[str, List[ast.Slice]] = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Slice) and hasattr(node, 'lineno') and (node.lower or node.upper):
            places.setdefault(source.of(node), []).append(node)
    for text, nodes in places.items():
        if len(nodes) < 2:
            continue
        low, _, high = text.partition(':')
        others = [':'] + ['%s:%s %s' % (low, high, shift) for shift in ('+ 1', '- 1') if high]
        others += ['%s %s:%s' % (low, shift, high) for shift in ('+ 1', '- 1') if low]
        for other in others:
            yield Mutation(tuple(Edit(*source.span(n), other) for n in nodes), 1.3, 'bound')


def _others(scope: Scope, node: ast.expr, text: str) -> Iterator[Tuple[str, float]]:
    known = scope.known(node)
    if known.sort == 'number' and isinstance(known.value, int):
        yield '%s + 1' % text, 1.3
        yield '%s - 1' % text, 1.3
    for each in scope.ingredients:
        if each.text != text and each.known.sort == known.sort and each.known.shape == known.shape:
            yield each.text, 1.2 + each.distance


def alike(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """As a statement beside it computes it, by other names: `dk = turned(dkr)` where `dq = turned(dqr)` stands."""
    own = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
    if not isinstance(own, (ast.Name, ast.Attribute, ast.Subscript)):
        return
    for other in source.block_of(statement):
        if not isinstance(other, ast.Assign) or other is statement or len(other.targets) != 1:
            continue
        text = source.of(other.value)
        if abs(other.lineno - statement.lineno) > NEAR or len(text) > LONGEST_ALIKE:
            continue
        new = _renamed_as(source, text, source.of(other.targets[0]), source.of(own))
        if new is not None and new != source.of(statement.value):
            yield Mutation((source.replaced(statement.value, new),), 1.3, 'alike')


_IDENTIFIER = re.compile(r'[^\W\d]\w*')
NEAR = 8
"""Lines between statements that are alike."""
LONGEST_ALIKE = 120


def _renamed_as(source: Source, text: str, one: str, other: str) -> Optional[str]:
    """`text` with all that is called after what `one` differs in from `other` called after that; None where nothing is."""
    old, new = _difference(one, other)
    if not old or not new:
        return None
    known = set(_IDENTIFIER.findall(source.text))

    def renamed(found: 're.Match[str]') -> str:
        name = found.group().replace(old, new)
        return name if name in known else found.group()

    result = _IDENTIFIER.sub(renamed, text)
    return None if result == text else result


def _difference(one: str, other: str) -> Tuple[str, str]:
    """In what two texts differ, without what is the same at both ends."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]


def _written(source: Source, statement: ast.stmt) -> List[str]:
    names = []
    for node in [statement] + list(ast.walk(statement)):
        target = getattr(node, 'target', None) if isinstance(node, ast.AugAssign) else None
        if target is not None:
            while isinstance(target, ast.Subscript):
                target = target.value
            names.append(source.of(target))
    return sorted(set(names))


def _like(source: Source, scope: Scope, other: ast.stmt, after) -> Iterator[Mutation]:
    """A neighbouring statement once more, with one of its names another."""
    text = source.of(other)
    if '\n' in text:
        return
    base = source.span(other)[0]
    for node in ast.walk(other):
        if isinstance(node, (ast.Name, ast.Attribute)):
            known = scope.known_text(source.of(node))
            if known.sort != 'tensor':
                continue
            start, end = source.span(node)
            for each in scope.tensors()[:30]:
                if each.known.shape == known.shape and each.text != source.of(node):
                    yield after(text[: start - base] + each.text + text[end - base :], 2.4 + each.distance, 'missing')
                    # What belongs to that name is to be another one as well: `dv` and `wv` for `dk` and `wk`.
                    as_whole = _renamed_as(source, text, source.of(node), each.text)
                    if as_whole is not None:
                        yield after(as_whole, 1.6 + each.distance, 'missing')


OPERATORS = (alike, assignment, accumulated, order, entries, target, place, unguarded, everywhere, path, missing)
