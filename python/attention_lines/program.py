"""Runs a file as Python itself would run it, with the recorder in it."""

from __future__ import annotations

import atexit
import io
import os
import platform
import signal
import sys
import types

from . import imports
from .record import Recorder
from .writer import Writer

_HERE = os.path.dirname(os.path.abspath(__file__))


class Run:
    """One run: from the options to the recording and the exit code."""

    def __init__(self, options):
        self.options, self.exit = options, {"code": 0}
        self.path = _program(options.file)
        root = os.path.realpath(options.root or os.path.dirname(self.path))
        self.recorder = None
        if options.record:
            self.recorder = Recorder(Writer(options.record), self._is_own, options.max_bytes, options.max_events)
        self.files = imports.Files(self.recorder, root, options.expressions)
        self.finished = False

    def _is_own(self, cls):
        return cls.__module__ in self.files.modules

    def start(self):
        """Never returns but by SystemExit or at the program's end."""
        self._as_python()
        atexit.register(self.finish)
        _before_exit(self.finish)
        try:
            code = self._code()
            exec(code, sys.modules["__main__"].__dict__)
        except SystemExit as error:
            self.exit["code"] = _exit_code(error)
            raise
        except BaseException as error:
            self._died(error)

    def _as_python(self):
        sys.argv[:] = [self.options.file, *self.options.args]
        sys.path[0] = os.path.dirname(self.path)
        imports.install(self.files)
        module = types.ModuleType("__main__")
        loader = imports.importlib.machinery.SourceFileLoader("__main__", self.path)
        names = module.__dict__
        names.update(__loader__=loader, __annotations__={}, __builtins__=sys.modules["builtins"])
        names.update(__file__=self.path, __cached__=None)
        sys.modules["__main__"] = module

    def _code(self):
        with io.open_code(self.path) if hasattr(io, "open_code") else open(self.path, "rb") as file:
            data = file.read()
        code = self.files.compile(data, self.path, "__main__")
        return compile(data, self.path, "exec", dont_inherit=True) if code is None else code

    def _died(self, error):
        """As Python ends on an exception that nothing caught, without the frames of this module."""
        trace = without_recorder(error.__traceback__)
        self.exit = {"code": 1, "exception": _exception(error, trace, self.files)}
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
            "functions": [each.header() for each in recorder.places.functions],
            "statements": [each.header() for each in recorder.places.statements],
            "events": recorder.events,
            "exit": self.exit,
            "leftOut": left,
            "notes": recorder.notes,
        }


def _program(file):
    """The absolute path of a file, or of the __main__.py of a folder."""
    path = os.path.abspath(file)
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


def _exception(error, trace, files):
    import traceback

    place = ("", 0)
    if isinstance(error, SyntaxError) and error.lineno:
        place = (error.filename or "", error.lineno)
    else:
        each = trace
        while each is not None:
            filename = each.tb_frame.f_code.co_filename
            if filename in files.paths:
                place = (filename, each.tb_lineno)
            each = each.tb_next
    try:
        text, message = "".join(traceback.format_exception(type(error), error, trace)), str(error)
    except Exception:
        text, message = "", ""
    return {"type": type(error).__name__, "message": message, "file": files.relative(place[0]) if place[0] else "",
            "line": place[1], "traceback": text}  # fmt: skip


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
