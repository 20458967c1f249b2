"""Runs a file as Python itself would run it, with the recorder in it."""

from __future__ import annotations

import atexit
import builtins
import io
import os
import platform
import signal
import sys
import tokenize
import traceback
import types

from . import BUILTINS, imports, notebook, tests
from .record import ExpressionRecorder, Recorder
from .writer import Writer

_HERE = os.path.dirname(os.path.abspath(__file__))


class Run:
    """One run: from the options to the recording and the exit code."""

    def __init__(self, options):
        self.options, self.exit = options, {"code": 0}
        self.path = _program(options.file)
        root = os.path.realpath(options.root or os.path.dirname(self.path))
        made = Recorder if options.expressions is None else ExpressionRecorder
        self.recorder = made(Writer(options.record), self._is_own, options.max_bytes, options.max_events)
        self.recorder.chosen = options.function
        self.files = imports.Files(self.recorder, self.path, root, options.expressions)
        self.cells, self.cell_names = None, {}
        self.finished = False

    def _is_own(self, cls):
        return cls.__module__ in self.files.modules

    def start(self):
        """Never returns but by SystemExit or at the program's end."""
        self._as_python()
        atexit.register(self.finish)
        _before_exit(self.finish)
        try:
            self._run(sys.modules["__main__"].__dict__)
        except SystemExit as error:
            self.exit["code"] = _exit_code(error)
            raise
        except BaseException as error:
            self._died(error)

    def _run(self, names):
        if self.options.pytest:
            raise SystemExit(tests.run(self))
        if self.options.notebook or self.path.endswith(".ipynb"):
            notebook.run(self, self._data(), names)
        else:
            exec(self._code(), names)

    def _data(self):
        with io.open_code(self.path) as file:
            return file.read()

    def _as_python(self):
        sys.argv[:] = [self.options.file, *self.options.args]
        sys.path[0] = os.path.dirname(os.path.realpath(self.path))
        imports.install(self.files)
        module = types.ModuleType("__main__")
        loader = imports.importlib.machinery.SourceFileLoader("__main__", self.path)
        names = module.__dict__
        names.update(__loader__=loader, __annotations__={}, __builtins__=builtins)
        names.update(__file__=self.path, __cached__=None)
        sys.modules["__main__"] = module

    def _code(self):
        data = self._data()
        code = self.files.compile(data, self.path, "__main__")
        if code is not None:
            return code
        self.files.add(self.path, data.decode("utf-8", "replace"))
        try:
            data.decode(tokenize.detect_encoding(io.BytesIO(data).readline)[0])
        except (SyntaxError, UnicodeError):
            self._hand_over()
        return compile(data, self.path, "exec", dont_inherit=True)

    def _hand_over(self):
        """Python itself says best what it cannot decode."""
        self.exit["code"] = 1
        self.finish()
        if os.name != "nt":
            os.execv(sys.executable, [sys.executable, *sys.argv])

    def _died(self, error):
        """As Python ends on an exception that nothing caught, without the frames of this module."""
        with PlainBuiltins():
            trace = without_recorder(error.__traceback__)
            self.exit = {"code": 1, "exception": _exception(error, trace, self)}
        error.__traceback__ = trace
        sys.excepthook(type(error), error, trace)
        if isinstance(error, KeyboardInterrupt) and os.name != "nt":
            self.exit["code"] = 130
            atexit._run_exitfuncs()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        raise SystemExit(1) from None

    def finish(self, code=None):
        """Writes what was recorded; once, and in the process that recorded it."""
        if self.finished or os.getpid() != self.recorder.writer.owner:
            return
        self.finished = True
        if code is not None:
            self.exit["code"] = code
        with PlainBuiltins():
            self.recorder.finish()
            self.recorder.writer.finish(self.header())

    def header(self):
        recorder, files = self.recorder, self.files
        left = {"bytes": recorder.left_bytes, "events": recorder.left_events}
        if recorder.left_statement is not None:
            left["statement"] = recorder.left_statement
        return {
            "version": 1,
            "python": {"version": platform.python_version(), "executable": sys.executable},
            "main": os.path.basename(self.path),
            "args": self.options.args,
            "files": [
                {"path": files.relative(path), "source": text} for path, text in zip(files.paths, files.sources)
            ],
            **({} if self.cells is None else {"cells": self.cells}),
            "functions": [each.header() for each in recorder.places.functions],
            "statements": [each.header() for each in recorder.places.statements],
            "events": recorder.events,
            "exit": self.exit,
            "leftOut": left,
            "notes": recorder.notes,
        }


class PlainBuiltins:
    """The standard library needs Python's own; the program may have put others in their place."""

    def __enter__(self):
        own = builtins.__dict__
        self.replaced = {name: own.get(name) for name, value in BUILTINS.items() if own.get(name) is not value}
        own.update(BUILTINS)

    def __exit__(self, *_error):
        builtins.__dict__.update(self.replaced)


def _program(file):
    """The path of a file as Python says it, or of the __main__.py of a folder."""
    path = os.path.abspath(file) if sys.version_info >= (3, 9) else file
    return os.path.join(path, "__main__.py") if os.path.isdir(path) else path


def _exit_code(error):
    code = error.code
    if isinstance(code, tuple) and len(code) == 1:
        code = code[0]
    return 0 if code is None else code & 0xFF if isinstance(code, int) else 1


def without_recorder(trace):
    """A traceback without the recorder's frames."""
    kept = []
    while trace is not None:
        if os.path.dirname(trace.tb_frame.f_code.co_filename) != _HERE:
            kept.append(trace)
        trace = trace.tb_next
    made = None
    for each in reversed(kept):
        made = types.TracebackType(made, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return made


def _exception(error, trace, run):
    """What the recording says of it; little where the program has put aside what that takes."""
    try:
        return _described(error, trace, run)
    except Exception:
        return {"type": "", "message": "", "file": "", "line": 0, "traceback": ""}


def _described(error, trace, run):
    files = run.files
    place = ("", 0)
    if isinstance(error, SyntaxError) and error.lineno:
        place = (error.filename or "", error.lineno)
    else:
        each = trace
        while each is not None:
            filename = each.tb_frame.f_code.co_filename
            if filename in files.paths or filename in run.cell_names:
                place = (filename, each.tb_lineno)
            each = each.tb_next
    try:
        text, message = "".join(traceback.format_exception(type(error), error, trace)), str(error)
    except Exception:
        text, message = "", ""
    cell = run.cell_names.get(place[0])
    file = "" if not place[0] else files.relative(run.path if cell is not None else place[0])
    return {"type": type(error).__name__, "message": message, "file": file,
            **({} if cell is None else {"cell": cell}), "line": place[1], "traceback": text}  # fmt: skip


def _before_exit(finish):
    """os._exit and SIGTERM end a process without its exit functions."""
    plain = os._exit

    def _exit(status):
        finish(status if isinstance(status, int) else None)
        plain(status)

    _exit.__doc__, _exit.__module__, _exit.__qualname__ = plain.__doc__, plain.__module__, "_exit"
    os._exit = _exit

    def terminated(number, frame):
        finish(128 + number)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    try:
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, terminated)
    except ValueError:
        pass
