"""Host mode: take a unit, hand it in."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ropeteam.cli import options
from ropeteam.cli.plain import escaped

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.core.hosting import HostUnit, Taken

NOT_ACCEPTED = 1


def _run(command: options.F) -> options.F:
    return click.option("--run", metavar="RUN", help="Which run [the newest].")(command)


@click.command(short_help="Take a unit to do, in host mode.")
@_run
@options.repo
@click.option("--by", default="", metavar="NAME", help="Who takes it, for `ropeteam status`.")
@click.option("--wait", type=float, default=0.0, metavar="S", help="Wait for a unit for so long, at most [0].")
@options.short
@options.as_json
def take(run: str | None, repo: Path, by: str, wait: float, short: bool, as_json: bool) -> int:
    """Take the next unit of a run that was begun with `--agent host`, and do it: with --json {"unit": ...},
    {"wait_seconds": ...} or {"done": true}; with --short all that are ready, a line each. Nobody else gets what you
    have taken. Where nobody drives the run an orchestrator is started for it."""
    from ropeteam import hosting

    if short and not as_json:
        return _short(options.open_repository(repo), run, wait)
    taken = hosting.take(options.open_repository(repo), run, by=by, wait=wait)
    if as_json:
        options.print_json(taken)
    else:
        options.print_text(_words(taken))
    return 0


def _short(repository: app.Repository, run: str | None, wait: float) -> int:
    """All units that are ready, one line each."""
    from threading import Event

    from ropeteam.cli import hosting_brief

    held = hosting_brief.Held()
    units, taken = hosting_brief.take_units(repository, run, hosting_brief.AT_ONCE, Event(), held, wait)
    held.pass_on()
    if units:
        options.print_text(hosting_brief.to_do(units))
    else:
        options.print_text(_words(taken) if taken.done else hosting_brief.nothing(taken))
    return 0


def _words(taken: Taken) -> str:
    if taken.unit is not None:
        return _unit(taken.run, taken.unit)
    if taken.done:
        landed = "landed" if taken.landed else f"on the branch {escaped(taken.branch)}" if taken.branch else ""
        parts = (taken.outcome or taken.state or "", landed)
        said = f"There is nothing to do any more: {', '.join(p for p in parts if p)}. {escaped(taken.why)}".rstrip()
        more = f"ropeteam resume {taken.run}" if taken.outcome is None else f"ropeteam report {taken.run}"
        return f"{said}\n{more}"
    return f"Nothing to do right now: {escaped(taken.why)}. Ask again in {taken.wait_seconds:g} s."


def _unit(run: str, unit: HostUnit) -> str:
    until = datetime.fromtimestamp(unit.deadline).strftime("%H:%M")
    lines = [
        f"{unit.attempt}  {escaped(unit.title)}",
        escaped(unit.brief, keep_lines=True),
        "",
        escaped(unit.prompt, keep_lines=True),
        "",
        f"Work tree:  {escaped(unit.tree)}",
        f"Until:      {until}, later with every change in the tree",
        f"Then:       ropeteam hand-in --run {run} {unit.attempt}",
    ]
    return "\n".join(lines)


@click.command("hand-in", short_help="Hand in a unit that was taken.")
@_run
@options.repo
@click.argument("attempt")
@click.option(
    "--report", metavar="FILE", help="Its report, - for standard input [what was left in the report file, if anything]."
)
@click.option("--abandon", is_flag=True, help="Give it back undone, where nobody is at work on it any more.")
@options.as_json
def hand_in(run: str | None, repo: Path, attempt: str, report: str | None, abandon: bool, as_json: bool) -> int:
    """Hand in ATTEMPT (such as 03-api/1): what is in its work tree now is its work. Ends with 0: accepted, or given
    back, 1: too late, kept under a ref and not merged, 2: it cannot be handed in."""
    from ropeteam import hosting
    from ropeteam.errors import BadInput

    repository = options.open_repository(repo)
    if abandon and report is not None:
        raise BadInput("What is given back undone has no report.", where="--abandon", hint="Leave out one of the two.")
    if abandon:
        done = hosting.abandon(repository, run, attempt)
    else:
        done = hosting.hand_in(repository, run, attempt, _read(report))
    if as_json:
        options.print_json(done)
    else:
        options.print_text(escaped(done.message))
    return 0 if done.accepted or done.abandoned else NOT_ACCEPTED


def _read(report: str | None) -> bytes | None:
    from ropeteam.errors import BadInput

    if report is None:
        return None
    try:
        return sys.stdin.buffer.read() if report == "-" else Path(report).read_bytes()
    except OSError as problem:
        raise BadInput(f"The report cannot be read: {problem.strerror}.", where=report) from problem
