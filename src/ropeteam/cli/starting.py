"""`ropeteam new`."""

from __future__ import annotations

from pathlib import Path

import click

from ropeteam.cli import options
from ropeteam.cli.plain import escaped


@click.command(short_help="Write a commented feature folder to fill in.")
@click.argument("name")
@options.repo
@options.as_json
def new(name: str, repo: Path, as_json: bool) -> int:
    """Write .workspace/features/NAME with an intent and a research file to fill in. Nothing is overwritten."""
    from ropeteam import features

    top = options.open_repository(repo).repo.top
    written = features.new(top, name)
    shown = [path.relative_to(top).as_posix() for path in written]
    if as_json:
        options.print_json({"written": shown})
        return 0
    for path in shown:
        options.print_text(f"wrote {escaped(path)}")
    folder = written[0].parent.relative_to(top / ".workspace" / "features").as_posix()
    options.print_text(f"Fill them in, then: ropeteam run {escaped(folder)}")
    return 0
