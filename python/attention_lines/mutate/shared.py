"""Mutations of what is shared or chosen beforehand: changes in place, views, defaults, branches, the order of a list."""
import ast
import types
from typing import Any, Iterator, List, Tuple

from .calls import name_of
from .mutation import Mutation, Site
from .scope import Scope
from .source import ATOM, PRODUCT, SUM, Edit, Source

SOON = 0.88
"""Less than a token that is exchanged: no number shows it where it stands."""
_METHODS = {'mul_': ('*', PRODUCT), 'add_': ('+', SUM), 'sub_': ('-', SUM), 'div_': ('/', PRODUCT)}


def anew(site: Site) -> Iterator[Mutation]:
    """A method that changes its tensor in place, without that."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not name_of(node).endswith('_'):
        return
    name, owner = node.func.attr, node.func.value
    if isinstance(source.parents.get(node), ast.Expr) or name.startswith('_'):
        return
    if name in _METHODS and len(node.args) == 1 and not node.keywords:
        sign, tight = _METHODS[name]
        text = '%s %s %s' % (source.grouped(owner, tight), sign, source.grouped(node.args[0], tight + 1))
        yield site.put(text, SOON, 'copy')._replace(local=False)
    else:
        end = source.span(node.func)[1]
        yield Mutation((Edit(end - 1, end, ''),), SOON, 'copy', False)


def unshared(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """`a = a / b` for `a /= b`, which changes what a is a view of; a copy for a second name."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, (ast.Name, ast.Attribute)):
        known = scope.known_text(source.of(statement.target))
        end, start = source.span(statement.target)[1], source.span(statement.value)[0]
        sign = source.text[end:start].strip()
        if known.sort == 'tensor' and known.shape and sign.endswith('='):
            tight = (PRODUCT if sign[:-1] in ('*', '/', '@') else SUM) + 1
            text = ' = %s %s %s' % (source.of(statement.target), sign[:-1], source.grouped(statement.value, tight))
            yield Mutation((Edit(end, source.span(statement.value)[1], text),), SOON, 'copy', False)
    value = statement.value if isinstance(statement, ast.Assign) else None
    if isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)) or name_of_view(value):
        known = scope.known(value)  # type: ignore[arg-type]
        if known.sort == 'tensor' and known.shape:
            held = scope.evaluate(source.of(value))  # type: ignore[arg-type]
            end = source.span(value)[1]  # type: ignore[arg-type]
            yield Mutation((Edit(end, end, '.clone()' if hasattr(held, 'clone') else '.copy()'),), SOON, 'copy', False)


def name_of_view(node: Any) -> bool:
    return isinstance(node, ast.Call) and name_of(node) in ('reshape', 'view', 'transpose', 'swapaxes', 'permute', 'asarray', 'squeeze')


def branch(site: Site) -> Iterator[Mutation]:
    """One of the two values of `a if c else b` alone, or the other way about."""
    node, source = site.node, site.source
    if isinstance(node, ast.IfExp):
        for cost, each in ((1.0, node.body), (1.0, node.orelse)):
            local = site.scope.known(each).sort != 'other'
            yield site.put(source.of(each), cost if local else SOON, 'drop')._replace(local=local)
        edits = (Edit(*source.span(node.body), source.of(node.orelse)), Edit(*source.span(node.orelse), source.of(node.body)))
        yield Mutation(edits, 1.1, 'order')


def listed(site: Site) -> Iterator[Mutation]:
    """A list that grows at its beginning or at its end."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    start, end = source.span(node.func)[1], source.span(node)[1]
    name = node.func.attr
    if name == 'append' and len(node.args) == 1:
        yield Mutation((Edit(start - len(name), end, 'insert(0, %s)' % source.of(node.args[0])),), 1.0, 'order')
    if name == 'insert' and len(node.args) == 2:
        yield Mutation((Edit(start - len(name), end, 'append(%s)' % source.of(node.args[1])),), 1.0, 'order')


def backwards(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """A loop the other way about."""
    if isinstance(statement, ast.For):
        start, end = source.span(statement.iter)
        if name_of(statement.iter) != 'reversed':
            yield Mutation((Edit(start, start, 'reversed('), Edit(end, end, ')')), 1.2, 'order', False)


def shadowed(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """What a loop counts under a name of its own, where it hides a tensor that is needed later."""
    if not isinstance(statement, ast.For) or not isinstance(statement.target, ast.Name):
        return
    name = statement.target.id
    if scope.known_text(name).sort != 'tensor':
        return
    used = {n.id for n in ast.walk(source.tree) if isinstance(n, ast.Name)}
    own = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    counters = [n.target.id for n in ast.walk(source.tree) if isinstance(n, ast.For) and isinstance(n.target, ast.Name)]
    fresh = [each for each in counters if each not in own and scope.known_text(each).sort != 'tensor']
    fresh += [each for each in ('i', 'j', 'n', 'index') if each not in used]
    places = [n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == name]
    for other in list(dict.fromkeys(fresh))[:2]:
        yield Mutation(tuple(sorted(Edit(*source.span(n), other) for n in places)), SOON, 'target', False)


def defaults(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """Of the function that the statement is in: other values where an argument is left out."""
    function = statement if isinstance(statement, ast.FunctionDef) else source.function_of(statement)
    if not isinstance(function, ast.FunctionDef):
        return
    for name, value in _given(function):
        for text in _instead(value) + _elsewhere(source, name, value):
            yield Mutation((Edit(*source.span(value), text),), SOON if statement is function else 1.3, 'number', False)


def _given(function: ast.FunctionDef) -> List[Tuple[str, ast.expr]]:
    args = function.args
    named = args.args[len(args.args) - len(args.defaults) :] if args.defaults else []
    pairs = [(each.arg, value) for each, value in zip(named, args.defaults)]
    return pairs + [(each.arg, value) for each, value in zip(args.kwonlyargs, args.kw_defaults) if value is not None]


def _instead(value: ast.expr) -> List[str]:
    """Other values than a default's own."""
    try:
        own = ast.literal_eval(value)
    except ValueError:
        return ['None'] if isinstance(value, ast.Call) else []
    if own is None:
        return []
    if isinstance(own, bool):
        return [str(not own)]
    if isinstance(own, int):
        return [str(other) for other in (-own, own + 1, own - 1, -1, 0, 1) if other != own][:5]
    if isinstance(own, float):
        return [repr(other) for other in (1.0, 0.0, -own, 1 - own) if other != own]
    return ['None'] if isinstance(own, (dict, list, set)) else []


def _elsewhere(source: Source, name: str, value: ast.expr) -> List[str]:
    """What stands for an argument of this name in other calls of the file."""
    keywords = [n for n in ast.walk(source.tree) if isinstance(n, ast.keyword) and n.arg == name]
    texts = [source.of(n.value) for n in keywords if n.value is not value]
    return [text for text in dict.fromkeys(texts) if text != source.of(value)][:4]


def given(site: Site) -> Iterator[Mutation]:
    """A call of a function of the file, with an argument that it leaves to the default."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return
    if not isinstance(site.scope.merged.get(node.func.id), types.FunctionType):
        return
    function = next((n for n in ast.walk(source.tree) if isinstance(n, ast.FunctionDef) and n.name == node.func.id), None)
    if function is None or any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
        return
    taken = {each.arg for each in function.args.args[: len(node.args)]} | {k.arg for k in node.keywords}
    close = source.span(node)[1] - 1
    comma = ', ' if node.args or node.keywords else ''
    for name, value in _given(function):
        if name not in taken:
            for text in _elsewhere(source, name, value) + _instead(value):
                yield Mutation((Edit(close, close, '%s%s=%s' % (comma, name, text)),), 1.2, 'argument')


EXPRESSIONS = (anew, branch, listed, given)
STATEMENTS = (unshared, shadowed, backwards, defaults)
