"""`ropeteam demo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ropeteam.cli import options

if TYPE_CHECKING:
    from ropeteam.cli.screen import Terminal
    from ropeteam.core.state import RunState
    from ropeteam.demo.playing import Stage


@click.command(short_help="A complete run on a sample: no key, no network.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to play it: a folder that is not there yet, or empty [a temporary one].",
)
@click.option("--picture", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Draw SVG pictures.")
@options.as_json
@options.quiet
@click.option("--yes", is_flag=True, help="There is nothing to ask; accepted for scripts.")
def demo(keep: Path | None, picture: Path | None, as_json: bool, quiet: bool, yes: bool) -> int:  # noqa: ARG001
    """A complete run on a small sample application, played by a recording instead of a model: planned feature, work
    tree, tests, landing, report. It needs no key and no network, and touches nothing of yours."""
    from ropeteam.cli.running import finish
    from ropeteam.cli.screen import Terminal
    from ropeteam.demo import playing

    folder = _folder(keep)
    screen = Terminal(quiet=quiet, yes=True)
    if not quiet:
        print(f"A sample repository is made in {folder / 'library'}; a recording plays the agent.", file=sys.stderr)
    stage = playing.prepare(folder)
    state = _play(stage, screen, picture)
    code = finish(state, as_json=as_json, quiet=quiet)
    if not as_json and not quiet:
        options.print_text(f"\nLook around: cd {stage.repo} && git log --stat")
    return code


def _play(stage: Stage, screen: Terminal, picture: Path | None) -> RunState:
    from ropeteam.demo import playing

    if picture is None:
        try:
            return playing.play(stage, screen)
        finally:
            screen.close()
    from ropeteam.cli.pictures import Camera

    camera = Camera(screen)
    try:
        state = playing.play(stage, camera)
    finally:
        screen.close()
    camera.develop(state, picture)
    return state


def _folder(keep: Path | None) -> Path:
    from tempfile import mkdtemp

    from ropeteam.errors import BadInput

    if keep is None:
        return Path(mkdtemp(prefix="ropeteam-demo-"))
    folder = keep.absolute()
    if folder.exists() and any(folder.iterdir()):
        raise BadInput("The folder for the demo is not empty.", where=str(folder), hint="Name one that is not there.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
