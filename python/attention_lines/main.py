"""From the command line to a run."""

from __future__ import annotations

from . import options, program


def main(arguments):
    chosen = options.parse(arguments)
    program.Run(chosen).start()
