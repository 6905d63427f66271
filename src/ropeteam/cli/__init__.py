"""The command line: flags, rendering, exit codes. Commands are imported when they are used."""

from __future__ import annotations

import sys
from typing import TextIO


def main() -> int:
    """The program `ropeteam`. Returns its exit code."""
    from ropeteam.cli import failing
    from ropeteam.cli.commands import program

    for stream in (sys.stdout, sys.stderr):
        _never_fail(stream)
    arguments = sys.argv[1:]
    with failing.told(arguments) as ended:
        ended.code = program.main(arguments, prog_name="ropeteam", standalone_mode=False) or 0
    for stream in (sys.stdout, sys.stderr):
        _emptied(stream)
    return ended.code


def _emptied(stream: TextIO | None) -> None:
    """What a reader who is gone would not take must not turn into a complaint, and another exit code, at the end."""
    import os

    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _never_fail(stream: TextIO | None) -> None:
    """A letter that the terminal's encoding lacks is shown escaped; it ends no command."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
