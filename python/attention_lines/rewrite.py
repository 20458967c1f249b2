"""Rewrites a module's syntax tree so that every statement tells a recorder what it read and bound.

Each hook is a method call on the recorder, which stands in the code as a constant: no name is added to any
namespace, so redefined built-ins, locals() and globals() are as they were. What can raise keeps its own place.
"""

from __future__ import annotations

import ast
import sys
import types

from .frames import LAZY
from .jit import Jits
from .libraries import MUTATORS, PLAIN_ATTRIBUTES, PURE_BUILTINS, PURE_METHODS, PURE_MODULES
from .statements import loads_of

KEY = "\0attention_lines\0"
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
READ, PART, HELD = "read", "part", "held"
_VIEWS = ("T", "mT", "H")
_LAYERS = ("norm", "softmax", "flatten", "log_softmax", "unfold")  # methods that modules are named like
_PARTS = ("size", "dim", "stride", "numel", "type", "item", "__len__")  # methods that read no tensor as a whole
_SUBEXPRESSIONS = (
    ast.BinOp, ast.UnaryOp, ast.Call, ast.Subscript, ast.Attribute, ast.IfExp, ast.Compare, *_COMPREHENSIONS,
)  # fmt: skip
_COMPUTED = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Subscript, ast.Attribute, ast.IfExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def compile_recorded(tree, filename, source, places, recorder, flags=0, own=(), expressions=None):
    """The code of a parsed module, with hooks; `own` are names of modules that are rewritten too."""
    rewriter = Rewriter(tree, source, places, recorder, own, expressions)
    code = compile(rewriter.module(), filename, "exec", flags=flags, dont_inherit=True)
    return insert(code, recorder)


def insert(code, recorder):
    """The code with the recorder in place of KEY, in nested code too."""
    consts = tuple(
        insert(each, recorder) if isinstance(each, types.CodeType) else recorder if each == KEY else each
        for each in code.co_consts
    )
    return code.replace(co_consts=consts)


class Names:
    """What the names of a module stand for, as far as its text tells."""

    def __init__(self, tree, own):
        self.pure, self.modules, self.functions = set(), set(), set()
        bound = set()
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._imported(node, own)
            elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                self.functions.add(node.name)
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                bound.add(node.id)
            elif isinstance(node, ast.arg):
                bound.add(node.arg)
        self.modules -= bound
        self.pure -= bound
        self.functions -= bound
        self.builtins = PURE_BUILTINS - bound - self.functions - self.modules

    def _imported(self, node, own):
        base = getattr(node, "module", None) or ""
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            root = (base or alias.name).partition(".")[0]
            if getattr(node, "level", 0) or root in own:
                if isinstance(node, ast.ImportFrom):
                    self.functions.add(name)
                continue
            self.modules.add(name)
            if root in PURE_MODULES:
                self.pure.add(name)


class Scope:
    """A function's body while it is rewritten: where in loops it stands."""

    def __init__(self, function, name, counters=()):
        self.function, self.name, self.depth, self.counters = function, name, 0, set(counters)


class Rewriter:
    def __init__(self, tree, source, places, recorder, own, expressions):
        self.tree, self.source, self.places, self.recorder = tree, source, places, recorder
        self.names, self.jits = Names(tree, own), Jits(tree)
        self.expressions = expressions  # None, or whether sub-expressions of lines (first, last) are recorded
        self.scope = self.whole = None

    def module(self):
        body = self.tree.body
        last = max((getattr(each, "end_lineno", None) or each.lineno for each in body), default=1)
        self.scope = Scope(self.places.function(self.source, "", 1, last), "")
        head, rest = _after_docstring(body)
        entry = [self.hook("enter", rest[0], _constant(self.scope.function.id))] if rest else []
        self.tree.body = head + entry + self.block(rest)
        return ast.fix_missing_locations(self.tree)

    # ---- Hooks

    def call(self, method, at, *arguments):
        function = ast.Attribute(ast.Constant(KEY), method, ast.Load())
        made = ast.Call(function, list(arguments), [])
        for node in (made, function, function.value):
            ast.copy_location(node, at)
        for each in arguments:
            if not hasattr(each, "lineno") and isinstance(each, ast.expr):
                ast.copy_location(each, at)
        return made

    def hook(self, method, at, *arguments):
        return ast.copy_location(ast.Expr(self.call(method, at, *arguments)), at)

    def statement(self, kind, begin, end=None, reads=(), text=None):
        made = self.places.statement(
            self.source, self.source.place(begin, end), self.scope.function.id, kind,
            self.source.segment(begin, end) if text is None else text, self.scope.depth,
        )  # fmt: skip
        made.loads = loads_of(self.source, reads)
        made.checks = any(self.may_change(each) for each in reads if each is not None)
        return made

    # ---- Statements

    def block(self, statements):
        made = []
        for each in statements:
            visit = getattr(self, "on_" + type(each).__name__, None)
            made.extend(visit(each) if visit else [each])
        return made

    def on_FunctionDef(self, node):
        jit = self.jits.of(node)
        if jit:
            self.recorder.note("jit", self.source, node.lineno, jit)
            return [node]
        outer, name = self.scope, node.name if not self.scope.name else f"{self.scope.name}.{node.name}"
        self.scope = Scope(self.places.function(self.source, name, node.lineno, node.end_lineno or node.lineno), name)
        head, rest = _after_docstring(node.body)
        at = (rest or node.body)[0]
        entry = self.entry(node.args, at)
        node.body = head + [ast.copy_location(ast.Expr(entry), at)] + self.block(rest)
        self.scope = outer
        return [node]

    on_AsyncFunctionDef = on_FunctionDef

    def entry(self, arguments, at):
        """The hook at a function's start, which is given its parameters."""
        parameters = [*getattr(arguments, "posonlyargs", ()), *arguments.args, *arguments.kwonlyargs]
        parameters += [each for each in (arguments.vararg, arguments.kwarg) if each]
        first = len(self.places.statements)
        for each in parameters:
            self.statement("parameter", each, text=each.arg).name = each.arg
        values = [ast.copy_location(ast.Name(each.arg, ast.Load()), at) for each in parameters]
        return self.call("enter", at, _constant(self.scope.function.id), _constant(first), *values)

    def on_ClassDef(self, node):
        if self.jits.of_class(node):
            return [node]
        outer, inner = self.scope, Scope(self.scope.function, self.scope.name)
        inner.name = node.name if not outer.name else f"{outer.name}.{node.name}"
        self.scope = inner
        head, rest = _after_docstring(node.body)
        node.body = head + self.block(rest)
        self.scope = outer
        return [node]

    def on_Return(self, node):
        if node.value is None:
            return [node]
        made = self.statement("return", node, reads=[node.value])
        self.whole = node.value
        node.value = self.call("returned", node.value, _constant(made.id), self.expression(node.value, made))
        return [node]

    def on_Assign(self, node):
        return self.assignment(node, node.targets)

    def on_AnnAssign(self, node):
        return self.assignment(node, [node.target]) if node.value else [node]

    def assignment(self, node, targets):
        made = self.statement("assign", node, reads=[node.value])
        self.whole = node.value if len(targets) == 1 and isinstance(targets[0], ast.Name) else None
        node.value = self.expression(node.value, made)
        names, binds = [], []
        for target in targets:
            self.target(target, made, names, binds)
        return [node, self.after("assigned", node, made, names, binds)]

    def after(self, method, node, made, names, binds):
        made.binds, made.targets = tuple(binds), [text for _, text in binds]
        values = [ast.copy_location(ast.Name(each, ast.Load()), node) for each in names]
        if method == "assigned" and len(binds) == len(names) == 1:
            method = "bound"
        return self.hook(method, node, _constant(made.id), *values)

    def target(self, target, made, names, binds, reads=False):
        """Notes what a target binds; the objects that attributes and items belong to are handed to the recorder."""
        if isinstance(target, ast.Name):
            names.append(target.id)
            binds.append(("name", target.id))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for each in target.elts:
                self.target(each, made, names, binds)
        elif isinstance(target, ast.Starred):
            self.target(target.value, made, names, binds)
        else:
            binds.append(("attribute" if isinstance(target, ast.Attribute) else "item", self.source.segment(target)))
            made.loads += [each for each in loads_of(self.source, [target.value]) if each not in made.loads]
            base = self.expression(target.value, made, how=PART) if reads else target.value
            target.value = self.call("base", target.value, _constant(made.id), base)
            if isinstance(target, ast.Subscript):
                made.loads += [each for each in loads_of(self.source, [target.slice]) if each not in made.loads]
                target.slice = self.key(self.index(target.slice, made), target)

    def key(self, index, at):
        """The index itself, which the recorder sees pass: an item of an object that gives its key back."""
        holder = ast.copy_location(ast.Attribute(ast.copy_location(ast.Constant(KEY), at), "key", ast.Load()), at)
        passed = ast.copy_location(ast.Subscript(holder, index, ast.Load()), at)
        return passed if sys.version_info >= (3, 9) else ast.copy_location(ast.Index(passed), at)

    def on_AugAssign(self, node):
        made = self.statement("augmented", node, reads=[node.value])
        node.value = self.expression(node.value, made)
        names, binds = [], []
        text = self.source.segment(node.target)
        self.target(node.target, made, names, binds, reads=True)
        if text not in made.loads:
            made.loads.append(text)
        return [node, self.after("augmented", node, made, names, binds)]

    def on_Expr(self, node):
        value = node.value
        if isinstance(value, (ast.Constant, ast.Name)):
            return [node]
        made = self.statement("expression", node, reads=[value])
        if self.stores(value):
            call, text = value, self.source.segment(value.func.value)
            made.binds, made.targets = (("stored", text),), [text]
            call.args = [self.expression(each, made) for each in call.args]
            for each in call.keywords:
                each.value = self.expression(each.value, made)
            call.func.value = self.call(
                "base", call.func.value, _constant(made.id), self.expression(call.func.value, made, how=PART)
            )
        else:
            node.value = self.expression(value, made)
        node.value = self.call("evaluated", value, _constant(made.id), node.value)
        return [node]

    def stores(self, value):
        """Whether a call puts something in a container of the person's: `grads.append(...)`."""
        return (
            isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
            and value.func.attr in ("append", "extend", "insert", "appendleft", "update", "setdefault", "add")
            and not (isinstance(value.func.value, ast.Call) and _root(value.func.value.func) == "super")
        )  # fmt: skip

    def on_For(self, node):
        made = self.statement("for", node, node.iter, reads=[node.iter])
        self.counts(node)
        node.iter = self.expression(node.iter, made)
        return self.loop(node, made, node.target)

    on_AsyncFor = on_For

    def counts(self, node):
        """Remembers a loop's variable over range(): no tensor, wherever it is read."""
        function = node.iter.func if isinstance(node.iter, ast.Call) else None
        if isinstance(function, ast.Name) and isinstance(node.target, ast.Name) and function.id == "range":
            self.scope.counters.add(node.target.id)

    def on_While(self, node):
        made = self.statement("while", node.test, reads=[node.test])
        node.test = self.condition(node.test, made)
        return self.loop(node, made, None)

    def loop(self, node, made, target):
        depth, names, binds = self.scope.depth, [], []
        if target is not None:
            self.plain_target(target, names, binds)
        begin = self.hook("loop", node, _constant(made.id), _constant(depth))
        made.depth = self.scope.depth = depth + 1
        made.binds, made.targets = tuple(binds), [text for _, text in binds]
        at = node.body[0]
        values = [ast.copy_location(ast.Name(each, ast.Load()), at) for each in names]
        head = self.hook("iterated", at, _constant(made.id), _constant(depth), *values)
        node.body = [head, *self.block(node.body)]
        self.scope.depth = depth
        node.orelse = self.block(node.orelse)
        end = [] if depth else [self.hook("loop_end", node)]
        return [begin, node, *end]

    def plain_target(self, target, names, binds):
        """A target's names; its attributes and items are left to themselves."""
        for each in ast.walk(target):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                names.append(each.id)
                binds.append(("name", each.id))

    def on_If(self, node):
        made = self.statement("if", node, node.test, reads=[node.test])
        node.test = self.condition(node.test, made)
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        return [node]

    def condition(self, test, made):
        """A test binds nothing, unless by `:=`, a function of its own or a call that changes an operand."""
        if not any(isinstance(each, (ast.NamedExpr, ast.Lambda)) for each in ast.walk(test)):
            return test
        return self.expression(test, made or self.statement("condition", test, reads=[test]))

    def on_With(self, node):
        heads = []
        for item in node.items:
            made = self.statement("with", item.context_expr, item.optional_vars, reads=[item.context_expr])
            item.context_expr = self.expression(item.context_expr, made)
            if item.optional_vars is not None:
                names, binds = [], []
                self.plain_target(item.optional_vars, names, binds)
                heads.append(self.after("assigned", node.body[0], made, names, binds))
        node.body = heads + self.block(node.body)
        return [node]

    on_AsyncWith = on_With

    def on_Try(self, node):
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        node.finalbody = self.block(node.finalbody)
        for each in node.handlers:
            each.body = self.block(each.body)
        return [node]

    on_TryStar = on_Try

    def on_Match(self, node):
        for case in node.cases:
            made = self.statement("match", case.pattern, reads=[node.subject])
            captured = [
                getattr(each, "name", None) or getattr(each, "rest", None)
                for each in ast.walk(case.pattern)
                if type(each).__name__ in ("MatchAs", "MatchStar", "MatchMapping")
            ]
            names = [each for each in captured if each]
            head = [self.after("assigned", case.body[0], made, names, [("name", each) for each in names])]
            case.body = (head if names else []) + self.block(case.body)
        return [node]

    # ---- Expressions

    def shows(self, made, node):
        """Whether a sub-expression is recorded; what a statement as a whole binds is recorded anyway."""
        if self.expressions is None or (node is self.whole and made.kind in ("assign", "return")):
            return False
        first, last = made.place[1:3]
        if self.expressions is True:
            return True
        return self.source.file == 0 and any((self.source.cell, line) in self.expressions for line in range(first, last + 1))

    def shown(self, made, node, rewritten):
        number = self.places.expression(made, self.source.place(node), self.source.segment(node))
        return self.call("expressed", node, _constant(number), self.call("begun", node), rewritten)

    def expression(self, node, made, how=READ):
        return Expressions(self, made).visit_as(node, how)

    def index(self, node, made):
        return Expressions(self, made).index(node)

    def may_change(self, node):
        """Whether a call in the expression may change what it is given."""
        return any(isinstance(each, ast.Call) and self.call_may_change(each) for each in ast.walk(node))

    def call_may_change(self, call):
        function = call.func
        if any(each.arg == "out" for each in call.keywords):
            return True
        if isinstance(function, ast.Name):
            name = function.id
            return not (name in self.names.builtins or name in self.names.functions or name in self.names.pure)
        if not isinstance(function, ast.Attribute):
            return True
        name = function.attr
        if name in MUTATORS or (name.endswith("_") and not name.startswith("_")):
            return name != "requires_grad_"
        return not (name in PURE_METHODS or _root(function) in self.names.pure)


class Expressions:
    """Rewrites one statement's expressions: what is read passes through the recorder."""

    def __init__(self, rewriter, made):
        self.rewriter, self.made, self.id = rewriter, made, made.id

    def visit_as(self, node, how):
        """`how`: READ as a whole, PART (an item or its shape), or HELD: used by an attribute or a method."""
        visit = getattr(self, "on_" + type(node).__name__, None)
        shown = isinstance(node, _SUBEXPRESSIONS) and self.rewriter.shows(self.made, node)
        made = self.children(node) if visit is None else visit(node, how)
        return self.rewriter.shown(self.made, node, made) if shown else made

    def visit(self, node):
        made = self.visit_as(node, READ)
        return made

    def children(self, node):
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, field, self.visit(value))
            elif isinstance(value, list):
                setattr(node, field, [self.visit(each) if isinstance(each, ast.expr) else each for each in value])
        return node

    def read(self, node, how):
        return self.rewriter.call(how, node, node, _constant(self.id))

    def is_library(self, node):
        return _root(node) in self.rewriter.names.modules

    def on_Name(self, node, how):
        names, scope = self.rewriter.names, self.rewriter.scope
        if node.id in names.modules or node.id in names.functions or node.id in names.builtins:
            return node
        return node if node.id in scope.counters else self.read(node, how)

    def on_Attribute(self, node, how):
        if self.is_library(node):
            return node
        node.value = self.visit_as(node.value, PART if node.attr in PLAIN_ATTRIBUTES and node.attr not in _VIEWS else HELD)
        return node if node.attr in PLAIN_ATTRIBUTES else self.read(node, how)

    def on_Subscript(self, node, how):
        if self.is_library(node):
            return node
        node.value = self.visit_as(node.value, PART)
        node.slice = self.index(node.slice)
        return self.read(node, how)

    def index(self, node):
        if isinstance(node, ast.Tuple):
            node.elts = [self.index(each) for each in node.elts]
            return node
        if isinstance(node, ast.Slice):
            return node
        if type(node).__name__ == "Index":
            node.value = self.index(node.value)
            return node
        if type(node).__name__ == "ExtSlice":
            node.dims = [self.index(each) for each in node.dims]
            return node
        return self.visit(node) if isinstance(node, ast.expr) else node

    def on_Call(self, node, how):
        function, names = node.func, self.rewriter.names
        fresh = False
        if isinstance(function, ast.Name):
            fresh = function.id in names.builtins or function.id in names.modules
            if not fresh and function.id not in names.functions:
                node.func = self.module_call(function)
        elif isinstance(function, ast.Attribute):
            if self.is_library(function):
                fresh = _root(function) in names.pure
            else:
                function.value = self.visit_as(function.value, PART if function.attr in _PARTS else HELD)
                if function.attr not in PURE_METHODS or function.attr in _LAYERS:
                    node.func = self.module_call(function)
        else:
            node.func = self.visit_as(function, PART)
        is_own = not fresh and not self.is_library(function)
        argument = self.part if is_own else self.visit
        node.args = [argument(each) for each in node.args]
        for each in node.keywords:
            each.value = argument(each.value)
        return node if fresh else self.read(node, how)

    def module_call(self, function):
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
            if _root(function.value.func) == "super":
                return function
        return self.rewriter.call("called", function, function, _constant(self.id))

    def on_Lambda(self, node, how):
        rewriter = self.rewriter
        outer, name = rewriter.scope, "<lambda>" if not rewriter.scope.name else f"{rewriter.scope.name}.<lambda>"
        if rewriter.jits.has(node):
            return node
        function = rewriter.places.function(rewriter.source, name, node.lineno, node.end_lineno or node.lineno)
        rewriter.scope = Scope(function, name)
        entry = rewriter.entry(node.args, node.body)
        made = rewriter.statement("return", node.body, reads=[node.body])
        body = Expressions(rewriter, made).visit(node.body)
        node.body = rewriter.call("computed", node.body, _constant(made.id), entry, body)
        rewriter.scope = outer
        return node

    def on_NamedExpr(self, node, how):
        rewriter = self.rewriter
        made = rewriter.statement("assign", node, reads=[node.value])
        made.binds, made.targets = (("name", node.target.id),), [node.target.id]
        value = self.visit(node.value)
        node.value = rewriter.call("walrus", node.value, _constant(made.id), value)
        return self.read(node, how)

    def on_Yield(self, node, how):
        if node.value is not None:
            value = self.visit(node.value)
            node.value = self.rewriter.call("yielded", node.value, _constant(self.id), value)
        return node

    def comprehension(self, node, begun=0):
        rewriter = self.rewriter
        for at, each in enumerate(node.generators):
            rewriter.counts(each)
            each.iter = each.iter if at < begun else self.visit(each.iter)
            each.ifs = [rewriter.condition(test, self.made) for test in each.ifs]

    def element(self, node, part=-1):
        call, number = self.rewriter.call, _constant(self.id)
        begun = call("element_begins", node, number)
        return call("element", node, number, _constant(part), begun, self.visit(node))

    def part(self, node):
        """What is computed as one of several elements or arguments is made of what it reads itself."""
        if not isinstance(node, _COMPUTED) or self.id == LAZY:
            return self.visit(node)
        self.made.parts.append(loads_of(self.rewriter.source, [node]))
        return self.element(node, len(self.made.parts) - 1)

    def on_Tuple(self, node, how):
        node.elts = [self.part(each) for each in node.elts]
        return node

    on_List = on_Tuple

    def on_Dict(self, node, how):
        node.keys = [each and self.visit(each) for each in node.keys]
        node.values = [self.part(value) if key else self.visit(value) for key, value in zip(node.keys, node.values)]
        return node

    def on_ListComp(self, node, how):
        self.comprehension(node)
        node.elt = self.element(node.elt)
        return node

    on_SetComp = on_ListComp

    def on_GeneratorExp(self, node, how):
        """Runs in the statement that takes its elements, which may be a later one."""
        first = node.generators[0]
        first.iter = self.visit(first.iter)
        number, self.id = self.id, LAZY
        self.comprehension(node, 1)
        node.elt = self.element(node.elt)
        self.id = number
        return node

    def on_DictComp(self, node, how):
        self.comprehension(node)
        node.key = self.visit(node.key)
        node.value = self.element(node.value)
        return node

    def on_JoinedStr(self, node, how):
        return node  # places inside are wrong before Python 3.12, and a text holds no tensor

    on_TemplateStr = on_JoinedStr


def _constant(value):
    return ast.Constant(value)


def _root(node):
    """The name that a chain of attributes, items and calls begins with."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _after_docstring(body):
    """A body's docstring and imports from __future__, which stay in front, and the rest."""
    at = 0
    if body and isinstance(body[0], ast.Expr) and isinstance(getattr(body[0], "value", None), ast.Constant):
        at = 1 if isinstance(body[0].value.value, str) else 0
    while at < len(body) and isinstance(body[at], ast.ImportFrom) and body[at].module == "__future__":
        at += 1
    return body[:at], body[at:]
