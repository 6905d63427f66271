"""The straight line: look at everything, ask once, begin, drive, report. And the same line taken up again."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from ropeteam import __version__, app, crew, git, history, locks, process
from ropeteam.core import events as ev
from ropeteam.core.model import Answers
from ropeteam.core.schedule import fold
from ropeteam.core.state import RunState
from ropeteam.errors import BadRepository, ConsentNeeded, RunBusy, UserError
from ropeteam.journal import Journal, started
from ropeteam.ports import Clock


class Screen(Protocol):
    """Who is at the other end. interactive: someone is there who can answer."""

    interactive: bool

    def consent(self, prepared: app.Prepared) -> bool: ...

    def watch(self, run: str, state: RunState, event: ev.AnyEvent) -> None: ...

    def tell(self, attempt: str, text: str) -> None: ...

    async def ask_land(self, state: RunState) -> bool: ...


@dataclass(frozen=True)
class Begun:
    """A run whose first event can be journalled: it holds the run's lock."""

    repository: app.Repository
    first: ev.RunStarted
    lock: locks.Lock


def begin(prepared: app.Prepared, screen: Screen, *, land: str | None, yes: bool, detach: bool = False) -> Begun:
    """Ask for consent once, then take the base and the run's lock. Raises ConsentNeeded."""
    _consent(prepared, screen, yes=yes)
    repository = prepared.repository
    repo = repository.repo
    now = time.time()
    run = run_id(prepared.feature.name, now)
    lock = repository.lock(run)
    store = git.open_store(repo)
    base_ref = f"refs/ropeteam/{run}/base"
    facts = git.facts(repo)
    if prepared.include_dirty:
        base = git.snapshot_checkout(store, facts, ref=base_ref, at=now, feature=prepared.feature.folder)
        facts = git.facts(repo, base=base)
    else:
        git.keep(store, facts.base, base_ref)
    first = ev.RunStarted(
        at=now,
        run=run,
        feature=prepared.feature,
        repo=facts,
        settings=prepared.settings,
        answers=Answers(
            mode=prepared.mode,
            land=landing(prepared, screen, land=land, yes=yes, detach=detach),
            agent=prepared.agent,
            include_dirty=prepared.include_dirty,
            sandboxed=prepared.sandboxed,
            belay=prepared.belay,
            until=prepared.until,
        ),
        plan=prepared.plan,
        outlook=prepared.outlook,
        one_reading=prepared.one_reading,
        version=__version__,
    )
    return Begun(repository, first, lock)


def landing(
    prepared: app.Prepared, screen: Screen, *, land: str | None, yes: bool, detach: bool
) -> Literal["ask", "yes", "no"]:
    """`ask` only where someone can be asked; with --yes its default, which is yes."""
    wanted = land or prepared.settings.land
    if wanted == "ask":
        if yes:
            return "yes"
        return "ask" if screen.interactive and not detach else "no"
    return "yes" if wanted == "yes" else "no"


def agreed(prepared: app.Prepared) -> bool:
    """Whether the user has agreed before to what this run does. Nothing is made to find out."""
    if not (prepared.repository.home / "journal.sqlite").is_file():
        return False
    journal = prepared.repository.journal()
    try:
        return journal.consented(prepared.consent)
    finally:
        journal.close()


def _consent(prepared: app.Prepared, screen: Screen, *, yes: bool) -> None:
    journal = prepared.repository.journal()
    try:
        if journal.consented(prepared.consent):
            return
        if not yes and not screen.interactive:
            raise ConsentNeeded(
                "The first run on this repository needs your consent, and nobody is here to give it.",
                where=str(prepared.repository.repo.top),
                hint="Run it once in a terminal, or accept with --yes.",
            )
        if not yes and not screen.consent(prepared):
            raise ConsentNeeded("You did not agree: nothing was done.", hint="`ropeteam run` asks again.")
        journal.consent(prepared.consent, time.time())
    finally:
        journal.close()


def run_id(feature: str, now: float) -> str:
    """`20261122-101530-checkout-7f3a`: sorts by time, names the feature, is a part of refs and file names."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{feature.replace('/', '-')[:60]}-{secrets.token_hex(2)}"


def go(begun: Begun, screen: Screen, *, clock: Clock | None = None) -> RunState:
    """Drive a new run from its first event to where it stands still."""
    return _drive(begun.repository, begun.first, (begun.first,), begun.lock, screen, clock)


def detach(begun: Begun, *, argv: tuple[str, ...] = ()) -> None:
    """Journal the first event and leave the driving to a process of its own."""
    journal = begun.repository.journal()
    journal.append(begun.first.run, [begun.first])
    journal.close()
    begun.lock.release()
    spawn_driver(begun.repository, begun.first.run, argv)


def spawn_driver(
    repository: app.Repository, run: str, argv: tuple[str, ...] = (), *, command: Literal["resume", "cancel"] = "resume"
) -> None:
    """Start a process of its own that resumes (or cancels) `run`; what it prints goes into the run's log."""
    # -P: the repository, which is the current folder there, may hold modules with any name.
    program = (sys.executable, "-P", "-m", "ropeteam")
    words = (*program, command, run, "--repo", str(repository.repo.top), "--quiet", *argv)
    log = repository.lock_path(run).with_suffix(".log")
    process.spawn(words, env=dict(os.environ), cwd=repository.repo.top, output=log)


def resume(
    repository: app.Repository,
    name: str | None,
    screen: Screen,
    *,
    budget_usd: float | None = None,
    budget_tokens: int | None = None,
    run_seconds: float | None = None,
    clock: Clock | None = None,
) -> RunState:
    """Go on with a run after any interruption. A delivered or cancelled run is left as it is, unless a landing of it
    was cut off in the middle. It parks before an attempt whose agent is not there any more."""

    def first(begun: ev.RunStarted) -> Sequence[ev.AnyEvent]:
        gone = crew.unusable(begun)
        return (ev.Resumed(budget_usd=budget_usd, budget_tokens=budget_tokens, run_seconds=run_seconds, unusable=gone),)

    return _again(
        repository, name, first, screen, clock, lambda s: s.outcome in (None, "not_delivered") or s.landing_started
    )


def cancel(repository: app.Repository, name: str | None, screen: Screen, *, clock: Clock | None = None) -> RunState:
    """Stop a run and keep everything: by a word to whoever drives it, else here."""
    journal = repository.journal()
    run = journal.find(name)
    journal.close()
    try:
        first = (ev.Resumed(), ev.CancelAsked())  # the hours in which nobody drove it are not its own
        return _again(repository, run, lambda _begun: first, screen, clock, lambda s: s.outcome is None)
    except RunBusy:
        journal = repository.journal()
        journal.ask(run, "cancel", time.time())
        state = fold(journal.events(run))
        journal.close()
        return state


def land(repository: app.Repository, name: str | None, screen: Screen, *, clock: Clock | None = None) -> RunState:
    """Put a kept result on the branch that is checked out now."""
    repo = repository.repo
    state = state_of(repository, name)
    if state.outcome is None or not state.outcome.startswith("delivered"):
        raise UserError(
            f"Run {state.begun.run} has no validated result to land ({state.outcome or state.phase}).",
            hint="`ropeteam resume` goes on with it." if state.outcome in (None, "not_delivered") else "",
        )
    if state.landed:
        return state
    if state.landing_started and state.again is not None:  # it was cut off, and has half changed the checkout
        return resume(repository, state.begun.run, screen, clock=clock)
    branch = git.branch(repo)
    if branch is None:
        raise BadRepository("HEAD is detached: there is no branch to land on.", hint="Check out a branch first.")
    changed = git.dirty(repo, feature=state.begun.feature.folder)
    if changed:
        raise BadRepository(
            "Landing needs a clean checkout. Not committed: " + ", ".join(changed[:10]),
            where=str(repo.top),
            hint="Commit or stash, then land again.",
            code="dirty",
        )
    first = ev.LandAsked(onto=git.head(repo), branch=branch)
    return _again(repository, state.begun.run, lambda _begun: (first,), screen, clock, lambda _s: True)


def state_of(repository: app.Repository, name: str | None) -> RunState:
    """The state of a run, folded from its journal."""
    journal = repository.journal()
    try:
        return fold(journal.events(journal.find(name)))
    finally:
        journal.close()


def _again(
    repository: app.Repository,
    name: str | None,
    first: Callable[[ev.RunStarted], Sequence[ev.AnyEvent]],
    screen: Screen,
    clock: Clock | None,
    needed: Callable[[RunState], bool],
) -> RunState:
    wanted_at = time.time()
    journal = repository.journal()
    try:
        run = journal.find(name)
        begun = started(journal.events(run))
    finally:
        journal.close()
    if begun is None:
        raise UserError(f"Run {run} has no beginning in its journal.", hint="`ropeteam clean` removes what is left.")
    lock = take_lock(repository, run)
    try:
        state = state_of(repository, run)
        if not needed(state):
            return state
        _forget_wishes(repository, run, wanted_at)
        return _drive(repository, begun, first(begun), lock, screen, clock)
    finally:
        lock.release()


def _forget_wishes(repository: app.Repository, run: str, before: float) -> None:
    """What was asked of an orchestrator that is gone, before this one was wanted. What came since then holds."""
    journal = repository.journal()
    try:
        journal.forget(run, before=before)
    finally:
        journal.close()


def take_lock(repository: app.Repository, run: str, *, seconds: float = 60.0) -> locks.Lock:
    """The run's lock. Waits for children of a killed orchestrator to end; RunBusy when an orchestrator lives."""
    path = repository.lock_path(run)
    until = time.monotonic() + seconds
    while True:
        try:
            return repository.lock(run)
        except RunBusy:
            holder = locks.holder(path)
            if (holder is not None and _alive(holder)) or time.monotonic() > until:
                raise
            time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _drive(
    repository: app.Repository,
    begun: ev.RunStarted,
    first: Sequence[ev.AnyEvent],
    lock: locks.Lock,
    screen: Screen,
    clock: Clock | None,
) -> RunState:
    from ropeteam.engine import Engine, drive
    from ropeteam.perform import RunPerformer

    clock = clock or app.WallClock()
    journal: Journal = repository.journal()
    run = begun.run

    def tell(attempt: str, text: str) -> None:
        journal.tell(run, attempt, text, clock.now())
        screen.tell(attempt, text)

    ask: Callable[[RunState], Awaitable[bool]] | None = screen.ask_land if screen.interactive else None
    try:
        context = app.context_of(repository, begun, lock, clock=clock, tell=tell, ask=ask, offers=journal.offers(run))
        if not any(isinstance(event, ev.CancelAsked) for event in first):
            app.keep_promise(context)
        engine = Engine(
            run,
            journal=journal,
            performer=RunPerformer(context),
            clock=clock,
            watch=lambda state, event: screen.watch(run, state, event),
        )
        with git.holding(lock.fd):
            state = drive(engine, first)
        context.trees.close()
        if state.started is not None:
            history.remember(journal, state)
        return state
    finally:
        journal.close()
        lock.release()
