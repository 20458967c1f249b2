"""Mutations of one expression: its operands, numbers, operators, order, factors and terms."""
import ast
import itertools
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .mutation import Mutation, Site, broadcasts
from .scope import Ingredient
from .source import ATOM, PRODUCT, SUM, UNARY, binding

_OPERATORS = {
    ast.Add: '+', ast.Sub: '-', ast.Mult: '*', ast.Div: '/', ast.MatMult: '@', ast.Pow: '**',
    ast.BitAnd: '&', ast.BitOr: '|', ast.BitXor: '^', ast.FloorDiv: '//', ast.Mod: '%',
}
_BINDS = {'+': SUM, '-': SUM, '**': ATOM, '&': 12, '^': 11, '|': 10}
_INSTEAD = {
    '+': '-*', '-': '+*', '*': ('/', '@', '+', '-', '&'), '/': '*-', '@': '*', '**': '*', '&': '|^', '|': '&^', '^': '&|',
    '//': ('%', '/'), '%': ('//',),
}
_COMPARISONS = {
    ast.Lt: '<', ast.LtE: '<=', ast.Gt: '>', ast.GtE: '>=', ast.Eq: '==', ast.NotEq: '!=',
}


def operand(site: Site) -> Iterator[Mutation]:
    """A tensor or a number is another one that is in scope."""
    node, known = site.node, site.known
    if not isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)) or known.sort == 'other':
        return
    callee = site.source.parents.get(node)
    if isinstance(callee, ast.Attribute) and isinstance(node, ast.Name) and known.sort == 'other':
        return
    values: List[Any] = []
    for each in site.scope.ingredients:
        if each.text == site.text or each.known.sort != known.sort:
            continue
        # What the statement binds is what it was before, if anything: rarely what was meant.
        stale = 0.6 if each.text in site.scope.bound else 0
        cost = 1.0 + each.distance + (0.3 if isinstance(node, ast.Call) else 0) + stale
        if known.sort == 'number':
            if site.scope.is_other(each, known, site.text):
                # In a lambda all of one value are tried by runs of the program: after one of each other value.
                again = values.count(each.known.value) if site.lambdas else 0
                values.append(each.known.value)
                yield site.put(each.text, cost + 0.2 + 0.4 * again, 'operand')
        elif known.sort == 'object':
            if each.known.value is known.value:
                yield site.put(each.text, cost, 'operand')
        elif each.known.shape == known.shape:
            yield site.put(each.text, cost, 'operand')
        elif len(each.known.shape) == len(known.shape):
            yield site.put(each.text, cost + 1.2, 'operand')
            for text in transposed(site, each.text):
                yield site.put(text, cost + 1.6, 'operand')


def stands_for(site: Site) -> Iterator[Mutation]:
    """A tensor that is in scope already where one is computed, compared or drawn anew."""
    node, known = site.node, site.known
    if not isinstance(node, (ast.BinOp, ast.Compare, ast.Call)):
        return
    is_drawn = known.sort == 'other' and _draws(node)
    if not is_drawn and (isinstance(node, ast.Call) or known.sort not in ('tensor', 'flag') or not known.shape):
        return
    for each in site.scope.tensors() + site.scope.tensors('flag'):
        if ' ' in each.text or each.text in site.scope.bound:
            continue
        if is_drawn or each.known.shape == known.shape:
            yield site.put(each.text, 1.4 + each.distance + (0 if each.known.sort == known.sort else 0.1), 'operand')


def _draws(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr in ('random', 'rand', 'rand_like', 'bernoulli', 'uniform') for n in ast.walk(node))


def divided(site: Site) -> Iterator[Mutation]:
    """The other of `//` and `%`, by another number: which group a head is in, or its place in the group."""
    node, source = site.node, site.source
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, (ast.FloorDiv, ast.Mod)):
        return
    other = '%' if isinstance(node.op, ast.FloorDiv) else '//'
    left, right = source.grouped(node.left, PRODUCT), source.of(node.right)
    for each in site.scope.numbers()[:24]:
        if isinstance(each.known.value, int) and each.known.value > 0 and each.text != right and each.text not in site.scope.counters:
            yield site.put('%s %s %s' % (left, other, each.text if each.binds > PRODUCT else '(%s)' % each.text), 1.3 + each.distance, 'operator')


def callee(site: Site) -> Iterator[Mutation]:
    """Another layer or function of the person's own that is called alike."""
    node, parent = site.node, site.source.parents.get(site.node)
    if not isinstance(parent, ast.Call) or parent.func is not node:
        return
    for text in site.scope.callees(node):
        yield site.put(text, 1.1, 'operand')


def given_later(site: Site) -> Iterator[Mutation]:
    """In a lambda what its parameters will hold is not known: times what is in scope, over it, negated, transposed, another."""
    node = site.node
    if not site.lambdas or site.known.sort != 'other' or not isinstance(node, (ast.Name, ast.BinOp, ast.Call)):
        return
    own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    parameters = site.parameters
    if not own & set(parameters) or isinstance(site.source.parents.get(node), ast.Call) and site.source.parents[node].func is node:
        return
    base = site.source.grouped(node, PRODUCT)
    yield site.put('-%s' % site.source.grouped(node, UNARY), 1.1, 'sign')
    yield site.put('%s.T' % site.source.grouped(node, ATOM), 1.2, 'transpose')
    for each in [e for e in site.scope.numbers()[:12] if float(e.known.value) not in (0.0, 1.0)] + site.scope.tensors()[:10]:
        right = each.text if each.binds > PRODUCT else '(%s)' % each.text
        yield site.put('%s * %s' % (base, right), 1.3 + each.distance, 'factor')
        yield site.put('%s / %s' % (base, right), 1.4 + each.distance, 'factor')
    if isinstance(node, ast.Name):
        for text in parameters:
            if text != node.id:
                yield site.put(text, 1.1, 'operand')
        parent = site.source.parents.get(node)
        if isinstance(parent, ast.Attribute) and parent.attr in ('reshape', 'view'):
            exchange = 'transpose' if site.scope.torch and not site.scope.numpy else 'swapaxes'
            for one, other in ((1, 2), (0, 1), (-2, -1)):
                yield site.put('%s.%s(%d, %d)' % (node.id, exchange, one, other), 1.3, 'layout')


def counted(site: Site) -> Iterator[Mutation]:
    """What is divided by: a product of two sizes, how many entries a mask leaves, and that times a size."""
    node, value = site.node, site.known.value
    parent = site.source.parents.get(node)
    is_divisor = isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Div, ast.Mult)) and parent.right is node
    is_whole = isinstance(value, int) or str(getattr(value, 'dtype', '')).startswith('int')
    if site.known.sort != 'number' or not is_whole or not (is_divisor or isinstance(parent, (ast.Assign, ast.AugAssign, ast.keyword))):
        return
    sizes = [e for e in site.scope.numbers() if isinstance(e.known.value, int) and e.known.value > 1][:MOST_SIZES]
    for mask in site.scope.tensors('flag')[:4]:
        atom = mask.text if mask.binds >= ATOM else '(%s)' % mask.text
        yield site.put('%s.sum()' % atom, 1.8 + mask.distance, 'number')
        for each in sizes:
            yield site.put('%s.sum() * %s' % (atom, each.text), 2.0 + mask.distance + each.distance, 'number')
    for one, other in itertools.combinations(sizes, 2):
        yield site.put('%s * %s' % (one.text, other.text), 2.2 + one.distance + other.distance, 'number')


MOST_SIZES = 12


def number(site: Site) -> Iterator[Mutation]:
    """A constant is another one: one more or less, its negative, its inverse, or a size that is in scope."""
    node = site.node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        value = -value if isinstance(value, (int, float)) else None
    elif isinstance(node, ast.Constant) and not isinstance(site.source.parents.get(node), ast.UnaryOp):
        value = node.value
    else:
        return
    if isinstance(value, bool):
        yield site.put(str(not value), 1.0, 'flag')
        return
    if isinstance(value, int):
        for cost, other in ((1, value + 1), (1, value - 1), (1, -value), (1.1, 0), (1.1, 1), (1.1, 2), (1.2, -1), (1.2, -2), (1.3, 3)):
            if other != value:
                yield site.put(str(other), cost, 'number')
        parent = site.source.parents.get(node)
        if isinstance(parent, ast.Call) and getattr(parent.func, 'attr', '') in ('full', 'full_like', 'array', 'asarray', 'tensor'):
            # An array of whole numbers takes nothing else; no number shows it where it is made.
            yield site.put('%d.0' % value, 0.9, 'dtype')
        yield site.put('0.5', 1.6, 'number')
    elif isinstance(value, float):
        others = [-value, 1.0, 2.0, 0.5, 0.0, value * 2, value / 2, value * 10, value / 10, -1e9]
        others += [1 / value] if value else []
        for other in others:
            if other != value:
                yield site.put(repr(other), 1.2, 'number')
        yield site.put("float('-inf')", 1.4, 'number')
    else:
        return
    for each in site.scope.numbers()[:24]:
        if site.scope.is_other(each, site.known):
            yield site.put(each.text, 1.4 + each.distance, 'number')


def operator(site: Site) -> Iterator[Mutation]:
    """Another operator, the operands exchanged, or one of them alone."""
    node, source = site.node, site.source
    if not isinstance(node, ast.BinOp):
        return
    left, right = source.of(node.left), source.of(node.right)
    own = _OPERATORS.get(type(node.op))
    if own:
        for other in _INSTEAD[own]:
            if other in '&|^' and site.known.sort == 'number':
                # What bits of two sizes have in common is nothing that was meant.
                continue
            tight = _BINDS.get(other, PRODUCT)
            a, b = source.grouped(node.left, tight), source.grouped(node.right, tight + 1)
            yield site.put('%s %s %s' % (a, other, b), 1.0, 'operator')
        if own in ('-', '/', '@', '**', '//', '%'):
            tight = _BINDS.get(own, PRODUCT)
            a, b = source.grouped(node.right, tight), source.grouped(node.left, tight + 1)
            yield site.put('%s %s %s' % (a, own, b), 1.1, 'order')
        if own == '@':
            a, b = source.grouped(node.left, PRODUCT), source.grouped(node.right, PRODUCT + 1)
            for one in transposed(site, a):
                for other in transposed(site, b):
                    yield site.put('%s @ %s' % (other, one), 1.8, 'order')
                    yield site.put('%s @ %s' % (one, other), 1.8, 'transpose')
            for one in transposed(site, a):
                yield site.put('%s @ %s' % (b, one), 1.6, 'order')
            for other in transposed(site, b):
                yield site.put('%s @ %s' % (other, a), 1.6, 'order')
    yield site.put(left, 1.0, 'drop')
    yield site.put(right, 1.0, 'drop')
    if isinstance(node.left, ast.BinOp):
        yield site.put(source.of(node.left.left), 1.15, 'drop')
    if own in ('*', '/') and isinstance(node.left, ast.BinOp) and _OPERATORS.get(type(node.left.op)) in ('+', '-'):
        # (a - b) * c where a - b * c was meant, and the other way about.
        inner = node.left
        sign = _OPERATORS[type(inner.op)]
        a, b = source.of(inner.left), source.grouped(inner.right, PRODUCT)
        yield site.put('%s %s %s %s %s' % (a, sign, b, own, source.grouped(node.right, PRODUCT + 1)), 1.2, 'parentheses')
    if own in ('+', '-') and isinstance(node.right, ast.BinOp) and _OPERATORS.get(type(node.right.op)) in ('*', '/'):
        inner = node.right
        a = '(%s %s %s)' % (left, own, source.of(inner.left))
        yield site.put('%s %s %s' % (a, _OPERATORS[type(inner.op)], source.grouped(inner.right, PRODUCT + 1)), 1.2, 'parentheses')
    if own in ('+', '-') and isinstance(node.left, ast.BinOp) and _OPERATORS.get(type(node.left.op)) in ('*', '/'):
        inner = node.left
        a = source.grouped(inner.left, PRODUCT)
        rest = '(%s %s %s)' % (source.of(inner.right), own, right)
        yield site.put('%s %s %s' % (a, _OPERATORS[type(inner.op)], rest), 1.2, 'parentheses')


def offset(site: Site) -> Iterator[Mutation]:
    """Plus a product of whole numbers that the file adds elsewhere: an offset into a flat array lacks a stride."""
    node, source = site.node, site.source
    is_sum = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
    if not is_sum or not isinstance(site.known.value, int) or isinstance(source.parents.get(node), ast.BinOp):
        return
    own = source.of(node)
    for text, distance in site.scope.strides():
        if text not in own:
            yield site.put('%s + %s' % (own, text), 1.3 + distance, 'term')


def counter(site: Site) -> Iterator[Mutation]:
    """What a loop or a comprehension counts, one more or one less: slopes, positions and places begin at 0 or at 1."""
    node = site.node
    if not isinstance(node, ast.Name):
        return
    is_counter = node.id in site.scope.counters
    place = site.source.parents.get(node)
    if isinstance(place, (ast.Subscript, ast.Slice)):
        return
    while not is_counter and place is not None and not isinstance(place, ast.stmt):
        targets = [g.target for g in getattr(place, 'generators', [])]
        is_counter = any(isinstance(n, ast.Name) and n.id == node.id for target in targets for n in ast.walk(target))
        place = site.source.parents.get(place)
    if is_counter:
        for by in ('+ 1', '- 1'):
            yield site.put('%s %s' % (site.text, by), 1.25, 'number')


def both(site: Site) -> Iterator[Mutation]:
    """`and` for `or` and the other way about, or one of the two alone."""
    node, source = site.node, site.source
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        left, right = node.values
        other = 'or' if isinstance(node.op, ast.And) else 'and'
        tight = 7 if other == 'and' else 6
        yield site.put('%s %s %s' % (source.grouped(left, tight), other, source.grouped(right, tight)), 1.0, 'operator')
        yield site.put(source.of(left), 1.0, 'drop')
        yield site.put(source.of(right), 1.0, 'drop')


def sign(site: Site) -> Iterator[Mutation]:
    """Negated or not, inverted or not."""
    node = site.node
    if isinstance(node, ast.UnaryOp):
        if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
            yield site.put(site.source.of(node.operand), 1.0, 'sign')
    elif site.known.sort == 'flag':
        yield site.put('~%s' % site.source.grouped(node, UNARY), 1.0, 'sign')
    elif site.known.sort in ('tensor', 'number') and not isinstance(node, ast.Constant):
        yield site.put('-%s' % site.source.grouped(node, UNARY), 1.1, 'sign')
        if isinstance(node, (ast.Name, ast.Call, ast.Attribute, ast.Subscript)):
            yield site.put('(1 - %s)' % site.text, 1.5, 'complement')


def comparison(site: Site) -> Iterator[Mutation]:
    """Another comparison, or its bound one more or less."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return
    own = _COMPARISONS.get(type(node.ops[0]))
    if own is None:
        return
    left, right = source.of(node.left), source.of(node.comparators[0])
    for other in _COMPARISONS.values():
        if other != own and (other in '<=>=') == (own in '<=>='):
            yield site.put('%s %s %s' % (left, other, right), 1.0, 'comparison')
    for shift in ('+ 1', '- 1'):
        yield site.put('%s %s %s %s' % (left, own, source.grouped(node.comparators[0], SUM), shift), 1.2, 'bound')
    for each in site.scope.numbers()[:16]:
        yield site.put('%s %s %s + %s' % (left, own, right, each.text), 1.6 + each.distance, 'bound')
        yield site.put('%s %s %s - %s' % (left, own, right, each.text), 1.6 + each.distance, 'bound')


def transposed(site: Site, text: str) -> List[str]:
    """`text` with its last two axes exchanged, as the file writes it; the empty list where it says so already."""
    file = site.source.text
    atom = text if _atomic(text) else '(%s)' % text
    if text.endswith('.T') or text.endswith('.mT'):
        return [text.rsplit('.', 1)[0]]
    forms = []
    for ending in ('.transpose(-2, -1)', '.transpose(-1, -2)', '.swapaxes(-1, -2)', '.transpose(2, 3)', '.transpose(1, 2)', '.transpose(0, 1, 3, 2)', '.transpose(0, 2, 1)'):
        if text.endswith(ending):
            return [text[: -len(ending)]]
        if ending in file:
            forms.append(atom + ending)
    if '.T' in file or not forms:
        forms.append('%s.T' % atom)
    if 'swapaxes(' in file and site.scope.numpy:
        forms.append('%s.swapaxes(%s, -1, -2)' % (site.scope.numpy, text))
    if site.scope.torch and not any('transpose(-' in form for form in forms):
        forms.append('%s.transpose(-2, -1)' % atom)
    return forms


def _atomic(text: str) -> bool:
    try:
        return binding(ast.parse(text.strip(), mode='eval').body) >= ATOM
    except SyntaxError:
        return False


def transpose(site: Site) -> Iterator[Mutation]:
    """A tensor's last two axes exchanged or not."""
    if site.known.sort in ('tensor', 'flag') and len(site.known.shape) >= 2:
        for text in transposed(site, site.text):
            yield site.put(text, 1.0, 'transpose')
    elif site.known.sort == 'object' and hasattr(site.known.value, 'T') and not site.text.endswith('.T'):
        yield site.put('%s.T' % site.source.grouped(site.node, ATOM), 1.0, 'transpose')
    node = site.node
    if isinstance(node, ast.Attribute) and node.attr in ('T', 'mT', 'data', 'real'):
        yield site.put(site.source.of(node.value), 0.9, 'drop')


def factor(site: Site) -> Iterator[Mutation]:
    """Times, or over, a number or a tensor that is in scope, or a function of one that gradients know."""
    if site.known.sort not in ('tensor', 'number') or isinstance(site.node, ast.Constant):
        return
    root = _sqrt(site)
    texts: List[Tuple[str, int, float]] = []
    for each in site.scope.numbers():
        value = float(each.known.value)
        is_index = each.text in site.scope.counters and not isinstance(site.known.value, int)
        if value in (0.0, 1.0) or is_index:
            continue
        texts.append((each.text, each.binds, each.distance))
        if float(value).is_integer() and value > 1 and root:
            texts.append(('%s(%s)' % (root, each.text), ATOM, each.distance + 0.3))
    if site.known.sort == 'tensor':
        for each in site.scope.tensors('flag'):
            for text in fitting(each, site.known.shape):
                for own in (text, '~%s' % text):
                    base = site.source.grouped(site.node, PRODUCT)
                    yield site.put('%s * %s' % (base, own), 1.5 + each.distance, 'factor')
        for each in site.scope.tensors():
            for text in fitting(each, site.known.shape):
                texts.append((text, ATOM, each.distance + 0.2))
            if len(each.known.shape) == len(site.known.shape) and broadcasts(site.known.shape, each.known.shape):
                texts.append((each.text, each.binds, each.distance + 0.3))
    for text, binds, distance in texts:
        if text == site.text:
            continue
        right = text if binds > PRODUCT else '(%s)' % text
        base = site.source.grouped(site.node, PRODUCT)
        yield site.put('%s * %s' % (base, right), 1.3 + distance, 'factor')
        yield site.put('%s / %s' % (base, right), 1.3 + distance, 'factor')
        yield site.put('%s * (1 - %s)' % (base, text), 2.0 + distance, 'factor')
        yield site.put('%s / (1 - %s)' % (base, text), 1.9 + distance, 'factor')
        yield site.put('%s * (1 - %s ** 2)' % (base, right), 2.0 + distance, 'factor')
    # Dearer than what the program names: such a number is often a size that happens to be it.
    for constant in ('2', '0.5'):
        yield site.put('%s * %s' % (site.source.grouped(site.node, PRODUCT), constant), 2.2, 'factor')


def power(site: Site) -> Iterator[Mutation]:
    """Squared, or its root."""
    node = site.node
    if site.known.sort not in ('tensor', 'number') or isinstance(node, (ast.Constant, ast.BinOp, ast.UnaryOp)):
        return
    parent = site.source.parents.get(node)
    if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow):
        return
    yield site.put('%s ** 2' % site.source.grouped(node, ATOM), 1.2, 'power')
    root = _sqrt(site)
    if root and (site.known.sort == 'number' or not root.startswith('math')):
        yield site.put('%s(%s)' % (root, site.text), 1.2, 'power')


def function(site: Site) -> Iterator[Mutation]:
    """A function of a tensor where the tensor itself stands: its logarithm, its exponential."""
    node = site.node
    if site.known.sort != 'tensor' or isinstance(node, ast.Constant):
        return
    module = site.scope.torch if _torch(site) else site.scope.numpy
    if not module:
        return
    own = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ''
    for cost, name in ((1.4, 'log'), (1.4, 'exp'), (1.6, 'log2'), (1.6, 'exp2'), (1.7, 'tanh')):
        if name != own:
            yield site.put('%s.%s(%s)' % (module, name, site.text), cost, 'function')


def _sqrt(site: Site) -> str:
    for module in ('np', 'numpy', 'math', 'torch'):
        if module + '.sqrt' in site.source.text:
            return module + '.sqrt'
    if site.scope.numpy:
        return site.scope.numpy + '.sqrt'
    return 'math.sqrt' if 'math' in site.scope.merged else ''


def fitting(each: Ingredient, shape: Tuple[int, ...]) -> Iterator[str]:
    """`each` as written where it broadcasts to `shape`, with a new axis where it takes one."""
    own = each.known.shape
    atom = each.text if each.binds >= ATOM else '(%s)' % each.text
    if own == shape or broadcasts(own, shape) and len(own) == len(shape):
        yield each.text
    if len(own) < len(shape):
        if broadcasts(own, shape):
            yield each.text
        if len(own) + 1 == len(shape):
            if own == shape[:-1]:
                yield '%s[..., None]' % atom if len(own) > 1 else '%s[:, None]' % atom
            if own == shape[:-2] + shape[-1:] and len(own) > 1:
                yield '%s[..., None, :]' % atom


def term(site: Site) -> Iterator[Mutation]:
    """Plus, or minus, a tensor that is in scope, or the row term of a softmax's gradient."""
    if site.known.sort != 'tensor' or not site.known.shape:
        return
    base = site.source.grouped(site.node, SUM)
    for each in site.scope.numbers()[:20]:
        if not isinstance(each.known.value, int):
            yield site.put('%s - %s' % (base, each.text), 1.5 + each.distance, 'term')
            yield site.put('%s + %s' % (base, each.text), 1.5 + each.distance, 'term')
    for each in site.scope.tensors():
        if each.text == site.text:
            continue
        for text in fitting(each, site.known.shape):
            yield site.put('%s - %s' % (base, text), 1.5 + each.distance, 'term')
            yield site.put('%s + %s' % (base, text), 1.5 + each.distance, 'term')
    if len(site.known.shape) < 1:
        return
    same = [e for e in site.scope.tensors() if e.known.shape == site.known.shape][:10]
    for text in row_terms(site, same):
        yield site.put('%s - %s' % (base, text), 2.2, 'row term')
    for weights in same:
        if weights.text != site.text:
            inner = next(iter(row_terms(site, [], '%s' % site.text)), None)
            if inner:
                yield site.put('%s - %s * %s' % (base, weights.text, inner), 2.3, 'row term')


def row_terms(site: Site, same: List[Ingredient], single: str = '') -> Iterator[str]:
    """Sums over the keys of a product of two tensors of this shape, kept as an axis where there are rows."""
    keep = 'keepdim=True' if _torch(site) else 'keepdims=True'
    axis = 'dim' if _torch(site) else 'axis'
    rank = len(site.known.shape)
    products = [single] if single else [
        '%s * %s' % (a.text, b.text) for a, b in itertools.combinations(same + [_own(site)], 2) if a.text != b.text
    ]
    for product in products:
        if rank == 1:
            yield '(%s).sum()' % product
        else:
            yield '(%s).sum(%s=-1, %s)' % (product, axis, keep)
            if rank == 2:
                yield '(%s).sum(%s=0, %s)' % (product, axis, keep)


def _own(site: Site) -> Ingredient:
    return Ingredient(site.source.grouped(site.node, PRODUCT), PRODUCT, site.known, 0)


def _torch(site: Site) -> bool:
    return site.scope.torch is not None and (site.scope.numpy is None or 'keepdim=' in site.source.text)


def triangle(site: Site) -> Iterator[Mutation]:
    """The upper or lower triangle of a square alone: a causal mask without a mask."""
    shape = site.known.shape
    if site.known.sort != 'tensor' or len(shape) < 2 or isinstance(site.node, ast.Constant):
        return
    for name in ('tril', 'triu'):
        if _torch(site):
            yield site.put('%s.%s()' % (site.source.grouped(site.node, ATOM), name), 1.9, 'mask')
        elif site.scope.numpy:
            yield site.put('%s.%s(%s)' % (site.scope.numpy, name, site.text), 1.9, 'mask')


def subscript(site: Site) -> Iterator[Mutation]:
    """Other bounds, another index, a new axis, or the whole."""
    node, source = site.node, site.source
    if not isinstance(node, ast.Subscript):
        if site.known.sort == 'tensor' and isinstance(node, (ast.Name, ast.Attribute, ast.Call)):
            yield from _new_axes(site)
        return
    base = source.of(node.value)
    yield site.put(base, 1.0, 'drop')
    index = node.slice
    index = index.value if type(index).__name__ == 'Index' else index
    parts = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    inside = [source.of(part) if not isinstance(part, ast.Slice) else _slice(source, part) for part in parts]
    for at, part in enumerate(parts):
        for text, cost in _other_index(site, part):
            new = inside[:at] + [text] + inside[at + 1 :]
            yield site.put('%s[%s]' % (base, ', '.join(new)), cost, 'index')
    for at in [k for k, text in enumerate(inside) if text == 'None' and '...' not in inside]:
        new = inside[:at] + [':'] + inside[at:]
        yield site.put('%s[%s]' % (base, ', '.join(new)), 1.1, 'new axis')
    for one, other in itertools.combinations(range(len(inside)), 2):
        new = list(inside)
        new[one], new[other] = new[other], new[one]
        if new != inside:
            yield site.put('%s[%s]' % (base, ', '.join(new)), 1.0, 'index')


def _new_axes(site: Site) -> Iterator[Mutation]:
    rank = len(site.known.shape)
    atom = site.source.grouped(site.node, ATOM)
    if rank == 1:
        yield site.put('%s[:, None]' % atom, 1.2, 'new axis')
        yield site.put('%s[None, :]' % atom, 1.3, 'new axis')
    elif rank > 1:
        yield site.put('%s[..., None]' % atom, 1.3, 'new axis')
        yield site.put('%s[..., None, :]' % atom, 1.4, 'new axis')
        yield site.put('%s[:, None]' % atom, 1.4, 'new axis')
        yield site.put('%s[None]' % atom, 1.5, 'new axis')


def _slice(source, part: ast.Slice) -> str:
    text = '%s:%s' % (source.of(part.lower) if part.lower else '', source.of(part.upper) if part.upper else '')
    return text + (':%s' % source.of(part.step) if part.step else '')


def _other_index(site: Site, part: ast.expr) -> Iterator[Tuple[str, float]]:
    source = site.source
    if isinstance(part, ast.Slice):
        low = source.of(part.lower) if part.lower else ''
        high = source.of(part.upper) if part.upper else ''
        yield ':', 1.2
        for text in [e.text for e in site.scope.numbers()[:14]]:
            if text != low:
                yield '%s:%s' % (text, high), 1.4
            if text != high:
                yield '%s:%s' % (low, text), 1.4
            if low and high:
                yield '%s:%s + %s' % (text, text, high.split('+')[-1].strip()), 1.6
        for shift in ('+ 1', '- 1'):
            if low:
                yield '%s %s:%s' % (low, shift, high), 1.2
            if high:
                yield '%s:%s %s' % (low, high, shift), 1.2
        if low and high:
            for by in (-1, 1):
                yield '%s:%s' % (_more(source, part.lower, by), _more(source, part.upper, by)), 1.15
        for text in _slices(site, part):
            yield text, 1.4
        if part.lower is not None and isinstance(part.upper, ast.BinOp) and isinstance(part.upper.op, ast.Add):
            # h:h + n where block number h of n entries was meant.
            parts = [source.grouped(each, SUM) for each in (part.upper.left, part.upper.right)]
            for width in [each for each in parts if each != low]:
                start = source.grouped(part.lower, PRODUCT)
                yield '%s * %s:(%s + 1) * %s' % (start, width, low, width), 1.05
        if not low:
            yield '1:%s' % high, 1.3
        if not high:
            yield '%s:-1' % low, 1.3
        yield 'None', 1.6
        if not low and not high:
            yield '...', 1.2
        return
    text = source.of(part)
    if text == 'None':
        yield ':', 1.2
        return
    if text != ':':
        yield ':', 1.4
        yield 'None', 1.8
    if isinstance(part, ast.Constant) and not isinstance(part.value, int):
        keys = _keys(site)
        for key in keys:
            if key != part.value:
                yield repr(key), 1.1
        return
    for other in ['%s + 1' % text, '%s - 1' % text, '0', '1', '-1']:
        yield other, 1.3
    for each in site.scope.numbers()[:20]:
        if each.text != text and isinstance(each.known.value, int):
            yield each.text, 1.1 + each.distance


def _more(source, node: Optional[ast.expr], by: int) -> str:
    """An expression plus 1 or minus 1; without a 1 that it takes off or adds."""
    text = source.of(node)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return str(node.value + by)
    if isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and node.right.value == 1:
        own = {ast.Add: 1, ast.Sub: -1}.get(type(node.op))
        if own == -by:
            return source.of(node.left)
    return '%s %s 1' % (text, '+' if by > 0 else '-')


def _slices(site: Site, part: ast.Slice) -> List[str]:
    """Slices that stand elsewhere in the function."""
    own = _slice(site.source, part)
    found: Dict[str, float] = {}
    for node in ast.walk(site.source.function_of(site.scope.statement)):
        if isinstance(node, ast.Subscript):
            index = node.slice
            index = index.value if type(index).__name__ == 'Index' else index  # type: ignore[attr-defined]
            for each in index.elts if isinstance(index, ast.Tuple) else [index]:
                text = _slice(site.source, each) if isinstance(each, ast.Slice) else ':'
                if text not in (':', own):
                    near = abs(node.lineno - site.scope.statement.lineno)
                    found[text] = min(near, found.get(text, near))
    return sorted(found, key=lambda text: found[text])[:MOST_SLICES]


MOST_SLICES = 8


def _keys(site: Site) -> List[str]:
    try:
        value = site.scope.evaluate(site.source.of(site.node.value))  # type: ignore[attr-defined]
        return [key for key in value if isinstance(key, str)][:20]
    except Exception:  # noqa: BLE001 - no keys are known then
        return []


def reduce_more(site: Site) -> Iterator[Mutation]:
    """A sum over an axis that the result should not have, or over groups of heads."""
    shape = site.known.shape
    if site.known.sort != 'tensor' or len(shape) < 1 or isinstance(site.node, ast.Constant):
        return
    atom = site.source.grouped(site.node, ATOM)
    axis = 'dim' if _torch(site) else 'axis'
    for at in range(len(shape)):
        yield site.put('%s.sum(%s=%d)' % (atom, axis, at), 1.5, 'sum')
    if len(shape) >= 3:
        yield site.put('%s.sum(%s=(0, 1))' % (atom, axis), 1.6, 'sum')
        for each in site.scope.numbers()[:30]:
            groups = each.known.value
            for at in (0, 1):
                if isinstance(groups, int) and 1 < groups < shape[at] and shape[at] % groups == 0:
                    rest = ', '.join('%s.shape[%d]' % (atom, k) for k in range(at + 1, len(shape)))
                    lead = ', '.join('%s.shape[%d]' % (atom, k) for k in range(at))
                    lead = lead + ', ' if lead else ''
                    yield site.put('%s.reshape(%s%s, -1, %s).sum(%d)' % (atom, lead, each.text, rest, at + 1), 2.0, 'sum')


def hidden(site: Site) -> Iterator[Mutation]:
    """Masked by a mask that is in scope."""
    if site.known.sort != 'tensor' or len(site.known.shape) < 2:
        return
    torch, module = _torch(site), site.scope.torch if _torch(site) else site.scope.numpy
    if not module:
        return
    atom = site.source.grouped(site.node, ATOM)
    for condition in _conditions(site):
        for cost, value in _filled(site, torch, module):
            if torch:
                yield site.put('%s.masked_fill(%s, %s)' % (atom, condition, value), cost, 'mask')
            else:
                yield site.put('%s.where(%s, %s, %s)' % (module, condition, value, site.text), cost, 'mask')


def _conditions(site: Site) -> Iterator[str]:
    """Where to mask: masks that are in scope and their complements, as the program would write them."""
    for mask in site.scope.tensors('flag'):
        for text in fitting(mask, site.known.shape):
            atom = text if _atomic(text) else '(%s)' % text
            yield text
            yield '~%s' % atom
    for mask in site.scope.tensors():
        if 'mask' in mask.text or 'pad' in mask.text:
            for text in fitting(mask, site.known.shape):
                yield '%s == 0' % text
                yield '%s != 0' % text


def _filled(site: Site, torch: bool, module: str) -> Iterator[Tuple[float, str]]:
    yield 1.9, "float('-inf')" if torch else '-%s.inf' % module
    for value in ('-1e9', '-1e10', '-1e4'):
        if value in site.source.text:
            yield 1.8, value
    yield 2.0, '0.0'


def rescaled(site: Site) -> Iterator[Mutation]:
    """Times the exponential of a difference of two of the running numbers of a softmax in tiles."""
    if site.known.sort != 'tensor' or 'exp(' not in site.source.text or isinstance(site.node, ast.Constant):
        return
    module = site.scope.torch if _torch(site) else site.scope.numpy
    shape = site.known.shape
    rows = [each for each in site.scope.tensors() if (each.known.shape != shape or len(shape) < 2) and any(fitting(each, shape))][:10]
    for one, other in itertools.permutations(rows, 2):
        if one.known.shape == other.known.shape and module:
            difference = '%s.exp(%s - %s)' % (module, one.text, other.text)
            each = Ingredient(difference, ATOM, one.known, one.distance + other.distance)
            for text in fitting(each, site.known.shape):
                yield site.put('%s * %s' % (text, site.source.grouped(site.node, PRODUCT + 1)), 2.3 + each.distance, 'factor')


def conjugate(site: Site) -> Iterator[Mutation]:
    """A rotation the other way about."""
    if site.known.sort == 'tensor' and 'complex' in site.source.text and isinstance(site.node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        text = site.text
        yield site.put(text[: -len('.conj()')] if text.endswith('.conj()') else '%s.conj()' % site.source.grouped(site.node, ATOM), 1.4, 'complement')


OPERATORS = (
    operand, stands_for, divided, callee, number, counted, given_later, operator, offset, both, sign, comparison, transpose, factor, power, function, term, counter, subscript, reduce_more, hidden,
    triangle, rescaled, conjugate,
)
