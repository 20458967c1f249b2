"""Mutations that undo habits of hand-written attention: what is thrown away, bound too late, counted or zeroed elsewhere."""
import ast
from typing import Iterator, List, Optional, Set, Tuple

from .calls import name_of, subject
from .mutation import Mutation, Site
from .scope import PURE, Scope
from .source import ATOM, Edit, Source

CHEAP = 0.9
"""Less than a token that is exchanged: what no number shows where it stands, and is soon tried."""
_CUTS = frozenset('detach data clone copy item numpy'.split())


def jacobian(site: Site) -> Iterator[Mutation]:
    """diag(p) - outer(p, p), the softmax's Jacobian, where a diagonal alone stands."""
    if name_of(site.node) != 'diag' or not isinstance(site.node, ast.Call) or len(site.node.args) != 1:
        return
    call = site.source.of(site.node.func)
    module = call.rpartition('.')[0]
    outer = '%s.outer' % module if module else 'outer'
    seen = set()
    for node in ast.walk(site.node.args[0]):
        text = site.source.of(node) if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) else ''
        if text and text not in seen and len(site.scope.known_text(text).shape) == 1:
            seen.add(text)
            yield site.put('%s(%s) - %s(%s, %s)' % (call, text, outer, text, text), 1.1, 'row term')


def counted_all(site: Site) -> Iterator[Mutation]:
    """All entries for the rows, or for the length of an axis; and the other way about."""
    if site.known.sort != 'number' and not site.lambdas:
        return
    node = site.node
    if isinstance(node, ast.Call) and name_of(node) == 'len' and node.args:
        inner: Optional[ast.expr] = node.args[0]
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == 'shape':
        inner = node.value.value
    elif isinstance(node, ast.Attribute) and node.attr == 'size':
        yield site.put('len(%s)' % site.source.of(node.value), 1.0, 'number')
        return
    elif name_of(node) == 'numel':
        yield site.put('len(%s)' % site.source.of(node.func.value), 1.0, 'number')  # type: ignore[attr-defined]
        return
    else:
        return
    text = site.source.grouped(inner, ATOM)
    torch = site.scope.torch is not None and '.numel()' in site.source.text or site.scope.numpy is None
    yield site.put('%s.numel()' % text if torch else '%s.size' % text, CHEAP if site.lambdas else 1.0, 'number')


def limits(site: Site) -> Iterator[Mutation]:
    """The lowest number of a type, by whatever name."""
    node = site.node
    if isinstance(node, ast.Attribute) and name_of(node.value) == 'finfo':
        owner = site.source.of(node.value)
        parent = site.source.parents.get(node)
        if isinstance(parent, ast.UnaryOp):
            return
        for text in ('%s.min' % owner, '-%s.max' % owner):
            if text != site.text:
                yield site.put(text, 1.0, 'number')


def shifted_diagonal(site: Site) -> Iterator[Mutation]:
    """Of a triangle of more keys than queries the diagonal that ends in the last corner."""
    node = site.node
    if name_of(node) not in ('triu', 'tril', 'tri') or not isinstance(node, ast.Call):
        return
    for rows, columns in _sides(site, node):
        shifts = [k.value for k in node.keywords if k.arg in ('k', 'diagonal')]
        own = subject(site)
        shifts += [a for a in node.args[-1:] if not shifts and a is not own and name_of(node) != 'tri']
        more = '%s - %s' % (columns, rows)
        if shifts:
            was = site.source.of(shifts[0])
            shift = more if was == '0' else '%s + %s' % (more, was) if not was.startswith('-') else '%s - %s' % (more, was[1:])
            yield Mutation((site.source.replaced(shifts[0], shift),), CHEAP, 'bound')
        else:
            end = site.source.span(node)[1]
            word = 'k' if site.source.of(node.func).partition('.')[0] == site.scope.numpy else 'diagonal'
            before = ', ' if node.args else ''
            yield Mutation((Edit(end - 1, end - 1, '%s%s=%s' % (before, word, more)),), CHEAP, 'bound')


def _sides(site: Site, node: ast.Call) -> Iterator[Tuple[str, str]]:
    """How the rows and the columns of what a triangle is cut from are written."""
    made = node if name_of(node) == 'tri' else subject(site)
    if isinstance(made, ast.Call) and name_of(made) in ('ones', 'zeros', 'full', 'tri'):
        sizes: List[ast.expr] = list(made.args)
        if sizes and isinstance(sizes[0], (ast.Tuple, ast.List)):
            sizes = list(sizes[0].elts)
        texts = [site.source.of(each) for each in sizes[-3 if name_of(made) == 'full' else -2 :]][:2]
        if name_of(made) == 'tri':
            texts = [site.source.of(each) for each in made.args[:2]]
        if len(texts) == 2 and texts[0] != texts[1]:
            yield texts[0], texts[1]
    elif made is not None and not isinstance(made, ast.Constant):
        text = site.source.grouped(made, ATOM)
        if len(site.scope.known(made).shape) >= 2:
            yield '%s.shape[-2]' % text, '%s.shape[-1]' % text


def captured(site: Site) -> Iterator[Mutation]:
    """A function that is made in a loop keeps the loop's value of then."""
    node = site.node
    if not isinstance(node, ast.Lambda):
        return
    looped: Set[str] = set()
    place: Optional[ast.AST] = site.source.parents.get(node)
    while place is not None and not isinstance(place, (ast.FunctionDef, ast.AsyncFunctionDef)):
        targets = [g.target for g in getattr(place, 'generators', [])]
        if isinstance(place, (ast.For, ast.While)):
            # What its statements bind is another one after the next iteration, too.
            targets.append(place)
        looped |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        place = site.source.parents.get(place)
    own = {each.arg for each in node.args.args}
    free = {n.id for n in ast.walk(node.body) if isinstance(n, ast.Name)} - own
    names = sorted(looped & free)
    if not names or node.args.vararg or node.args.kwarg:
        return
    kept = ', '.join('%s=%s' % (name, name) for name in names)
    if node.args.args:
        end = max(site.source.span(each)[1] for each in list(node.args.args) + list(node.args.defaults))
        yield Mutation((Edit(end, end, ', ' + kept),), CHEAP, 'argument', False, True)
    else:
        at = site.source.span(node)[0] + len('lambda')
        yield Mutation((Edit(at, at, ' ' + kept),), CHEAP, 'argument', False, True)


def logarithm(site: Site) -> Iterator[Mutation]:
    """Plus the logarithm of a sum that is in scope: what a row's log-sum-exp is beside its maximum."""
    shape = site.known.shape
    if site.known.sort != 'tensor' or not shape or not isinstance(site.node, (ast.Name, ast.Attribute, ast.Subscript)):
        return
    module = site.scope.torch if site.scope.torch and site.scope.numpy is None else site.scope.numpy or site.scope.torch
    if 'exp' not in site.source.text or not module:
        return
    names = ['log2', 'log'] if 'exp2(' in site.source.text else ['log']
    for each in [e for e in site.scope.tensors() if e.known.shape == shape and e.text != site.text][:8]:
        for name in names:
            yield site.put('%s + %s.%s(%s)' % (site.text, module, name, each.text), 1.5 + each.distance, 'term')


def uncut(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """All calls that cut the graph, or copy, taken off at once."""
    places = [
        node
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CUTS and not node.args
    ]
    for name in sorted({node.func.attr for node in places}):  # type: ignore[attr-defined]
        edits = tuple(
            Edit(source.span(node.func.value)[1], source.span(node)[1], '')  # type: ignore[attr-defined]
            for node in places
            if node.func.attr == name  # type: ignore[attr-defined]
        )
        if len(edits) > 1:
            yield Mutation(edits, 0.85, 'drop')


def discarded(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """A result that is thrown away goes into what it was computed from; `_` is one of the names that were handed in."""
    for other in _near(source, statement):
        if isinstance(other, ast.Expr) and isinstance(other.value, ast.Call) and isinstance(other.value.func, ast.Attribute):
            owner, name = other.value.func.value, other.value.func.attr
            start = source.span(other)[0]
            if name in PURE and isinstance(owner, ast.Name) and scope.known_text(owner.id).sort in ('tensor', 'object', 'flag', 'other'):
                held: Optional[str] = owner.id
                if owner.id in (scope.numpy, scope.torch):
                    first = other.value.args[0] if other.value.args else None
                    held = first.id if isinstance(first, ast.Name) else None
                if held:
                    yield Mutation((Edit(start, start, '%s = ' % held),), CHEAP, 'assignment', False)
        if isinstance(other, ast.Assign) and isinstance(other.targets[0], ast.Tuple) and isinstance(other.value, ast.Call):
            bound = {source.of(each) for each in other.targets[0].elts}
            given = [a.id for a in other.value.args if isinstance(a, ast.Name) and a.id not in bound]
            for each in other.targets[0].elts:
                if isinstance(each, ast.Name) and each.id.startswith('_'):
                    for name in given:
                        yield Mutation((Edit(*source.span(each), name),), CHEAP, 'target', False)


def _near(source: Source, statement: ast.stmt, lines: int = 6) -> List[ast.stmt]:
    function = source.function_of(statement)
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, (ast.Expr, ast.Assign)) and abs(node.lineno - statement.lineno) <= lines
    ]


def zeroed(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """All that a function adds to and does not make itself set to zero where it begins."""
    function = source.function_of(statement)
    if function is source.tree:
        return
    own: Set[str] = set()
    added: List[Tuple[int, str]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not isinstance(source.parents.get(node), ast.AugAssign):
            own.add(node.id)
        if isinstance(node, ast.Call) and name_of(node) != 'add':
            own |= {source.of(k.value) for k in node.keywords if k.arg == 'out'}
        name = _added_to(source, node)
        if name and name not in [known for _, known in added]:
            added.append((node.lineno, name))  # type: ignore[attr-defined]
    names = [name for _, name in sorted(added) if name.partition('[')[0] not in own and scope.known_text(name).sort == 'tensor']
    if not names:
        return
    body = function.body  # type: ignore[attr-defined]
    first = body[1] if len(body) > 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else body[0]
    at, indent = source.line_start(first.lineno), source.indent(first.lineno)
    torch = scope.torch is not None and scope.numpy is None
    lines = ''.join('%s%s\n' % (indent, '%s.zero_()' % name if torch else '%s.fill(0)' % name) for name in names)
    yield Mutation((Edit(at, at, lines),), CHEAP if len(names) > 1 else 1.9, 'not zeroed', False)


def _added_to(source: Source, node: ast.AST) -> Optional[str]:
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        target: ast.AST = node.target
        while isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Constant):
            target = target.value
        return source.of(target)
    if isinstance(node, ast.Call) and name_of(node) == 'add' and node.args:
        outs = [source.of(k.value) for k in node.keywords if k.arg == 'out']
        if outs and outs[0] == source.of(node.args[0]):
            return outs[0]
    return None


def zero_grad(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """The gradients set to zero once before what adds them up, or before each step."""
    if scope.torch is None:
        return
    for other in ast.walk(source.tree):
        if not isinstance(other, ast.Expr) or name_of(other.value) != 'zero_grad':
            continue
        start, end = source.line_start(other.lineno), source.line_start((other.end_lineno or other.lineno) + 1)
        whole = source.text[start:end].strip()
        parent = source.parents.get(other)
        if isinstance(parent, (ast.For, ast.While)) and len(parent.body) > 1:
            at = source.line_start(parent.lineno)
            moved = Edit(at, at, '%s%s\n' % (source.indent(parent.lineno), whole))
            yield Mutation((moved, Edit(start, end, '')), CHEAP, 'moved', False)
            continue
        block = source.block_of(other)
        behind = block[block.index(other) + 1 :] if other in block else []
        loop = next((each for each in behind if isinstance(each, (ast.For, ast.While))), None)
        if loop is not None:
            first = loop.body[0]
            at = source.line_start(first.lineno)
            moved = Edit(at, at, '%s%s\n' % (source.indent(first.lineno), whole))
            yield Mutation((Edit(start, end, ''), moved), CHEAP, 'moved', False)


EXPRESSIONS = (jacobian, counted_all, limits, shifted_diagonal, captured, logarithm)
STATEMENTS = (uncut, discarded, zeroed, zero_grad)
