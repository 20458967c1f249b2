"""Runs of the person's program for a repair: up to a statement, and whole with other texts of its files."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from .. import imports, notebook, options, program
from ..rewrite import KEY, insert
from .source import Source


def chosen(request: Dict[str, Any], record: str = "") -> Any:
    """The options of a run as the command line would give them."""
    words = ["--record", record or os.devnull]
    for option in ("root", "function", "expressions"):
        if request.get(option):
            words += ["--" + option, str(request[option])]
    for flag in ("notebook", "pytest"):
        if request.get(flag):
            words.append("--" + flag)
    if request.get("maxBytes"):
        words += ["--max-bytes", str(request["maxBytes"])]
    return options.parse(words + [request["file"], "--", *request.get("args", [])])


def joined(data: bytes) -> str:
    """A notebook's code cells as one program: before each a line that says which one it is."""
    return "".join("# %%%% cell %d\n%s\n" % (each.number, each.python) for each in notebook.cells_of(data))


def decoded(data: bytes, path: str) -> str:
    """The program that a file's bytes are."""
    return joined(data) if path.endswith(".ipynb") else importlib.util.decode_source(data)


class EditedFiles(imports.Files):
    """The files of a program, some with another text than on disk, by real path."""

    texts: Dict[str, str] = {}

    def text_of(self, data: bytes, path: str) -> str:
        return self.texts.get(os.path.realpath(path)) or decoded(data, path)

    def compile(self, data: bytes, path: str, name: str) -> Any:
        if os.path.realpath(path) not in self.texts and not path.endswith(".ipynb"):
            return super().compile(data, path, name)
        text = self.text_of(data, path)
        tree = ast.parse(text, path)
        self.modules.add(name)
        return self.recorded(tree, path, self.add(path, text))


class StopFiles(EditedFiles):
    """The files of a program, with a stop before one statement, or before a loop around it too, and nothing else."""

    place: Tuple[str, int, Optional[int], bool] = ("", 0, None, False)
    stop: Any = None

    def compile(self, data: bytes, path: str, name: str) -> Any:
        file, line, column, around = self.place
        text = self.text_of(data, path)
        if os.path.realpath(path) != file:
            return compile(text, path, "exec", dont_inherit=True)
        source = Source(text)
        statement = source.statement_at(line, column=column)
        outer = source.loop_around(statement) if around and statement is not None else None
        for each, hook in ((outer, "begin"), (statement, "stop")):
            if each is not None:
                self._put(source, each, hook)
        if statement is not None:
            _keep_outer(source, source.function_of(statement))
        return insert(compile(source.tree, path, "exec", dont_inherit=True), self.stop)

    def _put(self, source: Source, statement: ast.stmt, hook: str) -> None:
        called = ast.Call(ast.Attribute(ast.Constant(KEY), hook, ast.Load()), [], [])
        function = source.lambda_of(statement)
        if function is not None:
            _put_in_lambda(source, function, called)
            return
        call = ast.Expr(called)
        for node in ast.walk(call):
            ast.copy_location(node, statement)
        block = source.block_of(statement)
        block.insert(block.index(statement), call)


def _put_in_lambda(source: Source, function: ast.Lambda, call: ast.expr) -> None:
    """Calls it before what the lambda computes; names of the functions around it are there in its frame too."""
    outer, bound = source.function_of(function), set()
    while outer is not source.tree:
        bound |= _bound_in(outer)
        outer = source.function_of(outer)
    names: List[ast.expr] = [ast.Name(name, ast.Load()) for name in sorted(bound)]
    never = ast.BoolOp(ast.And(), [ast.Constant(0), ast.Tuple(names, ast.Load())])
    added = ast.Tuple([call, never], ast.Load())
    for node in ast.walk(added):
        ast.copy_location(node, function.body)
    parts, last = ast.Tuple([added, function.body], ast.Load()), ast.Constant(1)
    whole = ast.Subscript(parts, last, ast.Load())
    for node in (parts, last, whole):
        ast.copy_location(node, function.body)
    function.body = whole


def _keep_outer(source: Source, function: ast.AST) -> None:
    """Names of the functions around `function` are there in its frame too: an edit may be the first to use them in it."""
    bound, inner = set(), _bound_in(function)
    outer = source.function_of(function)
    while function is not source.tree and outer is not source.tree:
        bound |= _bound_in(outer) - inner
        outer = source.function_of(outer)
    if not bound:
        return
    names: List[ast.expr] = [ast.Name(name, ast.Load()) for name in sorted(bound)]
    never = ast.If(ast.Constant(0), [ast.Expr(ast.Tuple(names, ast.Load()))], [])
    for node in ast.walk(never):
        ast.copy_location(node, function.body[0])  # type: ignore[attr-defined]
    function.body.insert(0, never)  # type: ignore[attr-defined]


def _bound_in(function: ast.AST) -> Set[str]:
    """Parameters of `function` and the names that its own statements bind."""
    given = getattr(function, "args", None)
    found = {each.arg for each in ast.walk(given) if isinstance(each, ast.arg)} if given else set()
    waiting = list(getattr(function, "body", []))
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            found -= set(node.names)
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        waiting += list(ast.iter_child_nodes(node))
    return found


class Stop:
    """
    Stands in the program before the statement: at some of its executions, counted from 0, hands the frame on. Where it
    stands before a loop too, it is the loop's executions that count, and of the statement the next one.
    """

    def __init__(self, occurrences: Sequence[int], reached: Callable[..., None], begun: Optional[Callable[..., None]]):
        self.wanted, self.reached, self.begun = set(occurrences), reached, begun
        self.count, self.is_begun, self.is_looking = 0, False, False

    def stop(self) -> None:
        # What is tried in the frame may call the function that this stands in.
        if self.is_looking:
            return
        frame = sys._getframe(1)
        if self.begun is not None:
            if self.is_begun:
                self.is_begun = False
                self._look(frame)
            return
        if self.count in self.wanted:
            self._look(frame)
        self.count += 1

    def _look(self, frame: Any) -> None:
        self.is_looking = True
        try:
            self.reached(frame.f_locals, frame.f_globals)
        finally:
            self.is_looking = False

    def begin(self) -> None:
        if self.is_looking:
            return
        if self.count in self.wanted and self.begun is not None:
            frame = sys._getframe(1)
            self.begun(frame.f_locals, frame.f_globals)
            self.is_begun = True
        self.count += 1


def run_until(request: Dict[str, Any], reached: Callable[..., None], begun: Optional[Callable[..., None]] = None) -> None:
    """
    Runs the program; `reached` is called with the locals and globals before the statement, at each occurrence. With
    `place.around` `begun` is called before the outermost loop around it.
    """
    run = _StopRun(chosen(request))
    place = request["place"]
    around = bool(place.get("around"))
    run.files.texts = texts(request)
    run.files.place = (_real(request, place["file"]), place["line"], place.get("column"), around)
    run.files.stop = Stop(place.get("occurrences", [0]), reached, begun if around else None)
    try:
        run.start()
    except SystemExit:
        pass


class _Run(program.Run):
    """Of a notebook too one program."""

    def _run(self, names: Dict[str, Any]) -> None:
        if not self.path.endswith(".ipynb"):
            super()._run(names)
            return
        notebook.prepare(names)
        exec(self.files.compile(self._data(), self.path, "__main__"), names)


class _StopRun(_Run):
    def __init__(self, made: Any):
        super().__init__(made)
        self.files = StopFiles(self.recorder, self.path, self.files.root, None)

    def start(self) -> None:
        self._as_python()
        self._run(sys.modules["__main__"].__dict__)


def run_recorded(request: Dict[str, Any], out: str) -> int:
    """Runs the whole program with `edits`, recorded to `out`; its exit code."""
    run = _Run(chosen(request, out))
    files = EditedFiles(run.recorder, run.path, run.files.root, run.files.expressions)
    files.texts = texts(request)
    run.files = files
    run.recorder.first_calls = request.get("calls", {})
    try:
        run.start()
    except SystemExit:
        pass
    run.finish()
    return int(run.exit["code"])


def texts(request: Dict[str, Any]) -> Dict[str, str]:
    """By real path, the texts of files that are to be run with another text than on disk."""
    return {_real(request, file): text for file, text in request.get("sources", {}).items()}


def text_of(request: Dict[str, Any], file: str) -> str:
    """The text of a file of the program, named relative to the program's folder."""
    if file in request.get("sources", {}):
        return request["sources"][file]
    with open(_real(request, file), "rb") as opened:
        return decoded(opened.read(), file)


def _real(request: Dict[str, Any], file: str) -> str:
    return os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(request["file"])), file))


def imported(paths: Sequence[str]) -> List[str]:
    """The packages that these files name in imports."""
    names = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                data = file.read()
            tree = ast.parse(joined(data) if path.endswith(".ipynb") else data)
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.append(node.module)
    return names
