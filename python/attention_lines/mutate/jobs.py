"""The two jobs of a repair: candidates of one statement evaluated in its frame, and the whole program with edits."""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Callable, Dict, List

from . import frame, outside, vary
from .candidates import candidates
from .launch import run_recorded, run_until, text_of
from .mutation import Mutation
from .scope import Scope
from .source import Source
from .values import fingerprint

MOST_BYTES = 64 << 20
"""Of the results that candidates give, so many are handed on."""


def do(request: Dict[str, Any], send: Callable[[Dict[str, Any]], None]) -> Dict[str, Any]:
    """
    `frame`: {"place": {"file", "line", "occurrences"}, "seconds", "out"}: what each candidate for that statement gives,
    as float64 in `out`. `record`: {"out"}: a recording of the whole program. `vary`: the edits that give the program
    another seed or other sizes. In all of them `sources` are texts that take the place of files'.
    """
    job = request["job"]
    if job == "record":
        scratch = request["out"] + ".files"
        os.mkdir(scratch)
        outside.redirect(scratch)
        return {"code": run_recorded(request, request["out"])}
    if job == "vary":
        return vary.variations(request)
    looked = Look(request, send)
    run_until(request, looked.reached)
    return looked.reply() if looked.source else {"error": "the statement was not reached"}


class Look:
    """What the candidates for one statement give, at one or two of its executions."""

    def __init__(self, request: Dict[str, Any], send: Callable[[Dict[str, Any]], None]):
        self.request, self.send = request, send
        self.left = len(set(request["place"].get("occurrences", [0])))
        self.source: Any = None
        self.statement: Any = None
        self.found: List[Mutation] = []
        self.given: Dict[int, List[Any]] = {}
        self.now: List[Any] = []
        self.written = 0

    def reached(self, names: Dict[str, Any], outer: Dict[str, Any]) -> None:
        """Evaluates them in this frame; at the last execution that was asked for it answers and ends the process."""
        if names is not outer:
            names = {**outer, **names}
        if self.source is None:
            self._begin(names, outer)
        until = time.monotonic() + float(self.request.get("seconds", 4)) / self.left
        self.now += frame.run(self.source, self.statement, (), names) or []
        for at, mutation in enumerate(self.found):
            if not at % 64 and time.monotonic() > until:
                break
            values = frame.run(self.source, self.statement, mutation.edits, names) if mutation.local else None
            if values:
                self.given.setdefault(at, []).extend(values)
        self.left -= 1
        if not self.left:
            self.send(self.reply())

    def _begin(self, names: Dict[str, Any], outer: Dict[str, Any]) -> None:
        place = self.request["place"]
        self.source = Source(text_of(self.request, place["file"]))
        self.statement = self.source.statement_at(place["line"])
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 5000))
        self.out = os.open(self.request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        outside.close()
        scope = Scope(self.source, self.statement, names, outer)
        self.found = candidates(self.source, scope, self.statement, bool(self.request.get("pairs", True)))

    def reply(self) -> Dict[str, Any]:
        """Of candidates that give the same numbers the cheapest, and none that gives what the statement gives now."""
        seen, judged = {fingerprint(self.now)}, []
        for at, values in sorted(self.given.items()):
            mark = fingerprint(values)
            if mark in seen or self.written > MOST_BYTES:
                continue
            seen.add(mark)
            judged.append({**_plain(self.found[at]), "values": self._written(values)})
        others = [_plain(each) for each in self.found if frame.not_alone(self.statement, each)]
        now = self._written(self.now)
        return {"candidates": judged, "others": others, "now": now, "tried": len(self.found)}

    def _written(self, values: List[Any]) -> List[Dict[str, Any]]:
        parts = []
        for value in values:
            data = value.tobytes()
            parts.append({"shape": list(value.shape), "at": self.written})
            os.write(self.out, data)
            self.written += len(data)
        return parts


def _plain(mutation: Mutation) -> Dict[str, Any]:
    return {"edits": [list(edit) for edit in mutation.edits], "cost": mutation.cost, "slip": mutation.slip}
