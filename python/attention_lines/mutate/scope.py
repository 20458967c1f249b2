"""What an edit may take from: the expressions of a function's text that have a value in its frame, with their shapes."""
import ast
import math
import sys
import types
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from .source import Source, binding

PURE = frozenset(
    'sqrt rsqrt exp exp2 log log2 log1p expm1 tanh sin cos sum mean max min amax amin abs reshape view transpose permute '
    'swapaxes swapdims moveaxis movedim ravel flatten squeeze unsqueeze expand_dims expand broadcast_to triu tril ones '
    'zeros arange full eye where maximum minimum einsum matmul dot vdot inner outer tensordot softmax logsumexp len float '
    'int bool size dim numel item astype to double half bfloat16 copy clone detach zeros_like ones_like full_like '
    'empty_like repeat repeat_interleave tile concatenate cat stack split chunk tensor_split unbind range zip enumerate '
    'reversed sorted tuple list dict masked_fill contiguous t mT bmm mm addmm baddbmm mul div add sub neg type_as '
    'array asarray tensor as_tensor power square float32 float64 float16 bool_ isinf isfinite isnan logical_not '
    'logical_and logical_or triu_indices tril_indices clip clamp sign roll flip cumsum prod std var round keys values '
    'items get pow new_zeros new_ones new_full reciprocal norm linear'.split()
)
"""Functions and methods that only compute: a call of one may be evaluated again."""


_ACTS = frozenset(
    'print open input exec eval compile backward step append extend insert pop popitem update setdefault clear remove '
    'seed manual_seed rand randn randint random normal uniform standard_normal choice shuffle permutation dropout '
    'save savez savez_compressed savetxt write writelines tofile dump dumps show savefig plot imshow system run Popen '
    'call check_call check_output exit quit sleep urlopen connect send zero_ fill_ copy_ add_ sub_ mul_ div_ '
    'masked_fill_ __setitem__ apply'.split()
)
"""Calls that do something, or draw random numbers: never evaluated again for the sake of looking."""


LONGEST_TENSOR = 30
"""Characters of an expression whose tensor may be meant elsewhere."""
LONGEST_NUMBER = 60
"""Characters of an expression that is taken for a number that is used."""


class Value(NamedTuple):
    """
    What is known of a value: 'tensor', 'number', 'flag' (a tensor of truth values), 'object' (of a class of the person's
    own, with tensors; `value` is the class) or 'other'.
    """

    sort: str
    shape: Tuple[int, ...] = ()
    value: Any = None


class Ingredient(NamedTuple):
    text: str
    binds: int
    known: Value
    distance: float
    """0 for what the function names itself, more for what is farther away."""


def is_tensor(value: Any) -> bool:
    numpy, torch = sys.modules.get('numpy'), sys.modules.get('torch')
    return bool(
        (numpy is not None and isinstance(value, numpy.ndarray) and value.dtype.kind in 'fiubc')
        or (torch is not None and isinstance(value, torch.Tensor))
    )


def describe(value: Any) -> Value:
    if is_tensor(value):
        shape = tuple(int(n) for n in value.shape)
        boolean = str(value.dtype).endswith('bool')
        return Value('flag' if boolean else 'tensor', shape)
    if isinstance(value, bool):
        return Value('other', (), value)
    numpy = sys.modules.get('numpy')
    if isinstance(value, (int, float)) or (numpy is not None and isinstance(value, numpy.generic)):
        try:
            return Value('number', (), value)
        except (TypeError, ValueError):
            return Value('other')
    if holds_tensors(value):
        return Value('object', (), type(value))
    return Value('other')


def holds_tensors(value: Any) -> bool:
    """Whether it is what a person's own engine for gradients computes with: no layer, and no library's."""
    torch = sys.modules.get('torch')
    kind = type(value)
    if kind.__module__.partition('.')[0] in ('builtins', 'numpy', 'torch', 'types', 'functools') or isinstance(value, type):
        return False
    if torch is not None and isinstance(value, torch.nn.Module) or not hasattr(kind, '__matmul__') and not hasattr(kind, '__add__'):
        return False
    return any(is_tensor(part) for part in list(getattr(value, '__dict__', {}).values())[:40])


def pure(node: ast.AST, own: FrozenSet[str] = frozenset()) -> bool:
    """Whether evaluating `node` again can change nothing: every call in it only computes, as those of `own` names do."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, 'id', '')
            if isinstance(part.func, ast.Name) and name in own:
                continue
            if name not in PURE or any(k.arg == 'out' for k in part.keywords):
                return False
            if isinstance(part.func, ast.Attribute) and 'random' in ast.dump(part.func):
                return False
        elif isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda)):
            return False
    return True


def quiet(node: ast.AST) -> bool:
    """Whether `node` may be evaluated in a copy of the frame: no call in it is known to act."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            name = part.func.attr if isinstance(part.func, ast.Attribute) else getattr(part.func, 'id', '')
            if name in _ACTS or name.endswith('_') or any(k.arg == 'out' for k in part.keywords):
                return False
        elif isinstance(part, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda)):
            return False
    return True


def _unread(function: ast.AST) -> Set[str]:
    """What the function takes or binds, and never uses: it was meant somewhere."""
    names = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
    given = getattr(function, 'args', None)
    taken = {each.arg for each in given.args + given.kwonlyargs} - {'self', 'cls', 'ctx'} if given else set()
    bound = {n.id for n in names if isinstance(n.ctx, ast.Store) and not n.id.startswith('_')} if given else set()
    return (taken | bound) - {n.id for n in names if isinstance(n.ctx, ast.Load)}


class Scope:
    """The names of one frame, and every expression of the function's text that has a value there."""

    def __init__(self, source: Source, statement: ast.stmt, names: Dict[str, Any], outer: Dict[str, Any]):
        self.source, self.statement = source, statement
        self.names, self.outer = names, outer
        # One namespace: a comprehension that is evaluated alone sees no other.
        self.merged = names if names is outer else {**outer, **names}
        self._values: Dict[str, Value] = {}
        self.numpy = self._alias('numpy')
        self.torch = self._alias('torch')
        self._own_names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        self.bound = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.counters = self._counters()
        self.left_over = self._left_over()
        self._unary: Optional[List[str]] = None
        self.computing = self._functions_that_compute()
        self._numbers: Optional[List[Ingredient]] = None
        self.ingredients = self._collect()

    def _functions_that_compute(self) -> FrozenSet[str]:
        """Names of the file's own functions of which a call changes nothing."""
        return frozenset(
            node.name
            for node in self.source.tree.body
            if isinstance(node, ast.FunctionDef) and isinstance(self.merged.get(node.name), types.FunctionType) and _only_computes(node)
        )

    def _counters(self) -> Set[str]:
        """Names of the loops around the statement that hold whole numbers: equal ones are so in this iteration alone."""
        found: Set[str] = set()
        node: ast.AST = self.statement
        while node in self.source.parents and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node = self.source.parents[node]
            if isinstance(node, ast.For):
                found |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
        return {name for name in found if isinstance(self.merged.get(name), int)}

    def _left_over(self) -> Set[str]:
        """Names that hold what a loop elsewhere counted last: nobody means that."""
        around, node = set(), self.statement
        while node in self.source.parents:
            node = self.source.parents[node]  # type: ignore[assignment]
            around.add(node)
        counted: Set[str] = set()
        bound: Set[str] = set()
        for node in ast.walk(self.source.tree):
            targets = [node.target] if isinstance(node, ast.For) else node.targets if isinstance(node, ast.Assign) else []  # type: ignore[list-item]
            names = {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            if isinstance(node, ast.For) and node not in around:
                counted |= names
            else:
                bound |= names
        return {name for name in counted - bound if isinstance(self.merged.get(name), int)}

    def _alias(self, module: str) -> Optional[str]:
        wanted = sys.modules.get(module)
        if wanted is None:
            return None
        for name, value in list(self.names.items()) + list(self.outer.items()):
            if value is wanted:
                return name
        return None

    def evaluate(self, text: str) -> Any:
        return eval(compile(text.strip(), '<edit>', 'eval'), self.merged)  # the person's own expression

    def known(self, node: ast.AST) -> Value:
        """What `node`'s value is like in this frame; 'other' where it cannot be evaluated."""
        text = self.source.of(node)
        if text not in self._values:
            self._values[text] = self._look(node, text)
        return self._values[text]

    def _look(self, node: ast.AST, text: str) -> Value:
        inside = isinstance(node, ast.expr) and (pure(node, self.computing) or self._is_own(node) and quiet(node))
        if not inside or '\n' in text and len(text) > 2000:
            return Value('other')
        try:
            return describe(self.evaluate('(%s)' % text))
        except Exception:  # noqa: BLE001 - any error only says that it has no value here
            return Value('other')

    def _is_own(self, node: ast.AST) -> bool:
        """Whether `node` is a part of the statement that is edited: what it calls is called there anyhow."""
        first, last = self.statement.lineno, self.statement.end_lineno or self.statement.lineno
        return first <= getattr(node, 'lineno', 0) <= last

    def known_text(self, text: str) -> Value:
        """What the value of an expression given as text is like."""
        if text not in self._values:
            try:
                self._values[text] = describe(self.evaluate(text)) if pure(ast.parse(text, mode='eval')) else Value('other')
            except Exception:  # noqa: BLE001 - any error only says that it has no value here
                self._values[text] = Value('other')
        return self._values[text]

    def _collect(self) -> List[Ingredient]:
        found: Dict[str, Ingredient] = {}

        def add(text: str, binds: int, known: Value, distance: float) -> None:
            distance += LEFT_OVER if text in self.left_over else 0
            if known.sort == 'other' or text in found and found[text].distance <= distance:
                return
            found[text] = Ingredient(text, binds, known, distance)

        function = self.source.function_of(self.statement)
        for node in ast.walk(function):
            if isinstance(node, ast.expr) and _is_reference(node) and _loads(node):
                near = abs(getattr(node, 'lineno', 0) - self.statement.lineno)
                add(self.source.of(node), binding(node), self.known(node), min(near, 40) / 100)
        for text, binds, known, distance in self._computed(function):
            add(text, binds, known, distance)
        for text, known, distance in self._alike(function):
            add(text, 20, known, distance)
        for text, binds, known in self._elsewhere(function):
            add(text, binds, known, 0.6)
        unread = _unread(function)
        for name, value in list(self.names.items()):
            if not name.startswith('__'):
                self._add_named(add, name, value, 0 if name in unread else 0.4)
        if self.outer is not self.names:
            for name, value in list(self.outer.items()):
                if not name.startswith('__'):
                    self._add_named(add, name, value, 0.8)
        return sorted(found.values(), key=lambda each: (each.distance, len(each.text)))

    def _computed(self, function: ast.AST) -> Iterator[Tuple[str, int, Value, float]]:
        """Numbers that the file computes where it uses them, such as a scale: those of this function first."""
        own = set(ast.walk(function))
        for node in ast.walk(self.source.tree):
            if not isinstance(node, (ast.BinOp, ast.Call)) or not any(isinstance(n, ast.Name) for n in ast.walk(node)):
                continue
            text = self.source.of(node)
            if len(text) > LONGEST_NUMBER or not pure(node, self.computing):
                continue
            known = self.known(node)
            near = min(abs(node.lineno - self.statement.lineno), 40) / 100 if node in own else 0.5
            if known.sort == 'number':
                yield text, binding(node), known, near + 0.1
            elif known.sort in ('tensor', 'flag') and known.shape and len(text) <= LONGEST_TENSOR and not self._is_own(node):
                yield text, binding(node), known, near + 0.5

    def _alike(self, function: ast.AST) -> Iterator[Tuple[str, Value, float]]:
        """The same part of another tensor of the same shape: `delta[i:i + n]` where `lse[i:i + n]` stands."""
        named = {name: describe(value) for name, value in self.names.items() if is_tensor(value)}
        parts = [n for n in ast.walk(function) if isinstance(n, ast.Subscript) and isinstance(n.value, ast.Name) and _loads(n)]
        for node in parts:
            own, known = named.get(node.value.id), self.known(node)  # type: ignore[attr-defined]
            near = abs(node.lineno - self.statement.lineno)
            if own is None or not known.shape or near > 12:
                continue
            rest = self.source.of(node)[len(node.value.id) :]  # type: ignore[attr-defined]
            for name, other in named.items():
                if name != node.value.id and other == own:  # type: ignore[attr-defined]
                    yield name + rest, known, near / 100 + 0.2

    def _elsewhere(self, function: ast.AST) -> Iterator[Tuple[str, int, Value]]:
        """Elements that other functions of the file take by names that this frame has as well."""
        own = set(ast.walk(function))
        for node in ast.walk(self.source.tree):
            if isinstance(node, ast.Subscript) and node not in own and _is_reference(node) and _loads(node):
                if all(n.id in self.merged for n in ast.walk(node) if isinstance(n, ast.Name)):
                    yield self.source.of(node), binding(node), self.known(node)

    def _add_named(self, add: Any, name: str, value: Any, distance: float) -> None:
        known = describe(value)
        add(name, 20, known, distance)
        shape = known.shape if known.sort == 'tensor' else _shape_of(value) if known.sort == 'object' else ()
        if shape and distance < 0.8:
            near = 0.2 if name in self._own_names else 0.5
            for axis in range(len(shape)):
                add('%s.shape[%d]' % (name, axis), 20, Value('number', (), shape[axis]), distance + near)
        if known.sort == 'tensor' and shape and distance < 0.8:
            count = '%s.numel()' if hasattr(value, 'numel') else '%s.size'
            add(count % name, 20, Value('number', (), math.prod(known.shape)), distance + near + 0.1)
        for text, part in _parts(name, value):
            add(text, 20, describe(part), distance + 0.2)

    def callees(self, node: ast.expr) -> List[str]:
        """What may be called in place of `node`: layers beside it, functions of the same file with as many parameters."""
        if isinstance(node, ast.Attribute) and _is_reference(node.value):
            try:
                owner = self.evaluate(self.source.of(node.value))
                own = getattr(owner, node.attr)
            except Exception:  # noqa: BLE001 - any error only says that it has no value here
                return []
            if isinstance(owner, types.ModuleType) and not isinstance(own, types.FunctionType):
                return []
            beside = {**vars(type(owner)), **getattr(owner, '__dict__', {}), **_layers(owner)}
            base = self.source.of(node.value)
            return ['%s.%s' % (base, name) for name, other in beside.items() if name != node.attr and _alike(own, other)]
        if isinstance(node, ast.Name) and node.id in self.merged:
            own = self.merged[node.id]
            return [name for name, other in self.merged.items() if name != node.id and _alike(own, other)]
        return []

    def unary(self) -> List[str]:
        """Functions and methods of the file that take one argument and only compute, as they are called here."""
        if self._unary is None:
            found = []
            owner = self.names.get('self')
            for node in ast.walk(self.source.tree):
                if not isinstance(node, ast.FunctionDef) or not _only_computes(node):
                    continue
                names = [each.arg for each in node.args.args]
                is_method = names[:1] == ['self'] and callable(getattr(type(owner), node.name, None))
                if is_method and len(names) == 2:
                    found.append('self.' + node.name)
                elif len(names) - len(node.args.defaults) == 1 and isinstance(self.merged.get(node.name), types.FunctionType):
                    found.append(node.name)
            self._unary = (self._closures() + found)[:MOST_UNARY]
        return self._unary

    def _closures(self) -> List[str]:
        """Names of functions that other functions of the file made: of one argument, and only computing."""
        made = {
            (node.name, node.lineno): node
            for node in ast.walk(self.source.tree)
            if isinstance(node, ast.FunctionDef) and self.source.function_of(node) is not self.source.tree
        }
        found = []
        for name, value in self.names.items():
            code = value.__code__ if isinstance(value, types.FunctionType) else None
            node = made.get((code.co_name, code.co_firstlineno)) if code else None
            if node is not None and len(node.args.args) - len(node.args.defaults) == 1 and _only_computes(node):
                found.append(name)
        return found

    def tensors(self, sort: str = 'tensor') -> List[Ingredient]:
        return [each for each in self.ingredients if each.known.sort == sort and each.known.shape]

    def numbers(self) -> List[Ingredient]:
        """The numbers, each value by its nearest names."""
        if self._numbers is None:
            names: Dict[float, int] = {}
            self._numbers = []
            for each in self.ingredients:
                value = _real(each.known.value) if each.known.sort == 'number' else math.nan
                if each.text in self.counters:
                    self._numbers.append(each)
                elif math.isfinite(value) and names.get(value, 0) < MOST_NAMES:
                    names[value] = names.get(value, 0) + 1
                    self._numbers.append(each)
            self._numbers.sort(key=lambda each: each.text not in self.counters)
        return self._numbers[:60]

    def strides(self) -> List[Tuple[str, float]]:
        """Products of whole numbers that stand in sums of this file, such as `h * hs`, with how far away they are; the nearest first."""
        found: Dict[str, float] = {}
        for node in ast.walk(self.source.tree):
            if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
                continue
            for part in (node.left, node.right):
                is_product = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult)
                text = self.source.of(part)
                if is_product and isinstance(self.known(part).value, int) and len(text) <= LONGEST_TENSOR:
                    near = min(abs(part.lineno - self.statement.lineno), 40) / 100
                    found[text] = min(near, found.get(text, near))
        return sorted(found.items(), key=lambda each: each[1])[:MOST_STRIDES]

    def is_other(self, one: Ingredient, known: Value, text: str = '') -> bool:
        """Whether a number is another one than what `text` is, in this iteration or in the next ones."""
        return one.known.value != known.value or one.text in self.counters or text in self.counters


LEFT_OVER = 1.5
MOST_UNARY = 6
MOST_STRIDES = 8
MOST_NAMES = 4
"""Of one number: which of them was meant shows in other sizes."""


def _shape_of(value: Any) -> Tuple[int, ...]:
    shape = getattr(value, 'shape', ())
    return shape if isinstance(shape, tuple) and all(isinstance(n, int) for n in shape) else ()


def _only_computes(function: ast.FunctionDef) -> bool:
    """Whether a call of it changes nothing but its own names."""
    for node in ast.walk(function):
        if isinstance(node, (ast.Global, ast.Nonlocal, ast.Delete)) or isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
            return False
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, (ast.AugAssign, ast.AnnAssign)) else []
        for each in targets:
            if isinstance(node, ast.AugAssign) or not isinstance(each, (ast.Name, ast.Tuple)):
                return False
        if isinstance(node, ast.FunctionDef) and node is not function:
            return False
    return any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function)) and quiet(function)


def _layers(value: Any) -> Dict[str, Any]:
    """What a module of PyTorch holds beside its attributes."""
    found: Dict[str, Any] = {}
    for kind in ('_parameters', '_buffers', '_modules'):
        held = getattr(value, kind, None)
        if isinstance(held, dict):
            found.update((name, part) for name, part in held.items() if part is not None and str(name).isidentifier())
    return found


def _alike(own: Any, other: Any) -> bool:
    """Two layers of one class, or two functions of one file with as many parameters."""
    if isinstance(own, types.MethodType):
        own = own.__func__
    if isinstance(own, types.FunctionType):
        if not isinstance(other, types.FunctionType) or other is own:
            return False
        a, b = own.__code__, other.__code__
        return a.co_filename == b.co_filename and a.co_argcount == b.co_argcount and not _is_installed(a.co_filename)
    if isinstance(own, (type, types.BuiltinFunctionType, types.ModuleType)) or not callable(own):
        return False
    return type(own) is type(other) and other is not own


def _is_installed(file: str) -> bool:
    """Whether code is a package's or made by one: its functions are no alternatives to one another, and some write files."""
    return file.startswith('<') or 'site-packages' in file or 'dist-packages' in file


def _real(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _parts(name: str, value: Any) -> Iterable[Tuple[str, Any]]:
    if isinstance(value, dict) and len(value) <= 40:
        for key, part in list(value.items()):
            if isinstance(key, str):
                yield '%s["%s"]' % (name, key), part
    elif isinstance(value, tuple) and hasattr(value, '_fields'):
        for field in value._fields:
            yield '%s.%s' % (name, field), getattr(value, field)
    elif hasattr(value, '__dict__') and not is_tensor(value) and not isinstance(value, type(sys)):
        for field, part in list({**vars(value), **_layers(value)}.items())[:40]:
            if not field.startswith('_'):
                yield '%s.%s' % (name, field), part


def _loads(node: ast.AST) -> bool:
    return isinstance(getattr(node, 'ctx', None), ast.Load)


def _is_reference(node: ast.AST) -> bool:
    """A name, an attribute or an element of one: what people pass around."""
    if isinstance(node, ast.Name):
        return True
    if isinstance(node, ast.Attribute):
        return _is_reference(node.value) and node.attr not in ('T', 'mT')
    if isinstance(node, ast.Subscript):
        return _is_reference(node.value) and pure(node)
    return False
