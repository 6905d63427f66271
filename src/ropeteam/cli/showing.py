"""`ropeteam demo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ropeteam.cli import options
from ropeteam.demo.faults import FAULTS
from ropeteam.demo.repository import FEATURES, HOUSE, RESERVATIONS
from ropeteam.errors import BadInput

if TYPE_CHECKING:
    from ropeteam.cli.screen import Terminal
    from ropeteam.core.state import RunState
    from ropeteam.demo.faults import Fault
    from ropeteam.demo.playing import Mode, Stage


@click.command(short_help="A complete run on a sample: no key, no network.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to play it: a folder that is not there yet, or empty [a temporary one].",
)
@click.option(
    "--feature",
    type=click.Choice(FEATURES),
    help=f"Which planned feature of the sample [{HOUSE}; with --fault {RESERVATIONS}].",
)
@click.option("--fault", type=click.Choice(["none", *FAULTS]), default="none", help="Let something go wrong [none].")
@click.option(
    "--mode",
    type=click.Choice(["auto", "single"]),
    default="auto",
    help="auto: as the gate decides; single: one agent [auto].",
)
@click.option("--picture", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Draw SVG pictures.")
@options.as_json
@options.quiet
@click.option("--yes", is_flag=True, help="There is nothing to ask; accepted for scripts.")
def demo(
    keep: Path | None,
    feature: str | None,
    fault: str,
    mode: Mode,
    picture: Path | None,
    as_json: bool,
    quiet: bool,
    yes: bool,  # noqa: ARG001
) -> int:
    """A complete run on a small sample application, played by a recording instead of a model: plan, decision, several
    agents, work trees, tests, landing, report. It needs no key and no network, and touches nothing of yours.

    The sample has three planned features. house: eight areas that know nothing of each other; ropeteam plans them and
    decides for several agents. opening-hours: small; it decides for one, and says why. reservations: its parts hang
    together; its plan and what it predicts are given.

    With --fault something goes wrong in one agent's work, and ropeteam goes on with one agent: conflict (a unit writes
    a file of another unit), crash, hang, syntax (a file that does not parse), tests (a present test fails), corrupt (a
    report that cannot be read), budget (a model's context nearly full). With quota the provider refuses: the run parks,
    and goes on with several when it can."""
    from ropeteam.cli.running import finish
    from ropeteam.cli.screen import Terminal
    from ropeteam.demo import playing

    if fault != "none" and mode == "single":
        raise BadInput("A fault is played by one of several agents.", where="--fault", hint="Leave out --mode single.")
    if fault != "none" and feature not in (None, RESERVATIONS):
        raise BadInput(
            f"The faults are played in the feature {RESERVATIONS}.",
            where="--fault",
            hint=f"Leave out --feature {feature}.",
        )
    chosen = feature or (HOUSE if fault == "none" else RESERVATIONS)
    wrong = FAULTS.get(fault)
    folder = _folder(keep)
    screen = Terminal(quiet=quiet, yes=True)
    if not quiet:
        _tell_before(folder, fault, wrong)
    stage = playing.prepare(folder, feature=chosen, fault=wrong, mode=mode)
    state = _play(stage, screen, picture, quiet=quiet)
    code = finish(state, as_json=as_json, quiet=quiet)
    if not as_json and not quiet:
        options.print_text(f"\nLook around: cd {stage.repo} && git log --stat")
        if wrong is not None:
            log = f".workspace/features/{chosen}/02-implementation.md"
            options.print_text(f"What went wrong, and what came of it: ropeteam report, and {log} there.")
    return code


def _tell_before(folder: Path, name: str, fault: Fault | None) -> None:
    """What will be played, and where to look, on standard error."""
    print(f"A sample repository is made in {folder / 'library'}; a recording plays the agents.", file=sys.stderr)
    if fault is None:
        return
    then = (
        "the run parks, says when it can go on, and the demo resumes it then"
        if fault.trigger == "quota_exhausted"
        else "what is validated is kept, and one agent does what is left (unit `rest`)"
    )
    print(
        f"Fault {name}: {fault.says}\nLook for the trigger {fault.trigger} below and in the closing report: {then}.",
        file=sys.stderr,
    )


def _play(stage: Stage, screen: Terminal, picture: Path | None, *, quiet: bool) -> RunState:
    from ropeteam.demo import playing

    def parked(seconds: float) -> None:
        screen.close()
        if not quiet:
            print(f"The demo waits {seconds:.0f} s until it can go on, and does `ropeteam resume`.", file=sys.stderr)

    if picture is None:
        try:
            return playing.play(stage, screen, parked)
        finally:
            screen.close()
    from ropeteam.cli.pictures import Camera

    camera = Camera(screen)
    try:
        state = playing.play(stage, camera, parked)
    finally:
        screen.close()
    camera.develop(state, picture)
    return state


def _folder(keep: Path | None) -> Path:
    from tempfile import mkdtemp

    if keep is None:
        return Path(mkdtemp(prefix="ropeteam-demo-"))
    folder = keep.absolute()
    if folder.exists() and any(folder.iterdir()):
        raise BadInput("The folder for the demo is not empty.", where=str(folder), hint="Name one that is not there.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
