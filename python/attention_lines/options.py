"""The command line: options, then the file, then `--` and what the program itself is given."""

from __future__ import annotations

import argparse


def parse(arguments):
    arguments = list(arguments)
    rest = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, rest = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(prog="attention_lines", description="Runs a Python program and records its tensors.")
    parser.add_argument("--record", metavar="OUT", help="where the recording is written")
    parser.add_argument("--function", metavar="NAME", help="record this function and what it calls")
    parser.add_argument("--expressions", default="none", metavar="none|all|L1,L2",
                        help="record sub-expressions: of all lines, or of these of the file")  # fmt: skip
    parser.add_argument("--max-bytes", type=int, default=512 << 20)
    parser.add_argument("--max-events", type=int, default=100_000)
    parser.add_argument("--root", help="modules under this folder are recorded too; default: the file's folder")
    parser.add_argument("--notebook", action="store_true", help="the file is a notebook, whatever its name")
    parser.add_argument("--pytest", action="store_true", help="run the file through pytest")
    parser.add_argument("--serve", action="store_true", help="answer requests, one JSON object a line")
    parser.add_argument("--repair", type=int, metavar="FD", help="answer requests about edits, one JSON object a line")
    parser.add_argument("--repair-one", action="store_true", help="answer one such request")
    parser.add_argument("--channel", type=int, metavar="FD", help="where the requests come and the answers go")
    parser.add_argument("file", nargs="?")
    options = parser.parse_args(arguments)
    options.args = rest
    if options.file is None and not (options.serve or options.repair is not None or options.repair_one):
        parser.error("FILE is missing")
    if options.file is not None and options.record is None:
        parser.error("--record OUT is missing")
    options.expressions = _lines(options.expressions, parser)
    return options


def _lines(text, parser):
    """None, True for all, or a set of (cell or None, line)."""
    if text in ("none", "all"):
        return text == "all" or None
    try:
        parts = [each.rpartition(":") for each in text.split(",")]
        return frozenset((int(cell) if cell else None, int(line)) for cell, _, line in parts)
    except ValueError:
        parser.error(f"--expressions: found {text!r}, expected none, all, lines such as 12,13 or cell:line")
