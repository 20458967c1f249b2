"""From the command line to a run."""

from __future__ import annotations

from . import options, program


def main(arguments):
    chosen = options.parse(arguments)
    if chosen.repair is not None or chosen.repair_one:
        from .mutate import service

        return service.one() if chosen.repair_one else service.serve(chosen.repair)
    program.Run(chosen).start()
