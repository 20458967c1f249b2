"""What a run that is only for looking may not do again: write a person's files, start processes, use the network."""

from __future__ import annotations

import builtins
import io
import os
import sys
from typing import Any, Dict, Tuple

_STARTS = ("socket.", "subprocess.", "os.", "shutil.", "urllib.", "ftplib.", "smtplib.", "webbrowser.", "pty.")
_HARMLESS = frozenset(("os.listdir", "os.scandir", "os.fork", "os.putenv", "os.unsetenv", "os.chdir", "os.walk", "os.fwalk"))


def close() -> None:
    """From here on this process opens nothing for writing, starts nothing, connects to nothing, and is silent."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)

    def refuse(event: str, args: Tuple) -> None:
        if event == "open" and _writes(args[1], args[2]):
            raise PermissionError("an edit that is tried may not write")
        _refuse_outside(event)

    sys.addaudithook(refuse)


MOST_MEMORY = 1 << 28
"""What candidates may take beside what the program has taken, in bytes."""


def limit_memory() -> None:
    """From here on a candidate that asks for far too much fails at once, where the system can tell."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + MOST_MEMORY, hard))
    except (ImportError, OSError, ValueError):
        pass


def redirect(scratch: str) -> None:
    """
    From here on what this process opens for writing lies in the folder `scratch`, and is read from there;
    it starts nothing and connects to nothing.
    """
    moved: Dict[str, str] = {}
    plain = io.open

    def opened(file: Any, mode: str = "r", *args: Any, **others: Any) -> Any:
        if isinstance(file, (str, bytes, os.PathLike)) and file != os.devnull:
            path = os.path.realpath(os.fsdecode(file))
            if set(mode) & set("wax+") and path not in moved:
                moved[path] = os.path.join(scratch, str(len(moved)))
                if set(mode) & set("a+") and os.path.exists(path) and "w" not in mode:
                    with plain(path, "rb") as old, plain(moved[path], "wb") as new:
                        new.write(old.read())
            file = moved.get(path, file)
        return plain(file, mode, *args, **others)

    builtins.open = io.open = opened  # type: ignore[assignment]
    os.environ["MPLBACKEND"] = "Agg"
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.save = lambda *args, **others: None
    sys.addaudithook(lambda event, args: _refuse_outside(event))


def _writes(mode: Any, flags: Any) -> bool:
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _refuse_outside(event: str) -> None:
    if event.startswith(_STARTS) and event not in _HARMLESS:
        raise PermissionError("a run for looking may not reach outside (%s)" % event)
