"""A process that has imported what a file imports, and forks for each run.

Requests and answers are JSON objects, one a line:

    {"id": 1, "warm": "mha.py"}                                   -> {"id": 1, "warm": ["numpy"]}
    {"id": 2, "file", "args", "cwd", "options": [...], "out"}     -> {"id": 2, "stdout" or "stderr": base64} ...
                                                                     {"id": 2, "exit": 0} or {"id": 2, "signal": 9}
    {"id": 2, "end": "soon"}                                      ends run 2, which writes what was recorded
    {"id": 2, "end": "now"}                                       ends it at once
"""

from __future__ import annotations

import ast
import base64
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import time
import warnings

# Importing these starts no threads and does nothing that a program could see.
SAFE = frozenset("numpy torch scipy einops math dataclasses typing functools argparse json random".split())
_GRACE = 0.2  # seconds for what descendants of an ended run still print


class Child:
    def __init__(self, number, pid, streams):
        self.number, self.pid, self.streams, self.status, self.ended = number, pid, streams, None, 0.0


class Server:
    def __init__(self, channel):
        self._children = []
        self._channel = channel
        self._reading, self._writing = (0, 1) if channel is None else (channel, channel)
        self._selector = selectors.DefaultSelector()
        self._input = b""

    def serve(self):
        """Until its input ends; then all runs are ended too. In a forked child it returns what is to be run."""
        self._answer({"ready": True, "python": sys.version.split()[0]})
        self._selector.register(self._reading, selectors.EVENT_READ, None)
        while True:
            for key, _ in self._selector.select(0.005 if self._children else None):
                if key.data is not None:
                    self._forward(key)
                    continue
                data = os.read(self._reading, 1 << 16)
                if not data:
                    for child in self._children:
                        _kill(child.pid)
                    return None
                *lines, self._input = (self._input + data).split(b"\n")
                for line in filter(None, lines):
                    chosen = self._request(line)
                    if chosen is not None:
                        return chosen
            self._reap()

    def _request(self, line):
        request = json.loads(line)
        if "warm" in request:
            self._answer({"id": request["id"], "warm": warm(request["warm"])})
        elif "end" in request:
            for child in self._children:
                if child.number == request["id"]:
                    _kill(child.pid, signal.SIGTERM if request["end"] == "soon" else signal.SIGKILL)
        else:
            return self._start(request)
        return None

    def _start(self, request):
        warm(os.path.join(request["cwd"], request["file"]))
        pipes = {"stdout": os.pipe(), "stderr": os.pipe()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.freeze()  # what was imported is not looked through again at each run's end
            pid = os.fork()
        if pid == 0:
            self._selector.close()
            self._become(pipes)
            return request
        for name, (reading, writing) in pipes.items():
            os.close(writing)
            self._selector.register(reading, selectors.EVENT_READ, (request["id"], name))
        self._children.append(Child(request["id"], pid, [reading for reading, _ in pipes.values()]))
        return None

    def _become(self, pipes):
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, pipes["stdout"][1]), (2, pipes["stderr"][1])):
            os.dup2(source, target)
        for each in (nothing, *pipes["stdout"], *pipes["stderr"]):
            os.close(each)
        if self._channel is not None:
            os.close(self._channel)
        for child in self._children:
            for stream in child.streams:
                os.close(stream)

    def _forward(self, key):
        data = os.read(key.fd, 1 << 16)
        number, name = key.data
        if data:
            self._answer({"id": number, name: base64.b64encode(data).decode()})
            return
        self._close(key.fd)

    def _close(self, stream):
        for child in self._children:
            if stream in child.streams:
                child.streams.remove(stream)
                self._selector.unregister(stream)
                os.close(stream)

    def _reap(self):
        for child in list(self._children):
            if child.status is None:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    child.status, child.ended = status, time.monotonic()
            if child.status is None or (child.streams and time.monotonic() - child.ended < _GRACE):
                continue
            for stream in list(child.streams):
                self._close(stream)
            self._children.remove(child)
            _kill(child.pid)
            killed = os.WIFSIGNALED(child.status)
            how = {"signal": os.WTERMSIG(child.status)} if killed else {"exit": os.WEXITSTATUS(child.status)}
            self._answer({"id": child.number, **how})

    def _answer(self, message):
        line = json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(self._writing, line) :]


def _kill(pid, how=signal.SIGKILL):
    try:
        (os.killpg if how == signal.SIGKILL else os.kill)(pid, how)
    except OSError:
        pass


def warm(file):
    """Imports what a file imports, of what is safe; nothing where it sets the environment first."""
    try:
        with open(file, "rb") as opened:
            text = opened.read()
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return []
    if b"environ" in text or b"putenv" in text:
        return []
    done = []
    for name in _imports(tree):
        if name.partition(".")[0] in SAFE:
            try:
                importlib.import_module(name)
                done.append(name)
            except Exception:
                pass
    return done


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def fresh_randomness():
    """A new process draws its own random numbers, seeded or not."""
    numpy = sys.modules.get("numpy")
    legacy = getattr(getattr(numpy, "random", None), "mtrand", None)
    if legacy is not None:
        legacy._rand.seed()
