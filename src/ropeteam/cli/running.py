"""Commands that drive a run: run, resume, cancel, land."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ropeteam.cli import options
from ropeteam.cli.failing import INTERRUPTED

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.core.state import RunState


@click.command(short_help="Implement a planned feature.")
@click.argument("feature")
@options.parts
@options.repo
@options.ways
@click.option("--belay", is_flag=True, help="One more agent does all of it beside them, as insurance.")
@click.option("--land", type=click.Choice(["ask", "yes", "no"]), help="Whether the result goes onto your branch.")
@click.option("--include-dirty", is_flag=True, help="Take along changes that are not committed.")
@click.option("--detach", is_flag=True, help="Print the run's name and leave it to run by itself.")
@options.budgets
@options.sets
@options.as_json
@options.quiet
@options.yes
def run(
    feature: str,
    parts: tuple[str, ...],
    all_parts: bool,
    repo: Path,
    agent: str | None,
    workers: int | None,
    mode: Literal["auto", "parallel", "single"],
    planner: str | None,
    plan: Path | None,
    belay: bool,
    land: str | None,
    include_dirty: bool,
    detach: bool,
    budget_usd: float | None,
    budget_tokens: int | None,
    sets: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    yes: bool,
) -> int:
    """Implement FEATURE: a name under .workspace/features, a path to such a folder, to a spec-kit folder (its name or
    number will do) or to a Markdown file, or - for standard input. Your branch and files are not touched until the
    validated result lands. Of a feature with parts the first that is due is done.

    Ends with 0: delivered, 1: not delivered, 2: change something first, 3: unexpected, 4: parked, 130: interrupted.
    """
    from ropeteam import app
    from ropeteam import run as runs
    from ropeteam.cli.screen import Terminal

    flags = {
        "agent": agent,
        "workers": workers,
        "plan.planner": planner,
        "limits.budget_usd": budget_usd,
        "limits.budget_tokens": budget_tokens,
    }
    request = app.Request(
        repo=repo,
        feature=feature,
        parts=parts,
        all_parts=all_parts,
        stdin=options.text_from_stdin(feature),
        mode=mode,
        plan=plan,
        belay=belay,
        land=land,
        include_dirty=include_dirty,
        sets=sets,
        flags={name: value for name, value in flags.items() if value is not None},
    )
    prepared = app.prepare(request)
    screen = Terminal(quiet=quiet, yes=yes, as_json=as_json)
    begun = runs.begin(prepared, screen, land=land, yes=yes, detach=detach)
    if detach:
        runs.detach(begun)
        _say_detached(begun.first.run, as_json=as_json)
        return 0
    try:
        state = runs.go(begun, screen)
    finally:
        screen.close()
    return finish(state, as_json=as_json, quiet=quiet)


def _say_detached(run: str, *, as_json: bool) -> None:
    if as_json:
        options.print_json({"run": run})
    else:
        options.print_text(run)


@click.command(short_help="Go on after any interruption.")
@options.run_name
@options.repo
@options.budgets
@click.option("--detach", is_flag=True, help="Print the run's name and leave it to run by itself.")
@options.as_json
@options.quiet
@options.yes
def resume(
    run: str | None,
    repo: Path,
    budget_usd: float | None,
    budget_tokens: int | None,
    detach: bool,
    as_json: bool,
    quiet: bool,
    yes: bool,
) -> int:
    """Go on with RUN (the newest without a name) after any interruption: agents that still run are taken over, what
    ended is collected. A run that was not delivered gets one more attempt; a delivered or cancelled one only says
    what it did. What was answered and given to `ropeteam run` holds; new limits can be given."""
    from ropeteam import run as runs
    from ropeteam.cli.screen import Terminal

    repository = options.open_repository(repo)
    if detach:
        name = _free_run(repository, run)
        budget = [("--budget-usd", budget_usd), ("--budget-tokens", budget_tokens)]
        argv = [part for flag, value in budget if value is not None for part in (flag, str(value))]
        runs.spawn_driver(repository, name, (*argv, *(["--yes"] if yes else [])))
        _say_detached(name, as_json=as_json)
        return 0
    screen = Terminal(quiet=quiet, yes=yes, as_json=as_json)
    try:
        state = runs.resume(repository, run, screen, budget_usd=budget_usd, budget_tokens=budget_tokens)
    finally:
        screen.close()
    return finish(state, as_json=as_json, quiet=quiet)


def _free_run(repository: app.Repository, name: str | None) -> str:
    """The run meant, once it is sure that nobody drives it. Raises RunBusy."""
    from ropeteam import run as runs

    run = runs.state_of(repository, name).begun.run
    repository.lock(run).release()
    return run


@click.command(short_help="Stop a run and keep everything.")
@options.run_name
@options.repo
@options.as_json
@options.quiet
def cancel(run: str | None, repo: Path, as_json: bool, quiet: bool) -> int:
    """Stop RUN (the newest without a name) for good. Whatever its agents made is kept under refs of the repository;
    your branch and files stay as they are. Ends with 0 once the run is cancelled, with 1 if it had ended before."""
    from ropeteam import run as runs
    from ropeteam.cli.following import until_still
    from ropeteam.cli.screen import Terminal

    repository = options.open_repository(repo)
    screen = Terminal(quiet=quiet, as_json=as_json)
    try:
        state = runs.cancel(repository, run, screen)
        while state.outcome is None:  # whoever drives it has been told, and stops it; if he goes away, we do
            until_still(repository, state.begun.run, None)
            state = runs.cancel(repository, state.begun.run, screen)
    finally:
        screen.close()
    finish(state, as_json=as_json, quiet=quiet)
    if state.outcome != "cancelled":
        print("It had ended before it could be cancelled: nothing was changed.", file=sys.stderr)
    return 0 if state.outcome == "cancelled" else 1


@click.command(short_help="Put a kept result on the current branch.")
@options.run_name
@options.repo
@options.as_json
@options.quiet
def land(run: str | None, repo: Path, as_json: bool, quiet: bool) -> int:
    """Put the validated result of RUN (the newest without a name) on the branch that is checked out: merged anew on
    its tip where that moved on, validated again, then fast-forwarded. The checkout must be clean."""
    from ropeteam import run as runs
    from ropeteam.cli.screen import Terminal

    repository = options.open_repository(repo)
    screen = Terminal(quiet=quiet, as_json=as_json)
    try:
        state = runs.land(repository, run, screen)
    finally:
        screen.close()
    code = finish(state, as_json=as_json, quiet=quiet)
    return 0 if state.landed else code if code > 1 else 1


def finish(state: RunState, *, as_json: bool, quiet: bool) -> int:
    """Say what came of it, and with which code the command ends."""
    from ropeteam.cli.reporting import show
    from ropeteam.core.report import exit_code

    show(state, as_json=as_json, short=quiet)
    return INTERRUPTED if state.phase == "interrupted" else exit_code(state)
