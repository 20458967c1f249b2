"""From the command line to a run."""

from __future__ import annotations

import os

from . import options, program, server


def main(arguments):
    chosen = options.parse(arguments)
    if chosen.repair is not None or chosen.repair_one:
        from .mutate import service

        return service.one() if chosen.repair_one else service.serve(chosen.repair)
    if chosen.serve:
        chosen = serve(chosen.channel)
        if chosen is None:
            return
    program.Run(chosen).start()


def serve(channel):
    """Options of a run, in a child that was forked for it; None at the end of the server."""
    request = server.Server(channel).serve()
    if request is None:
        return None
    server.fresh_randomness()
    os.chdir(request["cwd"])
    given = ["--record", request["out"], *request.get("options", []), request["file"], "--", *request.get("args", [])]
    return options.parse(given)
