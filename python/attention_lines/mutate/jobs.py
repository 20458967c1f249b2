"""The two jobs of a repair: candidates of one statement evaluated in its frame, and the whole program with edits."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, List

from . import frame, outside, vary
from .candidates import candidates
from .launch import run_recorded, run_until, text_of
from .mutation import Mutation
from .scope import Scope
from .source import Source

MOST_BYTES = 64 << 20
"""Of the results that candidates give, so many are handed on."""


def do(request: Dict[str, Any], send: Callable[[Dict[str, Any]], None]) -> Dict[str, Any]:
    """
    `frame`: {"place": {"file", "line", "occurrence"}, "seconds", "out"}: what each candidate for that statement gives,
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
    run_until(request, lambda names, outer: send(_judge(request, names, outer)))
    return {"error": "the statement was not reached"}


def _judge(request: Dict[str, Any], names: Dict[str, Any], outer: Dict[str, Any]) -> Dict[str, Any]:
    place = request["place"]
    source = Source(text_of(request, place["file"]))
    statement = source.statement_at(place["line"])
    if statement is None:
        return {"error": "no statement begins at line %d" % place["line"]}
    out = os.open(request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 5000))
    outside.close()
    module = names is outer
    scope = Scope(source, statement, outer if module else dict(names), outer)
    found = candidates(source, scope, statement, bool(request.get("pairs", True)))
    judged: List[Dict[str, Any]] = []
    written = 0
    for each in frame.judge(source, statement, found, scope.merged, float(request.get("seconds", 5))):
        parts = []
        for value in each.values:
            data = value.tobytes()
            parts.append({"shape": list(value.shape), "at": written})
            os.write(out, data)
            written += len(data)
        judged.append({**_plain(each.mutation), "values": parts})
        if written > MOST_BYTES:
            break
    os.close(out)
    others = [_plain(each) for each in found if frame.not_alone(source, statement, each)]
    return {"candidates": judged, "others": others, "tried": len(found)}


def _plain(mutation: Mutation) -> Dict[str, Any]:
    return {"edits": [list(edit) for edit in mutation.edits], "cost": mutation.cost, "slip": mutation.slip}
