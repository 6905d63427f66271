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
    return ended.code


def _never_fail(stream: TextIO | None) -> None:
    """A letter that the terminal's encoding lacks is shown escaped; it ends no command."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
