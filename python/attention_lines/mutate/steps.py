"""Mutations of what attention always does: hidden keys at minus infinity, a normalisation that is missing, rows picked in an order."""
import ast
import itertools
from typing import Any, Iterator, List, Set, Tuple

from .calls import name_of
from .expressions import fitting
from .mutation import Mutation, Site
from .scope import Ingredient, Scope, is_tensor
from .source import ATOM, SUM, Edit, Source

MOST_ORDERS = 4


def _minus_infinity(scope: Scope) -> str:
    return '-%s.inf' % scope.numpy if scope.numpy else 'float("-inf")'


def hidden(site: Site) -> Iterator[Mutation]:
    """Minus infinity by a mask that scores are multiplied by, or that is added to them."""
    node = site.node
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.Mult, ast.Add)) or site.known.sort != 'tensor':
        return
    for scores, mask in ((node.left, node.right), (node.right, node.left)):
        known = site.scope.known(mask)
        if known.sort == 'flag' or known.sort == 'tensor' and known.shape and _is_mask(site.scope, site.source.of(mask)):
            for text in _masked(site, site.source.of(scores), mask, known.sort == 'flag'):
                yield site.put(text, 1.3, 'mask')


def _is_mask(scope: Scope, text: str) -> bool:
    """Whether a tensor holds zeros and ones, and both."""
    try:
        value = scope.evaluate(text)
        zeros, ones = value == 0, value == 1
        return bool(zeros.any() and ones.any() and (zeros | ones).all())
    except Exception:  # noqa: BLE001 - what cannot be compared is no mask
        return False


def _masked(site: Site, scores: str, mask: ast.expr, is_flag: bool) -> Iterator[str]:
    atom = site.source.grouped(mask, SUM)
    hides = ['~%s' % site.source.grouped(mask, ATOM), site.source.of(mask)] if is_flag else ['%s == 0' % atom, '%s == 1' % atom]
    for text in hides:
        yield _filled(site.scope, scores, text, is_array(site.scope, scores))


def _filled(scope: Scope, scores: str, hides: str, array: bool) -> str:
    """`scores` with minus infinity where `hides`."""
    if array:
        return '%s.where(%s, %s, %s)' % (scope.numpy, hides, _minus_infinity(scope), scores)
    return '%s.masked_fill(%s, float("-inf"))' % (scores if scores.isidentifier() else '(%s)' % scores, hides)


def is_array(scope: Scope, text: str) -> bool:
    try:
        value = scope.evaluate(text)
    except Exception:  # noqa: BLE001 - it has no value here
        return False
    return is_tensor(value) and not hasattr(value, 'numel') and scope.numpy is not None


def infinite(site: Site) -> Iterator[Mutation]:
    """A table of minus infinity where one of ones, or zeros, is made."""
    node = site.node
    name = name_of(node)
    if name not in ('ones', 'zeros', 'ones_like', 'zeros_like') or not isinstance(node, ast.Call) or not node.args:
        return
    owner, source = site.source.of(node.func).rpartition('.')[0], site.source
    if not owner:
        return
    sizes = [each for each in node.args if not isinstance(each, ast.Starred)]
    shape = source.of(sizes[0]) if len(sizes) == 1 else '(%s)' % ', '.join(source.of(each) for each in sizes)
    typed = [k for k in node.keywords if k.arg and not (k.arg == 'dtype' and 'bool' in source.of(k.value))]
    rest = ''.join(', %s=%s' % (k.arg, source.of(k.value)) for k in typed)
    like = '_like' if name.endswith('_like') else ''
    lowest = '-%s.inf' % owner if owner == site.scope.numpy else 'float("-inf")'
    yield site.put('%s.full%s(%s, %s%s)' % (owner, like, shape, lowest, rest), 1.25, 'mask')


def picked(site: Site) -> Iterator[Mutation]:
    """Entries in the order that a list of places gives; or in the order that undoes it."""
    if isinstance(site.node, ast.Constant) or site.known.sort not in ('tensor', 'flag') or not site.known.shape:
        return
    for each in _orders(site.scope):
        if each.known.shape[0] == site.known.shape[0] and each.text != site.text:
            yield site.put('%s[%s]' % (site.source.grouped(site.node, ATOM), each.text), 1.3 + each.distance, 'index')
    if any(each.text == site.text for each in _orders(site.scope)):
        module = site.scope.numpy if is_array(site.scope, site.text) else site.scope.torch
        if module:
            yield site.put('%s.argsort(%s)' % (module, site.text), 1.3, 'index')


def _orders(scope: Scope) -> List[Ingredient]:
    """Names of vectors that hold each place once."""
    return [each for each in scope.tensors() if len(each.known.shape) == 1 and each.known.shape[0] > 1 and _is_order(scope, each.text)][:MOST_ORDERS]


def _is_order(scope: Scope, text: str) -> bool:
    try:
        value: Any = scope.evaluate(text)
        return 'int' in str(value.dtype) and sorted(value.tolist()) == list(range(len(value)))
    except Exception:  # noqa: BLE001 - then it is none
        return False


def lacking(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Tuple[str, float, str]]:
    """What the tensor that a statement binds may lack: the exponential, the division by its sums, its hidden keys."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, 'target', None)]
    value = getattr(statement, 'value', None)
    if len(targets) != 1 or not isinstance(targets[0], (ast.Name, ast.Attribute)) or not isinstance(value, ast.expr):
        return
    name, known = source.of(targets[0]), scope.known(value)
    # Before its first execution the name has no value yet.
    array = is_array(scope, source.of(value))
    module, shape = scope.numpy if array else scope.torch, known.shape
    if known.sort != 'tensor' or not shape or not module:
        return
    axis, keep = ('axis', 'keepdims') if array else ('dim', 'keepdim')
    places = [] if len(shape) == 1 else [-1, 0] if len(shape) == 2 else [-1, 0, -2]
    for place in places:
        yield '%s = %s / %s.sum(%s=%d, %s=True)' % (name, name, name, axis, place, keep), 1.6 if place == -1 else 1.8, 'missing'
    if len(shape) == 1:
        yield '%s = %s / %s.sum()' % (name, name, name), 1.6, 'missing'
    yield '%s = %s.exp(%s)' % (name, module, name), 1.8, 'missing'
    for each in scope.tensors('flag'):
        for text in fitting(each, shape):
            for hides in (text, '~%s' % text):
                yield '%s = %s' % (name, _filled(scope, name, hides, array)), 1.7 + each.distance, 'mask'
    if len(shape) > 1 and min(shape[-2:]) > 1:
        for shift in _diagonals(name, shape):
            yield '%s = %s' % (name, _filled(scope, name, _future(scope, name, shift, array), array)), 2.0, 'mask'


def _diagonals(name: str, shape: Tuple[int, ...]) -> List[str]:
    """From which diagonal on keys are hidden: of more keys than queries the last query sees all of them, or the first one."""
    return ['1'] if shape[-1] == shape[-2] else ['%s.shape[-1] - %s.shape[-2] + 1' % (name, name), '1']


def _future(scope: Scope, name: str, shift: str, array: bool) -> str:
    if array:
        return '%s.triu(%s.ones(%s.shape[-2:], dtype=bool), %s)' % (scope.numpy, scope.numpy, name, shift)
    return '%s.ones(%s.shape[-2:], dtype=%s.bool).triu(%s)' % (scope.torch, name, scope.torch, shift)


def softmax_gradient(site: Site) -> Iterator[Mutation]:
    """p * (dp - sum(p * dp)) of two tensors that an expression multiplies: its Jacobian's diagonal alone is not all of it."""
    node, shape = site.node, site.known.shape
    if not isinstance(node, ast.BinOp) or site.known.sort != 'tensor' or not shape:
        return
    names = dict.fromkeys(
        site.source.of(n)
        for n in ast.walk(node)
        if isinstance(n, (ast.Name, ast.Attribute, ast.Subscript)) and site.scope.known(n).shape == shape
    )
    array = is_array(site.scope, site.text)
    words = ('axis', 'keepdims') if array else ('dim', 'keepdim')
    places = [-1, 0] if len(shape) == 2 else [-1]
    for p, dp in itertools.permutations(list(names)[:4], 2):
        for place in places if len(shape) > 1 else [None]:
            kept = '' if place is None else '%s=%d, %s=True' % (words[0], place, words[1])
            yield site.put('%s * (%s - (%s * %s).sum(%s))' % (p, dp, p, dp, kept), 1.7, 'row term')


def offset(site: Site) -> Iterator[Mutation]:
    """Positions counted from where a tile begins."""
    if isinstance(site.node, ast.Constant) or site.known.sort != 'tensor' or not site.scope.counters or not _is_whole(site.scope, site.text):
        return
    for name in sorted(site.scope.counters):
        yield site.put('%s + %s' % (name, site.source.grouped(site.node, SUM + 1)), 1.2, 'term')
        yield site.put('%s - %s' % (site.source.grouped(site.node, SUM), name), 1.4, 'term')


def _is_whole(scope: Scope, text: str) -> bool:
    try:
        return 'int' in str(scope.evaluate(text).dtype)
    except Exception:  # noqa: BLE001 - it has no value here
        return False


def narrowed(site: Site) -> Iterator[Mutation]:
    """What is compared on one side alone is on both: neither later than the query nor too long before it."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or site.known.sort != 'flag':
        return
    for end in (node.left, node.comparators[0]):
        inner: ast.expr = end
        if name_of(end) in ('abs', 'absolute') and isinstance(end, ast.Call):
            inner = end.func.value if isinstance(end.func, ast.Attribute) and not end.args else end.args[0]
        if site.scope.known(inner).sort != 'tensor' or not _is_whole(site.scope, source.of(inner)):
            continue
        start = source.span(node)[0]
        cut = [at - start for at in source.span(end)]
        bare = site.text[: cut[0]] + source.of(inner) + site.text[cut[1] :]
        for sign in ('>=', '<=', '>', '<'):
            for side in dict.fromkeys((site.text, bare)):
                yield site.put('(%s %s 0) & (%s)' % (source.grouped(inner, SUM), sign, side), 1.4, 'comparison')


def borrowed(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """A statement that the file has elsewhere, and this place lacks: all that it reads is there."""
    own = source.block_of(statement)
    here = {source.of(each) for each in own}
    function = source.function_of(statement)
    indent = source.indent(statement.lineno)
    first, last = source.line_start(statement.lineno), source.line_start((statement.end_lineno or statement.lineno) + 1)
    newline = '' if source.text[:last].endswith('\n') else '\n'
    near = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    for other in ast.walk(source.tree):
        if not isinstance(other, (ast.Assign, ast.AugAssign)) or other in own or other.lineno != other.end_lineno:
            continue
        text = source.of(other)
        bound = _changed_by(other)
        read = {n.id for n in ast.walk(other) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        # It changes something that is there already, and that the statement has to do with.
        if text in here or not bound & near or not all(name in scope.merged for name in bound | read):
            continue
        cost = 1.3 if source.function_of(other) is not function else 1.6
        yield Mutation((Edit(last, last, '%s%s%s\n' % (newline, indent, text)),), cost, 'missing')
        yield Mutation((Edit(first, first, '%s%s\n' % (indent, text)),), cost + 0.1, 'missing')


def _changed_by(statement: Any) -> Set[str]:
    """Names that it binds, and of arrays of which it changes a part."""
    found = set()
    for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
        for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
            while isinstance(part, (ast.Subscript, ast.Starred)):
                part = part.value
            if isinstance(part, ast.Name):
                found.add(part.id)
    return found


def carried(source: Source, scope: Scope, statement: ast.stmt) -> Iterator[Mutation]:
    """What a loop reads and never binds anew is at its end what the loop has made: `m = m_new`."""
    loop = source.parents.get(statement)
    if not isinstance(loop, (ast.For, ast.While)) or statement not in loop.body:
        return
    names = [n for each in loop.body for n in ast.walk(each) if isinstance(n, ast.Name)]
    bound = {n.id for n in names if isinstance(n.ctx, ast.Store)}
    stale = sorted({n.id for n in names} - bound)
    end = source.line_start((loop.body[-1].end_lineno or loop.body[-1].lineno) + 1)
    newline = '' if source.text[:end].endswith('\n') else '\n'
    made = sorted({n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id in bound})
    for old, new in itertools.product(stale, made):
        known = scope.known_text(old)
        if known.sort == 'tensor' and known.shape and known.shape == scope.known_text(new).shape:
            text = '%s%s%s = %s\n' % (newline, source.indent(loop.body[-1].lineno), old, new)
            yield Mutation((Edit(end, end, text),), 0.9, 'missing', False)


EXPRESSIONS = (hidden, infinite, picked, softmax_gradient, offset, narrowed)
STATEMENTS = (borrowed, carried)
