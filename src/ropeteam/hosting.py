"""Host mode from the outside: a unit is taken, and handed in, by any process, while an orchestrator drives the run.

`take` and `hand_in` speak to the orchestrator through the offers in the journal's database alone, so that either of
them may die at any moment. `take` starts an orchestrator where none lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ropeteam import app, git, hosted, locks
from ropeteam import run as runs
from ropeteam.core import events as ev
from ropeteam.core.agent_files import ReportFile
from ropeteam.core.hosting import (
    ABANDONED,
    BeginAnew,
    Give,
    HandedIn,
    NoMore,
    Offer,
    Taken,
    Wait,
    answer,
    out_now,
    stands_still,
    why_still,
)
from ropeteam.core.schedule import step
from ropeteam.core.state import RunState
from ropeteam.errors import BadInput, RopeteamError
from ropeteam.journal import Journal
from ropeteam.offers import Offers
from ropeteam.process_table import boot, look, own_name

POLL_SECONDS = 0.2
START_SECONDS = 30.0
"""An orchestrator that was started and holds the run's lock by then is at work; else it could not begin."""
TOLD_SECONDS = 5.0
"""How long an orchestrator may take to hear of something that does not hurry it."""
REPORT_BYTES = 4_000_000

_report = msgspec.json.Decoder(ReportFile)


def take(
    repository: app.Repository, run: str | None = None, *, by: str = "", wait: float = 0.0, hold: bool = False
) -> Taken:
    """The next unit of `run` (the newest for None), or for how long to wait, or that there is none any more.

    by: who takes it, for people. wait: seconds in which a unit that is not ready yet is waited for. What is given is
    the caller's: nobody else gets it. hold: only once the caller has said so with `passed_on`; should this process be
    gone before, the next one who asks gets it. Starts an orchestrator where none lives. Blocks; not for an event loop's
    thread. Raises NoSuchRun; BadInput for a run whose agents ropeteam starts itself; RopeteamError where none starts.
    """
    by = by.encode("utf-8", "replace").decode()
    journal = repository.journal()
    try:
        name = journal.find(run)
        look = _Look(journal, name)
        _must_be_hosted(look.state, journal.offers(name))
        until, driver = time.monotonic() + wait, _Driver(repository, name)
        while True:
            driver.see_to_it(look.now())
            found = _try(look, journal.offers(name), by)
            if found is not None and (found.wait_seconds is None or time.monotonic() >= until):
                if found.unit is not None and not hold:
                    journal.offers(name).answered(found.unit.attempt, _me())
                return found
            time.sleep(POLL_SECONDS)
    finally:
        journal.close()


def _try(look: _Look, offers: Offers, by: str) -> Taken | None:
    """None: somebody else was faster, look again."""
    state, now = look.now(), time.time()
    run = state.begun.run
    held = offers.held()  # before the offers: what is taken meanwhile is looked at next time
    listed = offers.all()
    lost = [attempt for attempt, holder in held.items() if not _lives(holder)]
    given = answer(state, listed, now, lost)
    match given:
        case NoMore():
            return _done(state)
        case Give():
            was, me = held.get(given.attempt, ""), _me()
            if not (
                offers.adopt(given.attempt, was, me, by, now)
                if given.again
                else offers.take(given.attempt, by, now, me)
            ):
                return None
            offer = next(o for o in listed if o.attempt == given.attempt)
            return Taken(run=run, unit=msgspec.structs.replace(offer.unit, deadline=now + offer.seconds))
        case BeginAnew():
            offers.want(given.attempt)
            return None
        case Wait():
            out = tuple(o.attempt for o in out_now(state, listed))
            return Taken(run=run, wait_seconds=given.seconds, out=out, state=state.phase, why=given.why)


def _me() -> str:
    """Names this process, and where its number means it."""
    return f"{own_name()} {_numbers()}".strip()


def _numbers() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _lives(holder: str) -> bool:
    """Whether the process of that name is there, or may be: of one in another container that cannot be told."""
    if not holder:
        return False
    if holder == _me():
        return True
    pid, start, *where = holder.split()
    if not where or not boot():  # a system that tells nothing of processes
        return True
    if where[0] != boot():
        return False  # of before the machine was started
    if where[1:] != [_numbers()]:
        return True
    found = look(int(pid))
    return found is not None and not found.gone and str(found.start) == start


def passed_on(repository: app.Repository, run: str, attempts: Sequence[str]) -> None:
    """What this process took (`hold`) goes to whoever asked for it, right after this."""
    _give_up(repository, run, attempts, Offers.answered)


def let_go(repository: app.Repository, run: str, attempts: Sequence[str]) -> None:
    """Who asked for what this process took (`hold`) has gone away: the next one who asks gets it."""
    _give_up(repository, run, attempts, Offers.let_go)


def _give_up(
    repository: app.Repository, run: str, attempts: Sequence[str], how: Callable[[Offers, str, str], bool]
) -> None:
    journal = repository.journal()
    try:
        for attempt in attempts:
            how(journal.offers(run), attempt, _me())
    finally:
        journal.close()


def _done(state: RunState) -> Taken:
    return Taken(
        run=state.begun.run,
        done=True,
        state=state.phase,
        outcome=state.outcome,
        landed=state.landed,
        landed_reason=state.landed_reason,
        branch=state.branch,
        why=why_still(state),
    )


def _must_be_hosted(state: RunState, offers: Offers) -> None:
    begun = state.begun
    if app.hosts(begun) or stands_still(state) or offers.all():
        return
    raise BadInput(
        f"Run {begun.run} starts its agents itself ({begun.answers.agent}): there is nothing to take.",
        hint=f"`ropeteam wait {begun.run}` waits for it. `ropeteam run FEATURE --agent host` begins one to take from.",
        code="not_hosted",
    )


class _Look:
    """The state of a run, read on from where it was left."""

    def __init__(self, journal: Journal, run: str) -> None:
        self._journal = journal
        self._run = run
        self._read = 0
        self.state = RunState()
        self.now()
        if self.state.started is None:
            raise RopeteamError(f"Run {run} has no beginning in its journal.", hint="`ropeteam clean` removes it.")

    def now(self) -> RunState:
        for event in self._journal.events(self._run, after=self._read):
            self.state, _ = step(self.state, event)
            self._read += 1
        return self.state


class _Driver:
    """Somebody must drive the run. Of several who start one at once, one gets the run's lock; the others end."""

    def __init__(self, repository: app.Repository, run: str) -> None:
        self._repository = repository
        self._run = run
        self._started = 0.0
        self._log = repository.lock_path(run).with_suffix(".log")
        self._logged = 0

    def see_to_it(self, state: RunState) -> None:
        """Start one where none lives and one is needed. RopeteamError when one was started and did not begin."""
        if stands_still(state):
            return
        if locks.held(self._repository.lock_path(self._run)):
            self._started = 0.0
            return
        now = time.monotonic()
        if not self._started:
            self._started = now
            self._logged = self._log.stat().st_size if self._log.exists() else 0
            runs.spawn_driver(self._repository, self._run)
        elif now - self._started > START_SECONDS:
            raise RopeteamError(
                f"Nobody drives run {self._run}, and an orchestrator that was started did not begin.{self._words()}",
                where=str(self._log),
                hint=f"`ropeteam resume {self._run}` says why.",
                code="not_driven",
            )

    def _words(self) -> str:
        written = self._log.read_bytes()[self._logged :] if self._log.exists() else b""
        last = [line for line in written.decode(errors="replace").splitlines() if line.strip()]
        return f" Its words: {' '.join(last)[:300]}" if last else ""


# ---- hand in


def hand_in(repository: app.Repository, run: str | None, attempt: str, report: bytes | str | None = None) -> HandedIn:
    """Give back a unit that was taken. report: the text of its report (a `report-file.json`); None: what its subagent
    left in the report file, if anything.

    What came too late is not accepted and not lost: its tree is kept under a ref. Raises NoSuchRun; BadInput (and
    nothing was changed) for a report that cannot be read, an attempt that is not of this run, was not taken, or was
    handed in before.
    """
    text = _text(report)
    journal = repository.journal()
    try:
        name = journal.find(run)
        offers = journal.offers(name)
        offer = offers.find(attempt) or _unknown(offers, name, attempt)
        _surely_this(offers, run, name, attempt)
        if offer.state == "taken" and offers.hand_in(attempt, text, time.time()):
            message = "Handed in. It is merged and validated as always; `ropeteam take` goes on."
            return HandedIn(run=name, attempt=attempt, accepted=True, message=message)
        offer = offers.find(attempt) or offer  # it may have been handed in, or have ended, in this moment
        if offer.state != "over" or offer.handed_at:
            raise _not_to_be_handed_in(offer, name)
        kept = _keep_late(repository, journal, name, offer)
        offers.late(attempt, time.time())
        where = f"Its tree as it is now is kept under {kept}." if kept else "Everything in its tree is kept already."
        return HandedIn(
            run=name,
            attempt=attempt,
            accepted=False,
            kept=kept,
            message=f"{attempt} was over before it was handed in ({offer.why}), so it is not merged. {where}",
        )
    finally:
        journal.close()


def abandon(repository: app.Repository, run: str | None, attempt: str) -> HandedIn:
    """Give back a unit that nobody is at work on any more: it is begun anew, in a new tree, with what this one's holds.
    A hand-in that comes all the same is kept and not merged. Raises as `hand_in` does."""
    journal = repository.journal()
    try:
        name = journal.find(run)
        offers = journal.offers(name)
        offer = offers.find(attempt) or _unknown(offers, name, attempt)
        _surely_this(offers, run, name, attempt)
        if not (offer.state == "taken" and offers.abandon(attempt, ABANDONED)):
            raise _not_to_be_handed_in(offers.find(attempt) or offer, name)
        message = f"{attempt} is given back: `ropeteam take` hands it out anew, with what its tree holds."
        return HandedIn(run=name, attempt=attempt, accepted=False, abandoned=True, message=message)
    finally:
        journal.close()


def _surely_this(offers: Offers, run: str | None, name: str, attempt: str) -> None:
    """BadInput where it was not said which run, and it may be another's."""
    if run is None and (others := offers.elsewhere(attempt, taken=True)):
        raise BadInput(
            f"{attempt} of run {others[-1]} is with a subagent too: it was not said which of them this is.",
            where="--run",
            hint=f"Say which run: ropeteam hand-in --run {others[-1]} {attempt}, or --run {name}",
            code="which_run",
        )


def _text(report: bytes | str | None) -> str | None:
    """The report as it is stored. BadInput for one that is none: whoever hands it in can still put it right."""
    if report is None:
        return None
    data = report.encode("utf-8", "surrogateescape") if isinstance(report, str) else report
    hint = "It is a JSON document as `report-file.json` describes; `{}` will do, and so will none at all."
    if len(data) > REPORT_BYTES:
        raise BadInput(f"The report is larger than {REPORT_BYTES} bytes.", where="--report", hint=hint)
    try:
        _report.decode(data)
        return data.decode("utf-8")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as problem:
        raise BadInput(f"The report cannot be read: {problem}.", where="--report", hint=hint) from problem


def _unknown(offers: Offers, run: str, attempt: str) -> Offer:
    others = offers.elsewhere(attempt)
    if others:
        raise BadInput(
            f"Run {run} has not handed out {attempt!r}; run {others[-1]} has.",
            hint=f"Say which run: ropeteam hand-in --run {others[-1]} {attempt}",
            code="other_run",
        )
    out = [o.attempt for o in offers.all() if o.state == "taken"]
    raise BadInput(
        f"Run {run} has not handed out {attempt!r}.",
        hint=f"With subagents are: {', '.join(out)}." if out else "`ropeteam take` hands one out.",
        code="unknown_attempt",
    )


def _not_to_be_handed_in(offer: Offer, run: str) -> BadInput:
    if offer.state == "over" and not offer.handed_at:
        return BadInput(
            f"{offer.attempt} of run {run} is over already ({offer.why}).", hint="`ropeteam take` goes on.", code="over"
        )
    if offer.state in ("offered", "withdrawn"):
        return BadInput(
            f"Nobody has taken {offer.attempt} of run {run}: there is nothing to hand in or to give back.",
            hint="`ropeteam take` hands out what is to be done.",
            code="not_taken",
        )
    return BadInput(
        f"{offer.attempt} of run {run} was handed in already.",
        hint="A later state of its tree is not merged; it is kept when the trees are removed.",
        code="handed_in_already",
    )


def _keep_late(repository: app.Repository, journal: Journal, run: str, offer: Offer) -> str:
    """The ref that keeps the tree as it is now; empty where all of it is kept already. The run is told."""
    state = _Look(journal, run).state
    attempts = (*state.attempts, *hosted.never_heard(repository.home / "journal.sqlite", state))
    known = next((a for a in attempts if a.id == offer.attempt), None)
    if known is None or not Path(known.tree).exists():
        return ""
    kept = hosted.keep_late(repository.repo, git.open_store(repository.repo), state.begun, known, time.time())
    if kept:
        _tell(repository, journal, run, ev.HandedInLate(attempt=offer.attempt, ref=kept, at=time.time()))
    return kept


def _tell(repository: app.Repository, journal: Journal, run: str, event: ev.HandedInLate) -> None:
    """By a word to whoever drives the run; where nobody does, into its journal."""
    asked, until = False, time.monotonic() + TOLD_SECONDS
    word = f"late {event.attempt} {event.ref}"
    while True:
        lock = locks.try_lock(repository.lock_path(run))
        if lock is not None:
            with lock:
                open_ = [number for number, kind in journal.asked(run) if kind == word]
                if open_ or not asked:
                    journal.append(run, [event])
                for number in open_:
                    journal.take(number)
            return
        if not asked:
            journal.ask(run, word, time.time())
            asked = True
        if time.monotonic() > until or all(kind != word for _, kind in journal.asked(run)):
            return
        time.sleep(POLL_SECONDS)
