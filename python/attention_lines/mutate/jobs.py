"""The two jobs of a repair: candidates of one statement evaluated in its frame, and the whole program with edits."""

from __future__ import annotations

import os
import pickle
import re
import signal
import sys
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import frame, outside, vary
from .candidates import candidates
from .launch import run_recorded, run_until, text_of
from .mutation import Mutation
from .scope import Scope
from .source import Source
from .values import fingerprint

MOST_BYTES = 64 << 20
"""Of the results that candidates give, so many are handed on."""
UNSEEN = re.compile(r"\b(detach_?|data|clone|copy|item|numpy|contiguous|requires_grad_?|no_grad|astype|to|from_numpy|\d+\.0)\b")
"""What may leave the same numbers here and yet tell: what a graph of gradients goes through, what shares memory."""
LONGEST = 0.5
"""Of one candidate, in seconds."""
PATIENCE = 16
"""Candidates between two looks at the time."""
SLOWEST = 2.5
"""Of a machine that has other things to do as well: so much longer than its own time is waited."""
MOST_ALTERNATIVES = 12
"""Of other edits that give the same numbers: on other numbers and sizes they may not."""


def do(request: Dict[str, Any], send: Callable[[Dict[str, Any]], None]) -> Dict[str, Any]:
    """
    `frame`: {"place": {"file", "line", "column", "occurrences", "until", "around"}, "seconds", "most", "out"}: what each candidate for
    that statement (of many the `most` cheapest) leaves in it, in the later statement at `until`, or in the arrays of all loops `around` it, as float64 in `out`. `record`: {"out"}: a recording of the whole program. `vary`: the edits that give the program
    another seed or other sizes. In all of them `sources` are texts that take the place of files'.
    """
    job = request["job"]
    if job == "record":
        _redirect(request)
        return {"code": run_recorded(request, request["out"])}
    if job == "vary":
        if "loaded" not in request:
            _redirect(request)
        sizes = request["loaded"] if "loaded" in request else vary.loaded_sizes(request)
        return {**vary.variations({**request, "loaded": sizes}), "loaded": sizes}
    _redirect(request)
    looked = Look(request, send)
    run_until(request, looked.reached, looked.begun)
    return looked.reply() if looked.source else {"error": "the statement was not reached"}


def _redirect(request: Dict[str, Any]) -> None:
    scratch = request["out"] + ".files"
    os.mkdir(scratch)
    outside.redirect(scratch)


class Seen(NamedTuple):
    """What one execution of the statement shows."""

    found: List[Mutation]
    is_alone: bool
    """The later statement is not looked at: what stands between cannot be run."""
    now: List[Any]
    given: Dict[int, List[Any]]
    """What candidates leave, by their index."""
    behind: int
    """The index behind the last one that was looked at."""


class Look:
    """What the candidates for one statement give, at one or two of its executions."""

    def __init__(self, request: Dict[str, Any], send: Callable[[Dict[str, Any]], None]):
        self.request, self.send = request, send
        self.left = len(set(request["place"].get("occurrences", [0])))
        self.source: Any = None
        self.statement: Any = None
        self.part: Any = None
        self.kept: Any = None
        self.found: List[Mutation] = []
        self.given: Dict[int, List[Any]] = {}
        self.now: List[Any] = []
        self.out = os.open(request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self.written = 0
        self.behind = 0
        self.executions = 0
        self.began: Any = None
        self.is_watched = False
        self.is_alone = False

    def begun(self, names: Dict[str, Any], outer: Dict[str, Any]) -> None:
        """Keeps the frame in which a loop begins: candidates for a statement in it are run from there."""
        names = names if names is outer else {**outer, **names}
        if self.source is None:
            self.source = Source(text_of(self.request, self.request["place"]["file"]))
            statement = self._statement()
            self.part = frame.loop(self.source, self.source.loop_around(statement))
        self.kept = {
            name: frame.duplicate(value) if name in self.part.names else value for name, value in names.items()
        }

    def reached(self, names: Dict[str, Any], outer: Dict[str, Any]) -> None:
        """Evaluates them in this frame; at the last execution that was asked for it answers and ends the process."""
        names = names if names is outer else {**outer, **names}
        seconds = float(self.request.get("seconds", 4)) / self.left
        self.left -= 1
        self._cut()
        # Where the program goes on, nothing that was looked at may be left in it.
        isolated = self.left > 0 and hasattr(os, "fork")
        made = apart(lambda: self._looked(names, outer, seconds)) if isolated else self._looked(names, outer, seconds)
        if made is not None:
            self._keep(made)
        if not self.left:
            self.send(self.reply())

    def _cut(self) -> None:
        """What is run here, with each of the candidates."""
        place = self.request["place"]
        self.source = self.source or Source(text_of(self.request, place["file"]))
        statement = self._statement()
        seen = self.source.statement_at(place["until"]) if place.get("until") and not self.is_alone else None
        self.part = self.part or frame.stretch(self.source, statement, seen)

    def _statement(self) -> Any:
        if self.statement is None:
            place = self.request["place"]
            self.statement = self.source.statement_at(place["line"], column=place.get("column"))
        return self.statement

    def _looked(self, names: Dict[str, Any], outer: Dict[str, Any], seconds: float) -> Seen:
        """What this execution shows."""
        self._begin()
        held = names if self.kept is None else self.kept
        # Before anything else is evaluated, which may leave something.
        now = frame.run(self.part, (), held)
        if not now and not self.part.is_single and not self.given:
            # What stands between cannot be run here.
            self.is_alone, self.part = True, None
            self._cut()
            now = frame.run(self.part, (), held)
        if not self.found:
            statement = self._statement()
            scope = Scope(self.source, statement, names, outer)
            self.found = candidates(self.source, scope, statement, bool(self.request.get("pairs", True)))
        # What fails or shows nothing the first time does not make the program right either.
        some = sorted(self.given) if self.given else range(min(len(self.found), self.request.get("most") or len(self.found)))
        given, behind = self._evaluated(some, held, seconds)
        return Seen(self.found, self.is_alone, now or [], given, behind)

    def _keep(self, made: Seen) -> None:
        """What was seen in another process, with what was seen before."""
        self.executions += 1
        self.found = made.found
        if made.is_alone and not self.is_alone:
            self.is_alone, self.part = True, None
            self._cut()
        self.now += made.now
        self.behind = max(self.behind, made.behind)
        for at, values in made.given.items():
            self.given.setdefault(at, []).extend(values)

    def _evaluated(self, some: Sequence[int], names: Dict[str, Any], seconds: float) -> Tuple[Dict[int, List[Any]], int]:
        """What some of the candidates leave in this frame, as far as the time goes; and the index behind the last of them."""
        began = time.monotonic()
        until, soonest, at_last = time.process_time() + seconds, began + seconds, began + SLOWEST * seconds
        given, behind = {}, 0
        for count, at in enumerate(some):
            if count % PATIENCE == 0 and time.monotonic() > soonest:
                # To ask for the time of the process costs as much as some candidates.
                if time.process_time() > until or time.monotonic() > at_last:
                    break
            values = self._tried(self.found[at], names)
            behind = at + 1
            if values:
                given[at] = values
        self._watch(False)
        return given, behind

    def _tried(self, mutation: Mutation, names: Dict[str, Any]) -> Any:
        """What it leaves; None where it fails, takes too long, or shows nothing here."""
        if not self.part.shows(mutation):
            return None
        if self.part.is_single and not self.part.is_loop or not hasattr(signal, "setitimer"):
            return frame.run(self.part, mutation.edits, names)
        self._watch(True)
        try:
            self.began = time.process_time(), time.monotonic()
            return frame.run(self.part, mutation.edits, names)
        except TooLong:
            return None
        finally:
            self.began = None

    def _watch(self, is_on: bool) -> None:
        """From time to time it is looked whether a candidate takes too long."""
        if is_on != self.is_watched and hasattr(signal, "setitimer"):
            self.is_watched = is_on
            signal.setitimer(signal.ITIMER_REAL, *((LONGEST / 2, LONGEST / 2) if is_on else (0, 0)))

    def _end(self, *_signal: Any) -> None:
        if self.began is None:
            return
        own, began = self.began
        # A loaded machine takes long for what takes this process no time.
        if time.process_time() - own > LONGEST or time.monotonic() - began > SLOWEST * LONGEST:
            self.began = None
            raise TooLong

    def _begin(self) -> None:
        """From here on this process is for looking alone."""
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 5000))
        outside.close()
        outside.limit_memory()
        torch = sys.modules.get("torch")
        if torch is not None:
            # Of tensors of this size threads only wait for one another.
            torch.set_num_threads(1)
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, self._end)

    def reply(self) -> Dict[str, Any]:
        """Of candidates that give the same numbers the cheapest, with the others, and none that gives what is there now."""
        judged: Dict[Any, Dict[str, Any]] = {}
        unchanged = fingerprint(self.now)
        unseen: List[Mutation] = []
        for at, values in sorted(self.given.items()):
            mark = fingerprint(values)
            if mark == unchanged:
                is_told = len(unseen) < MOST_ALTERNATIVES and self._words(self.found[at].edits) != self._words(())
                if is_told or self.found[at].later:
                    unseen.append(self.found[at])
            elif mark in judged:
                others = judged[mark]["alternatives"]
                if len(others) < MOST_ALTERNATIVES:
                    others.append(_plain(self.found[at]))
            elif self.written <= MOST_BYTES:
                judged[mark] = {**_plain(self.found[at]), "values": self._written(values), "alternatives": []}
        others = [_plain(each) for each in unseen + [each for each in self.found if not self.part.shows(each)]]
        now = self._written(self.now)
        return {
            "candidates": list(judged.values()),
            "others": others,
            "now": now,
            "executions": self.executions,
            "tried": len(self.found),
            "looked": self.behind,
        }

    def _words(self, edits: Tuple) -> List[str]:
        return UNSEEN.findall(self.source.apply(edits, self.part.start, self.part.end))

    def _written(self, values: List[Any]) -> List[Dict[str, Any]]:
        parts = []
        for value in values:
            data = value.tobytes()
            parts.append({"shape": list(value.shape), "at": self.written})
            os.write(self.out, data)
            self.written += len(data)
        return parts


def apart(work: Callable[[], Seen]) -> Optional[Seen]:
    """What `work` gives in a process of its own; None where that ends without it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        leave = os._exit
        try:
            os.close(read)
            data = pickle.dumps(work(), pickle.HIGHEST_PROTOCOL)
            while data:
                data = data[os.write(write, data) :]
        finally:
            leave(0)
    os.close(write)
    pieces = []
    while not pieces or pieces[-1]:
        pieces.append(os.read(read, 1 << 20))
    os.close(read)
    os.waitpid(child, 0)
    data = b"".join(pieces)
    return pickle.loads(data) if data else None


class TooLong(BaseException):
    """A candidate that loops for long; nothing that the program itself would catch."""


def _plain(mutation: Mutation) -> Dict[str, Any]:
    return {"edits": [list(edit) for edit in mutation.edits], "cost": mutation.cost, "slip": mutation.slip}
