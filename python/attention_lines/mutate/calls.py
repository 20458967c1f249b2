"""Mutations of a call: its axis, its arguments and their order, the function itself, layouts, copies and types."""
import ast
import itertools
import re
from typing import Iterator, List, Optional, Tuple

from .expressions import transposed
from .mutation import Mutation, Site
from .source import ATOM, PRODUCT, SUM, Edit

_EXCHANGED = [
    ('sum', 'mean', 'max'), ('sum', 'logsumexp'), ('triu', 'tril'), ('max', 'min', 'sum'), ('exp', 'exp2', 'log', 'log2'), ('sin', 'cos'),
    ('zeros', 'ones'), ('zeros_like', 'ones_like', 'empty_like'), ('repeat_interleave', 'repeat'), ('repeat', 'tile'),
    ('maximum', 'minimum'), ('softmax', 'log_softmax'), ('reshape', 'transpose'), ('amax', 'amin'), ('tanh', 'sinh'),
    ('matmul', 'multiply'), ('dot', 'outer'), ('view', 'reshape'), ('triu_indices', 'tril_indices'), ('mse_loss', 'l1_loss'),
    ('sqrt', 'square'), ('subtract', 'add'), ('repeat', 'repeat_interleave'), ('argmax', 'max'), ('std', 'var'),
    ('logical_and', 'logical_or'), ('all', 'any'), ('copy_', 'add_', 'sub_'), ('mul_', 'div_'),
]
_REDUCTIONS = frozenset('sum mean max min amax amin prod any all softmax log_softmax logsumexp std var cumsum norm'.split())
_LAYOUTS = frozenset('reshape view transpose permute swapaxes'.split())
_TYPES = frozenset('astype half float double bfloat16 to type type_as float16 float32 float64'.split())
_KEEPING = frozenset('detach data clone copy item numpy'.split())


def name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, 'id', '')
    return ''


def subject(site: Site) -> Optional[ast.expr]:
    """What a call works on: the object of a method, or the first argument of a module's function."""
    node = site.node
    assert isinstance(node, ast.Call)
    if isinstance(node.func, ast.Attribute):
        module = node.func.value
        if isinstance(module, ast.Name) and module.id in ('np', 'numpy', 'torch', 'math', 'F', 'nn'):
            return node.args[0] if node.args else None
        return module
    return node.args[0] if node.args else None


def drop(site: Site) -> Iterator[Mutation]:
    """The call's subject without the call: no exp, no transpose, no detach, no cast."""
    if isinstance(site.node, ast.Call):
        inner = subject(site)
        if inner is not None and not isinstance(inner, ast.Starred):
            cost = 0.8 if name_of(site.node) in _KEEPING | _TYPES else 1.0
            yield site.put(site.source.of(inner), cost, 'drop')
            for arg in site.node.args:
                if arg is not inner and not isinstance(arg, (ast.Starred, ast.Constant)):
                    yield site.put(site.source.of(arg), 1.4, 'drop')


def exchange(site: Site) -> Iterator[Mutation]:
    """A neighbouring function: mean for sum, tril for triu."""
    node, name = site.node, name_of(site.node)
    if not name:
        return
    func = node.func  # type: ignore[attr-defined]
    _, end = site.source.span(func)
    for group in _EXCHANGED:
        if name in group:
            for other in group:
                if other != name:
                    yield Mutation((Edit(end - len(name), end, other),), 1.0, 'function')


def mirrored(site: Site) -> Iterator[Mutation]:
    """The other triangle, from the diagonal on the other side: triu(a, 1) for tril(a, -1)."""
    node, name = site.node, name_of(site.node)
    if name not in ('triu', 'tril') or not isinstance(node, ast.Call):
        return
    shifts = [k.value for k in node.keywords if k.arg in ('k', 'diagonal')] + node.args[-1:]
    _, end = site.source.span(node.func)
    for shift in shifts[:1]:
        text = site.source.of(shift)
        if site.scope.known(shift).sort == 'number':
            negated = text[1:] if text.startswith('-') else '-%s' % site.source.grouped(shift, ATOM)
            other = Edit(end - len(name), end, 'tril' if name == 'triu' else 'triu')
            yield Mutation((other, Edit(*site.source.span(shift), negated)), 1.3, 'function')


def _reduced(site: Site) -> bool:
    return name_of(site.node) in _REDUCTIONS


def axes(site: Site) -> Iterator[Mutation]:
    """Another axis, a missing or superfluous keepdims."""
    if not _reduced(site):
        return
    node, source = site.node, site.source
    assert isinstance(node, ast.Call)
    inner = subject(site)
    rank = len(site.scope.known(inner).shape) if inner is not None else 0
    torch = site.scope.torch is not None and (site.scope.numpy is None or 'dim=' in source.text)
    axis, keep = ('dim', 'keepdim') if torch else ('axis', 'keepdims')
    given = {k.arg: k for k in node.keywords}
    positional = node.args[1:] if inner is not None and node.args and node.args[0] is inner else node.args
    choices = ['-1', '0', '1', '-2'] + [str(k) for k in range(2, rank)] + (['-3'] if rank > 3 else [])
    choices += ['(0, 1)'] if rank >= 3 else []
    choices += ['(0, 2)', '(0, 1, 2)'] if rank >= 4 else []
    named = given.get('axis') or given.get('dim')
    place = named.value if named else (positional[0] if positional else None)
    if place is not None:
        for text in choices:
            if text != source.of(place):
                yield Mutation((Edit(*source.span(place), text),), 1.0, 'axis')
    close = source.span(node)[1] - 1
    comma = ', ' if node.args or node.keywords else ''
    if place is None:
        for text in choices:
            yield Mutation((Edit(close, close, '%s%s=%s' % (comma, axis, text)),), 1.2, 'axis')
            yield Mutation((Edit(close, close, '%s%s=%s, %s=True' % (comma, axis, text, keep)),), 1.4, 'axis')
    kept = given.get('keepdims') or given.get('keepdim')
    if kept is None and (place is not None) and name_of(node) not in ('softmax', 'log_softmax', 'cumsum'):
        yield Mutation((Edit(close, close, ', %s=True' % keep),), 1.0, 'keepdims')
        for text in choices:
            if text != source.of(place):
                both = (Edit(*source.span(place), text), Edit(close, close, ', %s=True' % keep))
                yield Mutation(both, 1.8, 'keepdims')
    if kept is not None:
        yield _without(site, kept, 1.1, 'keepdims')
    if named is not None:
        yield _without(site, named, 1.2, 'axis')


def _without(site: Site, keyword: ast.keyword, cost: float, slip: str) -> Mutation:
    """The call without one of its keywords."""
    text = site.source.text
    start, end = site.source.span(keyword.value)
    start = text.rindex(keyword.arg or '', 0, start)
    before = text[:start].rstrip()
    if before.endswith(','):
        start = len(before) - 1
    elif text[end:].lstrip().startswith(','):
        end = text.index(',', end) + 1
    return Mutation((Edit(start, end, ''),), cost, slip)


def arguments(site: Site) -> Iterator[Mutation]:
    """Two arguments exchanged, one left out."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Call):
        return
    args = [a for a in node.args if not isinstance(a, ast.Starred)]
    for one, other in itertools.combinations(args[:7], 2):
        if source.of(one) != source.of(other):
            edits = (Edit(*source.span(one), source.of(other)), Edit(*source.span(other), source.of(one)))
            yield Mutation(edits, 1.1, 'order')
    if name_of(node) in _LAYOUTS:
        return
    for keyword in node.keywords:
        if keyword.arg and keyword.arg not in ('axis', 'dim', 'keepdims', 'keepdim'):
            yield _without(site, keyword, 1.2, 'argument')
    if len(args) > 1:
        last, before = args[-1], args[-2]
        yield Mutation((Edit(source.span(before)[1], source.span(last)[1], ''),), 1.2, 'argument')
    if name_of(node) in ('triu', 'tril', 'triu_indices', 'tril_indices', 'eye'):
        name = 'diagonal' if site.scope.torch and not site.scope.numpy else 'k'
        if not any(k.arg in ('k', 'diagonal') for k in node.keywords):
            close = source.span(node)[1] - 1
            for value in ('1', '-1', '2'):
                yield Mutation((Edit(close, close, ', %s=%s' % (name, value)),), 1.2, 'bound')
            for each in site.scope.numbers()[:12]:
                yield Mutation((Edit(close, close, ', %s=%s' % (name, each.text)),), 1.7, 'bound')


def is_einsum(node: ast.AST) -> bool:
    """Whether a call is an einsum of letters, by whatever name."""
    first = node.args[0] if isinstance(node, ast.Call) and node.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return False
    return name_of(node) == 'einsum' or _EQUATION.fullmatch(first.value) is not None


_EQUATION = re.compile(r'[a-zA-Z., ]+->[a-zA-Z. ]*')


def einsum(site: Site) -> Iterator[Mutation]:
    """Other letters in an einsum: two exchanged in one term, one replaced, an axis summed or not."""
    node = site.node
    if not is_einsum(node):
        return
    place = node.args[0]  # type: ignore[attr-defined]
    letters = place.value
    if not isinstance(letters, str):
        return
    quote = site.source.of(place)[0]
    ins, arrow, out = letters.partition('->')
    terms = ins.split(',') + ([out] if arrow else [])

    def written(new: List[str]) -> str:
        body = ','.join(new[:-1]) + '->' + new[-1] if arrow else ','.join(new)
        return quote + body + quote

    seen = {letters}
    used = sorted({c for c in letters if c.isalpha()})
    for at, term in enumerate(terms):
        spots = [k for k, c in enumerate(term) if c.isalpha()]
        changed = []
        for i, j in itertools.combinations(spots, 2):
            swapped = list(term)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            changed.append((1.0, ''.join(swapped)))
        for i in spots:
            changed += [(1.2, term[:i] + c + term[i + 1 :]) for c in used if c != term[i]]
            if at == len(terms) - 1:
                changed.append((1.3, term[:i] + term[i + 1 :]))
        if len(spots) <= 4:
            changed += [(1.4, ''.join(p)) for p in itertools.permutations(term) if all(c.isalpha() for c in term)]
        if at == len(terms) - 1 and arrow and len(used) <= 6:
            for length in {len(spots), len(spots) - 1, len(spots) + 1} & {1, 2, 3, 4}:
                if len(used) ** length <= 700:
                    changed += [(1.4, ''.join(p)) for p in itertools.permutations(used, length)]
        for cost, new in changed:
            text = written(terms[:at] + [new] + terms[at + 1 :])
            if text[1:-1] not in seen:
                seen.add(text[1:-1])
                yield Mutation((Edit(*site.source.span(place), text),), cost, 'letters')


def einsum_axis(site: Site) -> Iterator[Mutation]:
    """Operands of an einsum whole where one entry of an axis was taken: the axis gets a letter of its own."""
    node, source = site.node, site.source
    if not is_einsum(node) or len(node.args) < 2:  # type: ignore[attr-defined]
        return
    place, operands = node.args[0], node.args[1:]  # type: ignore[attr-defined]
    ins, arrow, out = str(place.value).partition('->')
    terms = ins.split(',')
    if len(terms) != len(operands) or not arrow:
        return
    taken = [_entry(each) for each in operands]
    letter = next(c for c in 'brzywvu' if c not in str(place.value))
    quote = source.of(place)[0]
    for used in ([k for k, t in enumerate(taken) if t is not None],) + tuple([k] for k, t in enumerate(taken) if t is not None):
        if not used:
            continue
        edits, new = [], list(terms)
        for k in used:
            axis, whole = taken[k]
            start, end = source.span(operands[k])
            edits.append(Edit(start, end, source.of(whole)))
            new[k] = terms[k][:axis] + letter + terms[k][axis:]
        for result in (out, letter + out):
            written = '%s%s->%s%s' % (quote, ','.join(new), result, quote)
            yield Mutation((Edit(*source.span(place), written),) + tuple(edits), 1.6, 'letters')


def _entry(node: ast.expr) -> Optional[Tuple[int, ast.expr]]:
    """Of `x[:, 0]`: the axis of which one entry is taken, and x."""
    if not isinstance(node, ast.Subscript):
        return None
    index = node.slice
    index = index.value if type(index).__name__ == 'Index' else index
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    whole = all(isinstance(p, ast.Slice) and p.lower is None and p.upper is None for p in parts[:-1])
    return (len(parts) - 1, node.value) if whole and isinstance(parts[-1], (ast.Constant, ast.Name)) else None


def _layout_arguments(site: Site) -> Tuple[List[ast.expr], Optional[Tuple[int, int]]]:
    """The sizes or axes that a reshape or transpose names, and where they stand."""
    node = site.node
    assert isinstance(node, ast.Call)
    inner = subject(site)
    args = [a for a in node.args if a is not inner]
    if len(args) == 1 and isinstance(args[0], (ast.Tuple, ast.List)) and len(args[0].elts) > 1:
        elements = args[0].elts
        return list(elements), (site.source.span(elements[0])[0], site.source.span(elements[-1])[1])
    if args:
        return args, (site.source.span(args[0])[0], site.source.span(args[-1])[1])
    return [], None


def layout(site: Site) -> Iterator[Mutation]:
    """Sizes and axes in another order, and reshape where a transpose belongs beside it."""
    name = name_of(site.node)
    if name not in _LAYOUTS or not isinstance(site.node, ast.Call):
        return
    args, place = _layout_arguments(site)
    if place is None or len(args) > 6:
        return
    texts = [site.source.of(a) for a in args]
    start, end = site.source.span(site.node)
    head, tail = site.source.text[start : place[0]], site.source.text[place[1] : end]
    orders = list(itertools.permutations(texts)) if len(texts) <= 4 else _near(texts)
    for order in orders:
        written = '%s%s%s' % (head, ', '.join(order), tail)
        if list(order) != texts:
            yield site.put(written, 1.1, 'layout')
        if name in ('reshape', 'view') and len(texts) >= 3:
            for exchanged in _exchanges(site, len(texts)):
                yield site.put(written + exchanged, 1.4 if list(order) == texts else 1.6, 'layout')
    inner = subject(site)
    if name in ('reshape', 'view') and inner is not None:
        shape = site.scope.known(inner).shape
        text = site.source.grouped(inner, ATOM)
        rest = site.source.text[site.source.span(inner)[1] : end]
        if len(shape) >= 3 and site.source.text[start : site.source.span(inner)[0]] == '':
            for exchanged in _exchanges(site, len(shape)):
                yield site.put(text + exchanged + (rest.replace('.view(', '.reshape(')), 1.4, 'layout')
    if name == 'transpose' and len(texts) == 2:
        for one, other in (('-2', '-1'), ('1', '2'), ('0', '1'), ('2', '3'), ('0', '2')):
            yield site.put('%s%s, %s%s' % (head, one, other, tail), 1.1, 'layout')


def _exchanges(site: Site, rank: int) -> List[str]:
    """Ways to exchange two axes of a tensor of `rank` axes, as the file writes them."""
    torch = site.scope.torch is not None and '.transpose(0, 2, 1, 3)' not in site.source.text
    if torch and site.scope.numpy is None or '.transpose(1, 2)' in site.source.text:
        return ['.transpose(%d, %d)' % (a, b) for a, b in itertools.combinations(range(rank), 2)]
    orders = []
    for a, b in itertools.combinations(range(rank), 2):
        order = list(range(rank))
        order[a], order[b] = b, a
        orders.append('.transpose(%s)' % ', '.join(map(str, order)))
    return orders


def _near(texts: List[str]) -> List[Tuple[str, ...]]:
    found = [tuple(texts)]
    for a, b in itertools.combinations(range(len(texts)), 2):
        new = list(texts)
        new[a], new[b] = new[b], new[a]
        found.append(tuple(new))
    return found


def relayout(site: Site) -> Iterator[Mutation]:
    """Axes of a tensor in another order where none was changed."""
    shape = site.known.shape
    if site.known.sort != 'tensor' or len(shape) < 3 or not isinstance(site.node, (ast.Name, ast.Call, ast.Attribute, ast.BinOp)):
        return
    if name_of(site.node) in _LAYOUTS:
        return
    text = site.source.grouped(site.node, ATOM)
    for exchanged in _exchanges(site, len(shape)):
        yield site.put(text + exchanged, 1.5, 'layout')


def keeping(site: Site) -> Iterator[Mutation]:
    """A copy where a view is kept, a tensor cut from the graph or not."""
    if site.known.sort != 'tensor' or not isinstance(site.node, (ast.Name, ast.Attribute, ast.Subscript)):
        return
    text = site.source.grouped(site.node, ATOM)
    if site.scope.torch:
        yield site.put('%s.clone()' % text, 1.3, 'copy')
        yield site.put('%s.detach()' % text, 1.5, 'detach')
    if site.scope.numpy:
        yield site.put('%s.copy()' % text, 1.3, 'copy')


def types(site: Site) -> Iterator[Mutation]:
    """Another number type in a cast or a `dtype=`."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Attribute) or node.attr not in ('float16', 'bfloat16', 'float32', 'float64', 'half', 'int32', 'int64'):
        return
    start, end = source.span(node)
    for other in ('float32', 'float64'):
        if other != node.attr:
            yield Mutation((Edit(end - len(node.attr), end, other),), 1.0, 'dtype')


def repeated(site: Site) -> Iterator[Mutation]:
    """Each entry several times in a row where the whole was repeated, and the other way about."""
    node, source = site.node, site.source
    name = name_of(node)
    if name not in ('tile', 'repeat', 'repeat_interleave') or not isinstance(node, ast.Call):
        return
    inner = subject(site)
    rank = len(site.scope.known(inner).shape) if inner is not None else 0
    if inner is None or not rank:
        return
    args = [a for a in node.args if a is not inner]
    whole = source.text[source.span(node)[0] : source.span(inner)[0]]
    parts = list(args[0].elts) if args and isinstance(args[0], (ast.Tuple, ast.List)) else args
    atom = source.grouped(inner, ATOM)
    module = whole.partition('.')[0] if '.' in whole else ''
    as_method = not whole
    if len(parts) == rank and rank > 1:
        many = [k for k, part in enumerate(parts) if source.of(part) != '1']
        if len(many) == 1:
            times = source.of(parts[many[0]])
            if as_method:
                yield site.put('%s.repeat_interleave(%s, dim=%d)' % (atom, times, many[0]), 1.2, 'function')
            elif module != 'torch':
                yield site.put('%s.repeat(%s, %s, axis=%d)' % (module, source.of(inner), times, many[0]), 1.2, 'function')
        return
    named = {k.arg: k.value for k in node.keywords}
    place = named.get('axis') or named.get('dim') or (args[1] if len(args) > 1 else None)
    try:
        axis = site.scope.evaluate(source.of(place)) % rank if place is not None else None
    except Exception:  # noqa: BLE001 - no axis is known then
        return
    if axis is None or not args:
        return
    reps = ', '.join(source.of(args[0]) if k == axis else '1' for k in range(rank))
    if name == 'repeat_interleave':
        yield site.put('%s.repeat(%s)' % (atom, reps), 1.2, 'function')
    elif not as_method:
        yield site.put('%s.tile(%s, (%s))' % (module, source.of(inner), reps), 1.2, 'function')


def length(site: Site) -> Iterator[Mutation]:
    """The length of something else."""
    node = site.node
    if name_of(node) == 'len' and isinstance(node, ast.Call) and len(node.args) == 1:
        for each in site.scope.tensors()[:24]:
            yield Mutation((site.source.replaced(node.args[0], each.text),), 1.0 + each.distance, 'operand')


def wherever(site: Site) -> Iterator[Mutation]:
    """A `where` with its branches exchanged or its condition denied; a filled value by another."""
    node, source = site.node, site.source
    name = name_of(node)
    if name == 'where' and isinstance(node, ast.Call) and len(node.args) == 3:
        _, yes, no = node.args
        edits = (Edit(*source.span(yes), source.of(no)), Edit(*source.span(no), source.of(yes)))
        yield Mutation(edits, 1.0, 'mask')
    if name in ('where', 'masked_fill', 'full', 'full_like') and isinstance(node, ast.Call):
        lowest = '-%s.inf' % site.scope.numpy if site.scope.numpy else "float('-inf')"
        # Of a `where` the one of both branches that is a number.
        for filled in node.args[1:] if name == 'where' else node.args[-1:]:
            if filled is node.args[-1] or site.scope.known(filled).sort == 'number':
                for cost, text in ((1.15, lowest), (1.25, '-1e9'), (1.25, '0.0')):
                    yield Mutation((source.replaced(filled, text),), cost, 'mask')


def matrix(site: Site) -> Iterator[Mutation]:
    """The two factors of a product given to a function, transposed."""
    node = site.node
    if name_of(node) not in ('matmul', 'dot', 'bmm', 'mm', 'outer') or not isinstance(node, ast.Call):
        return
    for arg in node.args[:2]:
        for text in transposed(site, site.source.of(arg)):
            yield Mutation((Edit(*site.source.span(arg), text),), 1.0, 'transpose')


def through(site: Site) -> Iterator[Mutation]:
    """f(a * s) for f(a) * s, f(a - b) for f(a) - b, and the other way about."""
    node, source = site.node, site.source
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)) and isinstance(node.left, ast.Call) and node.left.args:
        call, sign = node.left, '+' if isinstance(node.op, ast.Add) else '-'
        first = call.args[0]
        inner = '%s %s %s' % (source.of(first), sign, source.grouped(node.right, SUM + 1))
        text = source.text[source.span(call)[0] : source.span(first)[0]] + inner + source.text[source.span(first)[1] : source.span(call)[1]]
        yield site.put(text, 0.98, 'parentheses')
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.BinOp) and isinstance(node.args[0].op, (ast.Mult, ast.Div)):
        product, sign = node.args[0], '*' if isinstance(node.args[0].op, ast.Mult) else '/'
        start, end = source.span(node)
        for inner, outer in ((product.left, product.right), (product.right, product.left)):
            if sign == '*' or inner is product.left:
                call = source.text[start : source.span(product)[0]] + source.of(inner) + source.text[source.span(product)[1] : end]
                yield site.put('%s %s %s' % (call, sign, source.grouped(outer, PRODUCT + 1)), 1.3, 'parentheses')
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)) and isinstance(node.left, ast.Call) and node.left.args:
        call, sign = node.left, '*' if isinstance(node.op, ast.Mult) else '/'
        start, end = source.span(call)
        first = call.args[0]
        inner = '%s %s %s' % (source.grouped(first, PRODUCT), sign, source.grouped(node.right, PRODUCT + 1))
        yield site.put(source.text[start : source.span(first)[0]] + inner + source.text[source.span(first)[1] : end], 1.4, 'parentheses')


def wrapped(site: Site) -> Iterator[Mutation]:
    """Through a function of the person's own that takes one tensor and only computes: heads split, a rotation, a merge."""
    if site.known.sort == 'tensor' and len(site.known.shape) > 1 and not isinstance(site.node, ast.Constant):
        parent = site.source.parents.get(site.node)
        for text in site.scope.unary():
            is_there = isinstance(parent, ast.Call) and site.source.of(parent.func) == text
            if not is_there:
                yield site.put('%s(%s)' % (text, site.text), 1.4, 'function')
                if isinstance(site.node, ast.Call) and len(site.node.args) == 1:
                    yield site.put('%s(%s)' % (text, site.source.of(site.node.args[0])), 1.3, 'function')
                if isinstance(site.node, ast.BinOp):
                    names = dict.fromkeys(n.id for n in ast.walk(site.node) if isinstance(n, ast.Name))
                    for name in names:
                        if site.scope.known_text(name).sort == 'tensor':
                            yield site.put('%s(%s)' % (text, name), 1.5, 'function')


OPERATORS = (drop, exchange, mirrored, axes, arguments, einsum, einsum_axis, layout, relayout, keeping, types, repeated, length, wherever, matrix, through, wrapped)
