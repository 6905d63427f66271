"""Commands that look at a run that somebody else drives: status, attach, wait."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final, Protocol

import click

from ropeteam.cli import options
from ropeteam.cli.plain import escaped, plain

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.cli.page_parts import Page
    from ropeteam.core.events import AnyEvent
    from ropeteam.core.state import RunState
    from ropeteam.journal import Journal

POLL_SECONDS: Final = 0.3
BEGIN_SECONDS: Final = 20.0
"""How long a run may be driven by nobody before it counts as abandoned: a detached driver has to start first."""

TIMED_OUT: Final = 5


@dataclass(frozen=True)
class Seen:
    """How following ended. abandoned: nobody drives it; timed_out: it still runs."""

    state: RunState
    abandoned: bool = False
    timed_out: bool = False


class View(Protocol):
    """Who is shown what happens, and what agents do right now."""

    def watch(self, state: RunState, event: AnyEvent) -> None: ...

    def tell(self, attempt: str, text: str) -> None: ...


def still(state: RunState) -> bool:
    """Whether the run stands still: ended with nothing left to land, parked, or interrupted."""
    if state.phase in ("parked", "interrupted"):
        return True
    return state.outcome is not None and state.again is None


def until_still(
    repository: app.Repository,
    run: str,
    seconds: float | None,
    view: View | None = None,
    stop: Event | None = None,
) -> Seen:
    """Follow a run through its journal until it stands still, is abandoned, or `seconds` have gone by. stop: set by
    another thread, it ends the following as if the time had gone by."""
    journal = repository.journal()
    try:
        return _followed(repository, journal, run, seconds, view, stop or Event())
    finally:
        journal.close()


def _followed(
    repository: app.Repository,
    journal: Journal,
    run: str,
    seconds: float | None,
    view: View | None,
    stop: Event,
) -> Seen:
    from ropeteam import locks
    from ropeteam.cli.live import Picture
    from ropeteam.core.schedule import step
    from ropeteam.core.state import RunState

    until = None if seconds is None else time.monotonic() + seconds
    driven = time.monotonic()
    state, number = RunState(), 0
    while True:
        held = locks.held(repository.lock_path(run))  # looked at first: a driver lets go after its last event
        events = journal.events(run, after=number)
        for event in events:
            state, _ = step(state, event)
            if view is not None and (number == 0 or not still(state) or event is events[-1]):
                view.watch(state, event)
        number += len(events)
        if still(state):
            return Seen(state)
        now = time.monotonic()
        driven = now if held or events else driven
        if now - driven > BEGIN_SECONDS:
            return Seen(state, abandoned=True)
        if stop.is_set() or (until is not None and now >= until):
            return Seen(state, timed_out=True)
        if view is not None:
            for attempt, (_, text) in journal.doing(run).items():
                if f"agent:{attempt}" in state.open:
                    view.tell(attempt, text)
            if isinstance(view, Picture):
                view.draw()
        stop.wait(POLL_SECONDS if until is None else max(0.01, min(POLL_SECONDS, until - now)))


@click.command(short_help="Follow a run live.")
@options.run_name
@options.repo
@options.as_json
@options.quiet
def attach(run: str | None, repo: Path, as_json: bool, quiet: bool) -> int:
    """Follow RUN (the newest without a name) until it ends, then show its report. Ctrl-C leaves the run going."""
    return _wait(run, repo, None, as_json=as_json, quiet=quiet, watched=True)


@click.command(short_help="Block until a run ends.")
@options.run_name
@options.repo
@click.option("--timeout", type=float, metavar="S", help="Give up after so many seconds, with exit code 5.")
@options.as_json
@options.short
@options.quiet
def wait(run: str | None, repo: Path, timeout: float | None, as_json: bool, short: bool, quiet: bool) -> int:
    """Block until RUN (the newest without a name) ends, then show its report and end as `ropeteam run` would have."""
    return _wait(run, repo, timeout, as_json=as_json, quiet=quiet, watched=False, short=short)


def _wait(
    run: str | None,
    repo: Path,
    timeout: float | None,
    *,
    as_json: bool,
    quiet: bool,
    watched: bool,
    short: bool = False,
) -> int:
    from ropeteam import run as runs
    from ropeteam.cli import live
    from ropeteam.cli.reporting import show
    from ropeteam.core.report import exit_code

    repository = options.open_repository(repo)
    name = runs.state_of(repository, run).begun.run
    view = live.view() if watched and not quiet else None
    try:
        seen = until_still(repository, name, timeout, view)
    except KeyboardInterrupt:
        if view is None:
            raise
        print(f"\nThe run goes on. `ropeteam attach {name}` follows it again.", file=sys.stderr)
        return 0
    finally:
        if view is not None:
            view.close()
    if seen.abandoned:
        print(f"Nobody drives this run any more. `ropeteam resume {name}` goes on with it.", file=sys.stderr)
    if short and not as_json:
        _show_short(seen)
    else:
        show(seen.state, as_json=as_json, short=quiet)
    return TIMED_OUT if seen.timed_out else exit_code(seen.state)


def _show_short(seen: Seen) -> None:
    from ropeteam.cli import outline

    lines = outline.outcome(seen.state) if still(seen.state) else (outline.progress(seen.state, time.time()),)
    options.print_text("\n".join(lines))


# ---- status


@click.command(short_help="Where a run is.")
@options.run_name
@options.repo
@click.option("--all", "every", is_flag=True, help="List every run of this repository.")
@options.as_json
def status(run: str | None, repo: Path, every: bool, as_json: bool) -> int:
    """Where RUN (the newest without a name) is: what runs now, what it took so far, what to do next."""
    from ropeteam import run as runs

    repository = options.open_repository(repo)
    if every:
        return _all(repository, as_json=as_json)
    state = runs.state_of(repository, run)
    if as_json:
        from ropeteam.cli.reporting import show

        show(state, as_json=True)
        return 0
    from ropeteam.cli import page_text

    page_text.show(_status_page(repository, state))
    return 0


def _status_page(repository: app.Repository, state: RunState) -> Page:
    from dataclasses import replace

    from ropeteam.cli import live_together
    from ropeteam.cli.live import footer, rows
    from ropeteam.cli.page_parts import Row, Section
    from ropeteam.cli.reporting import page_of

    page = page_of(state)
    if still(state):
        return page
    now = time.time()
    journal = repository.journal()
    doing = {attempt: plain(text) for attempt, (_, text) in journal.doing(state.begun.run).items()}
    journal.close()
    here = tuple(Row(cells) for cells in rows(state, doing, now))
    lines = (live_together.progress(state).plain, live_together.ahead(state, now).plain) if state.together else ()
    far = Section("How far", tuple(Row((line,)) for line in lines if line))
    begins = not state.attempts and now - state.clockwork.last < BEGIN_SECONDS
    driven = begins or is_driven(repository, state.begun.run)
    sections = (
        Section("Now", here),
        *([far] if far.rows else []),
        *(s for s in page.sections if s.title == "What went differently"),
    )
    if driven:
        return replace(page, below=footer(state, now), sections=sections)
    headline = "Abandoned: whoever drove it is gone. Everything is kept."
    goes_on = Row((f"ropeteam resume {state.begun.run}", "goes on, with agents that still run taken over"), code=True)
    return replace(page, headline=headline, sections=sections, next=(goes_on,))


def is_driven(repository: app.Repository, run: str) -> bool:
    """Whether an orchestrator, or what it started and left, holds the run."""
    from ropeteam import locks

    return locks.held(repository.lock_path(run))


def _all(repository: app.Repository, *, as_json: bool) -> int:
    from ropeteam.core.schedule import fold
    from ropeteam.journal import started

    journal = repository.journal()
    try:
        listed = [line.run for line in journal.runs()]
        states = [fold(events) for run in listed if started(events := journal.events(run)) is not None]
    finally:
        journal.close()
    lines = [_line(s) for s in states]
    if as_json:
        options.print_json({"runs": lines})
        return 0
    if not lines:
        options.print_text("There is no run in this repository yet. `ropeteam run FEATURE` starts one.")
    for line in lines:
        where = "landed" if line.landed else escaped(line.branch or "")
        parts = escaped(", ".join(line.parts))
        options.print_text("  ".join(p for p in (line.run, parts, line.outcome or line.state, where) if p))
    return 0


@dataclass(frozen=True)
class RunLine:
    """A run in the list of runs."""

    run: str
    feature: str
    parts: tuple[str, ...]
    state: str
    outcome: str | None
    landed: bool
    branch: str | None


def _line(s: RunState) -> RunLine:
    begun = s.begun
    return RunLine(
        begun.run, begun.feature.name, begun.feature.selected, s.phase, s.outcome, s.landed, s.branch or None
    )
