"""What happens to a run of several agents, in sentences: who begins what, what holds, how it falls back."""

from __future__ import annotations

from typing import Final, Literal

from ropeteam.cli.falls import fell
from ropeteam.cli.page_parts import Tone
from ropeteam.cli.plain import clock_time, count, duration, escaped, plain, whole
from ropeteam.core import events as ev
from ropeteam.core.expecting import expected_before_fall, expected_end
from ropeteam.core.model import CheckResult, Trigger
from ropeteam.core.progress import ALONE, at_work, checkpoints, left, pieces, units, validated
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.timing import time_scale
from ropeteam.core.triggers import SENTENCES

SHORT_SECONDS: Final = 600.0
"""Of a run that is shorter the end is told to the second."""

Said = tuple[str, Tone]
AsUsual = Literal["as usual"]


def sentence(state: RunState, event: ev.AnyEvent) -> Said | AsUsual | None:
    """What is told of an event of several agents; `as usual` where it is told as for one agent."""
    match event:
        case ev.AttemptStarted() if state.attempt(event.attempt).hosted:
            return "as usual"
        case ev.AttemptStarted():
            return _begun(state, state.attempt(event.attempt))
        case ev.AttemptSucceeded():
            a = state.attempt(event.attempt)
            took = duration(event.result.seconds * time_scale(state))
            return f"{label(a.id)}: done in {took}, {count(len(event.result.changes), 'file')} changed.", "good"
        case ev.AttemptFailed() if state.attempt(event.attempt).stage == "lost":  # overdue
            return f"{label(event.attempt)}: {whole(event.result.evidence)}", "calm"
        case ev.AttemptFailed() if state.attempt(event.attempt).stage == "stopped":
            return f"{label(event.attempt)}: stopped; what it made is kept.", "dim"
        case ev.AttemptFailed():
            took = duration(event.result.seconds * time_scale(state))
            evidence = "" if _told_next(state, event.attempt) else whole(event.result.evidence)
            return f"{label(event.attempt)}: {event.outcome} after {took}. {evidence}".rstrip(), "calm"
        case ev.ConflictForeseen():
            return _foreseen(state, event)
        case ev.Merged():
            fitted = " ".join(whole(r) for r in event.resolved)
            return (f"{label(event.attempt)}: merged. {fitted}", "") if fitted else None
        case ev.MergeConflicted():
            return None if _told_next(state, event.attempt) else "as usual"
        case ev.CandidatePassed():
            return _holds(state, event)
        case ev.CandidateFailed():
            return _does_not_hold(state, event)
        case ev.TriggerFired():
            return _trigger(state, event.trigger)
        case ev.Replanned():
            return _replanned(state, event)
        case _:
            return "as usual"


def label(attempt: str) -> str:
    """`02-models/1` is the unit, later ones are told apart."""
    return attempt.removesuffix("/1")


def _told_next(state: RunState, attempt: str) -> bool:
    """A trigger with the same evidence follows at once."""
    return any(t.attempt == attempt for t in state.pending)


def _begun(state: RunState, a: AttemptState) -> Said:
    if a.unit == "rest":
        what = ", ".join(u.id for u in left(state))
        return f"{label(a.id)}: {a.agent} goes on with what is left" + (f": {what}." if what else "."), ""
    if a.unit == "belay":
        return f"{label(a.id)}: {a.agent} works on the whole feature beside the units, as insurance.", ""
    begun = {x.id for x in pieces(state)}
    number = sum(c.attempt in begun for c in state.under_way())
    again = " again" if a.n > 1 else ""
    return f"{label(a.id)}: {a.agent} is at work{again} ({number} of {state.begun.settings.workers} agents).", ""


def _foreseen(state: RunState, event: ev.ConflictForeseen) -> Said | None:
    pair = {event.attempt, event.other}
    if sum({f.attempt, f.other} == pair for f in state.foreseen) > 1:
        return None
    where = _paths(event.paths)
    both = f"{label(event.attempt)} and {label(event.other)}"
    return f"{both} would conflict in {where} as they are now. Both go on; the merge will tell.", "calm"


def _paths(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(escaped(p) for p in paths[:3]) + more


# ---- checkpoints


def _of_pieces(state: RunState, commit: str) -> bool:
    """A candidate of the units, not of one agent's whole work, nor of a landing later."""
    whole_work = any(a.merged == commit and a.unit in (*ALONE, "belay") for a in state.attempts)
    return state.outcome is None and not whole_work


def _holds(state: RunState, event: ev.CandidatePassed) -> Said | AsUsual | None:
    belay = state.newest("belay")
    if belay is not None and belay.merged == event.commit:
        return f"The belay was first, and its result holds: {_checks(event.checks)}.", "good"
    if not _of_pieces(state, event.commit) or state.complete:
        return "as usual"
    number = checkpoint_name(state)
    done, all_ = len(validated(state)), len(units(state))
    hold = f"{done} of {all_} units hold" if done != 1 else f"1 of {all_} units holds"
    return f"{number[0].upper()}{number[1:]}: {hold}: {_checks(event.checks)}.", "good"


def checkpoint_name(state: RunState) -> str:
    """`checkpoint 2`, or what the run started from."""
    found = checkpoints(state)
    return f"checkpoint {len(found)}" if found else "the commit it started from"


def _does_not_hold(state: RunState, event: ev.CandidateFailed) -> Said | AsUsual | None:
    if not _of_pieces(state, event.commit):
        return "as usual"
    if state.suspects < 2:  # it is known whose it is: the trigger says so
        return None
    ids = [state.attempt(id).unit for id in state.line[: state.suspects]]
    return (
        f"{_checks(event.checks)}: not all of these fit: {', '.join(ids)}. Looking for the one that does not.",
        "calm",
    )


def _checks(checks: tuple[CheckResult, ...]) -> str:
    from ropeteam.cli.narration import check_line

    return "; ".join(check_line(c) for c in checks) or "there is no check of the project's own"


# ---- falling back


def _trigger(state: RunState, t: Trigger) -> Said | AsUsual | None:
    if t.action in ("salvage", "strict"):
        before = [x for x in state.triggers if x.action in ("salvage", "strict")]
        first = len(before) <= 1
        return f"{fell(t.id, t.unit, t.evidence)} {_what_now(state, t, first=first)}", "calm"
    if t.unit == "belay" and t.action == "notice" and t.id != "checkout_changed":
        return f"The belay is out: {SENTENCES[t.id]} {whole(t.evidence)} The units go on.", "calm"
    if t.unit in ("", *ALONE):
        return "as usual"
    said, (usual, tone) = fell(t.id, t.unit, t.evidence), _usual(state, t)
    return f"{said} {usual}".strip(), tone


def _usual(state: RunState, t: Trigger) -> Said:
    from ropeteam.cli.narration import NOW

    if t.action == "retry":
        last = state.newest(t.unit)
        when = last.not_before if last is not None else 0.0
        return (f"Trying again at {clock_time(when, seconds=True)}." if when > t.at else "Trying again."), "calm"
    return NOW[t.action], "calm"


def _what_now(state: RunState, t: Trigger, *, first: bool) -> str:
    so_far = " so far" if at_work(state) else ""
    kept = f"{len(validated(state))} of {len(units(state))} units kept{so_far}"
    if not first:
        return "It joins what one agent does next."
    belay = state.newest("belay")
    if belay is not None and belay.stage in ("running", "ended", "merged"):
        return f"The belay, which works on the whole feature, is what goes on ({kept} beside it)."
    if not left(state) and not state.complaint:
        return f"Nothing is left to do ({kept})."
    begun = {a.id for a in pieces(state)}
    finishing = sum(c.attempt in begun for c in state.under_way()) if t.action == "salvage" else 0
    wait = f", once {count(finishing, 'agent')} at work {'is' if finishing == 1 else 'are'} done" if finishing else ""
    end = expected_words(state, t.at)
    said = f"Going on with one agent from {checkpoint_name(state)} ({kept}){wait}."
    return f"{said} {end}." if end else said


def expected_words(state: RunState, now: float) -> str:
    """`Expected end 14:32 instead of 14:21`, as far as it can be told."""
    end, before = expected_end(state, now), expected_before_fall(state)
    if end is None:
        return ""
    short = end - state.begun.at < SHORT_SECONDS
    shown, instead = clock_time(end, seconds=short), clock_time(before, seconds=short) if before else ""
    return f"Expected end {shown}" + (f" instead of {instead}" if instead not in ("", shown) else "")


def _replanned(state: RunState, event: ev.Replanned) -> Said | None:
    fresh = [u for u in event.plan.units if not any(a.unit == u.id for a in state.attempts)]
    if state.plan != event.plan or not fresh:
        return None
    names = ", ".join(u.id for u in fresh)
    return f"{plain(event.why)} Still to come: {names}.".strip(), ""
