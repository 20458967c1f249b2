"""
Answers requests, one JSON object a line, each in a process of its own that has imported what the program imports. With each
answer goes how long the processor was `spent` on it, in seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any, Dict, List

from . import jobs
from .launch import imported

MOST_AT_ONCE = 2


def serve(fd: int) -> None:
    """Reads requests from the descriptor `fd` until it closes and answers there. What programs print goes nowhere."""
    sink = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1):
        os.dup2(sink, each)
    Service(fd).run()


class Service:
    def __init__(self, requests: int):
        self.requests = requests
        self.waiting: List[Dict[str, Any]] = []
        self.running: Dict[int, Dict[str, Any]] = {}
        self.warm: set = set()

    def run(self) -> None:
        buffer, open_ = b"", True
        while open_ or self.waiting or self.running:
            watched = [self.requests] if open_ else []
            ready, _, _ = select.select(watched + list(self.running), [], [], 0.2)
            for fd in ready:
                if fd == self.requests:
                    piece = os.read(fd, 1 << 16)
                    open_ = bool(piece)
                    buffer += piece
                    *lines, buffer = buffer.split(b"\n")
                    self.waiting += [json.loads(line) for line in lines if line.strip()]
                else:
                    self._read(fd)
            self._end_late()
            while self.waiting and len(self.running) < MOST_AT_ONCE:
                self._begin(self.waiting.pop(0))

    def _begin(self, request: Dict[str, Any]) -> None:
        if request.get("cancel"):
            self._cancel()
            return
        if not hasattr(os, "fork"):
            self._answer(_elsewhere(request))
            return
        self._import(request)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            _child(request, write)
        os.close(write)
        until = time.monotonic() + float(request.get("timeout", 30))
        self.running[read] = {"id": request.get("id"), "pid": child, "until": until, "text": b""}

    def _import(self, request: Dict[str, Any]) -> None:
        """What the program imports of others' packages, once for all runs; errors are the program's own to meet."""
        file = request["file"]
        if file in self.warm:
            return
        self.warm.add(file)
        folder = os.path.dirname(os.path.abspath(file))
        own = {name.partition(".")[0] for name in os.listdir(folder)} if os.path.isdir(folder) else set()
        for name in imported([file]):
            if name.partition(".")[0] not in own:
                try:
                    importlib.import_module(name)
                except BaseException:  # noqa: BLE001
                    pass

    def _read(self, fd: int) -> None:
        piece = os.read(fd, 1 << 20)
        job = self.running[fd]
        job["text"] += piece
        if not piece:
            self._finish(fd, job["text"])

    def _finish(self, fd: int, text: bytes) -> None:
        job = self.running.pop(fd)
        os.close(fd)
        try:
            os.killpg(job["pid"], signal.SIGKILL)
        except OSError:
            pass
        _, status, used = os.wait4(job["pid"], 0)
        try:
            reply = json.loads(text)
        except ValueError:
            reply = {"error": "the program ended with status %d" % status}
        self._answer({**reply, "id": job["id"], "spent": used.ru_utime + used.ru_stime})

    def _end_late(self) -> None:
        now = time.monotonic()
        for fd, job in list(self.running.items()):
            if now > job["until"]:
                self._finish(fd, b'{"error": "timeout"}')

    def _cancel(self) -> None:
        self.waiting.clear()
        for fd in list(self.running):
            self._finish(fd, b'{"error": "cancelled"}')

    def _answer(self, reply: Dict[str, Any]) -> None:
        data = json.dumps(reply).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self.requests, data) :]


def _child(request: Dict[str, Any], write: int) -> None:
    """Never returns: does the job and leaves by os._exit, whatever the program does to the interpreter."""
    leave = os._exit
    try:
        os.setpgid(0, 0)
        os.chdir(request.get("cwd") or os.getcwd())
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        reply = jobs.do(request, lambda made: _send(made, write, leave))
        _send(reply, write, leave)
    except BaseException as error:  # noqa: BLE001 - the program may raise anything
        _send({"error": "%s: %s" % (type(error).__name__, error)}, write, leave)


def _send(reply: Dict[str, Any], write: int, leave: Any) -> None:
    data = json.dumps(reply).encode("ascii")
    while data:
        data = data[os.write(write, data) :]
    leave(0)


def _elsewhere(request: Dict[str, Any]) -> Dict[str, Any]:
    """Where the system does not fork: a new interpreter for each job."""
    began = time.monotonic()
    command = [sys.executable, os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "--repair-one"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request).encode(), capture_output=True, timeout=float(request.get("timeout", 30))
        )
        reply = json.loads(done.stdout or b"{}")
    except (subprocess.TimeoutExpired, ValueError):
        reply = {"error": "timeout"}
    return {**reply, "id": request.get("id"), "spent": time.monotonic() - began}


def one() -> None:
    """One job from standard input, answered on standard output."""
    write = os.dup(1)
    request = json.loads(sys.stdin.buffer.read())
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    _child(request, write)
