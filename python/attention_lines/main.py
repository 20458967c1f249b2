"""From the command line to a run."""

from __future__ import annotations

from . import options, program


def main(arguments):
    chosen = options.parse(arguments)
    if chosen.repair or chosen.repair_one:
        from .mutate import service

        return service.serve() if chosen.repair else service.one()
    program.Run(chosen).start()
