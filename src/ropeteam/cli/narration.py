"""What happens to a run, in sentences for people: what happened, what it means, what is done about it."""

from __future__ import annotations

from typing import Final

from ropeteam.cli import narration_together
from ropeteam.cli.page import ACTIONS
from ropeteam.cli.page_parts import Tone
from ropeteam.cli.plain import clock_time, count, duration, escaped, plain, whole
from ropeteam.core import events as ev
from ropeteam.core.model import AttemptResult, Baseline, CheckResult
from ropeteam.core.state import RunState
from ropeteam.core.timing import time_scale
from ropeteam.core.triggers import SENTENCES

NOW: Final = {
    "single": "One agent does it.",
    "retry": "Trying again.",
    "notice": "The run goes on.",
    "park": "The run is parked; everything is kept.",
    "stop": "The run stops; everything is kept.",
    "salvage": "What runs may finish; then one agent goes on from the last checkpoint.",
    "strict": "Everything is stopped; one agent goes on from the last checkpoint.",
}
assert NOW.keys() == ACTIONS.keys()

Said = tuple[str, Tone]


def sentence(state: RunState, event: ev.AnyEvent) -> Said | None:
    """What is said of an event that people want to know of, a line each where it is more than one sentence; `state` is
    the state after it."""
    if state.together:
        told = narration_together.sentence(state, event)
        if told != "as usual":
            return told
    match event:
        case ev.RunStarted():
            return f"Run {event.run}: {escaped(event.feature.subject)}", ""
        case ev.Planned():
            return _decided(state), ""
        case ev.BaselineMeasured() if state.together and event.final:
            blind = [_before(b) for b in event.checks if not b.gate]
            return ("Tried with broken code: " + "; ".join(blind) + ".", "calm") if blind else None
        case ev.BaselineMeasured():
            return _baseline(event.checks)
        case ev.AttemptOffered():
            run = state.begun.run
            return f"{event.attempt}: ready. `ropeteam take --run {run}` hands it out.", ""
        case ev.HandedInLate():
            return f"{event.attempt}: handed in when it was over; its tree is kept under {event.ref}.", "calm"
        case ev.AttemptStarted() if event.by or state.attempt(event.attempt).hosted:
            return f"{event.attempt}: taken{f' by {plain(event.by)}' if event.by else ''}.", ""
        case ev.AttemptStarted() if event.attempt.startswith("plan/"):
            why = state.begun.outlook.ask_agent if state.begun.outlook is not None else ""
            first = event.attempt == "plan/1"
            how = f"reads the code and plans. {whole(why)}" if first else "plans once more, told what was wrong."
            return f"{event.attempt}: {event.agent} {how}".rstrip(), ""
        case ev.AttemptStarted():
            return f"{event.attempt}: {event.agent} is at work.", ""
        case ev.AttemptSucceeded() if event.attempt.startswith("plan/"):
            return f"{event.attempt}: proposed a plan in {_took(state, event.result)}.", "good"
        case ev.AttemptSucceeded():
            return f"{event.attempt}: done in {_took(state, event.result)}, {_changed(event.result)}.", "good"
        case ev.AttemptFailed() if state.attempt(event.attempt).stage == "lost":  # overdue
            return f"{event.attempt}: {_evidence(event)}", "calm"
        case ev.AttemptFailed():
            return f"{event.attempt}: {event.outcome} after {_took(state, event.result)}. {_evidence(event)}", "calm"
        case ev.AttemptLost():
            return f"{event.attempt}: its processes are gone; what it made is kept. A new attempt follows.", "calm"
        case ev.Merged():
            return (f"{event.attempt}: {plain(' '.join(event.resolved))}", "calm") if event.resolved else None
        case ev.MergeConflicted():
            why = plain(" ".join(event.reasons))
            return f"{event.attempt}: conflicts in {_named(event.paths, 5)}. {why}".strip(), "calm"
        case ev.ConflictForeseen():
            return _foreseen(event), "calm"
        case ev.CandidatePassed():
            return f"The result holds: {_checks(event.checks)}.", "good"
        case ev.CandidateFailed():
            return f"The result does not hold: {_checks(event.checks)}.", "bad"
        case ev.TriggerFired() if event.trigger.action == "single":
            return None  # the decision has said it
        case ev.TriggerFired():
            t = event.trigger
            now = NOW[t.action] if (t.id, t.action) != ("plan_refused", "notice") else "The static plan counts."
            said = (SENTENCES[t.id], whole(t.evidence), now)
            return " ".join(part for part in said if part), "calm"
        case _:
            return _ending(event, several=state.together)


def _decided(state: RunState) -> str:
    """One line for each thing to know: the decision first."""
    from ropeteam.cli.page_plan import in_short
    from ropeteam.core.foreseen import of_state

    foreseen = of_state(state)
    return "\n".join(in_short(foreseen)) if foreseen is not None else ""


def _ending(event: ev.AnyEvent, *, several: bool) -> Said | None:
    match event:
        case ev.Landed():
            return f"Landed on {escaped(event.branch)}: {event.head[:10]}.", "good"
        case ev.LandRefused():
            return f"It could not land ({event.reason}). {plain(event.detail)}".strip(), "calm"
        case ev.BranchLeft():
            return f"The result is on the branch {escaped(event.branch)}.", ""
        case ev.RebaseConflicted():
            return f"It conflicts with your branch in {', '.join(escaped(p) for p in event.paths[:5])}.", "calm"
        case ev.Resumed():
            return "Going on.", "dim"
        case ev.CancelAsked():
            return "Cancelling: stopping what runs, keeping everything.", "calm"
        case ev.InterruptAsked():
            who = "the agents" if several else "the agent"
            return f"Interrupted: stopping {who}, keeping everything. (Once more leaves at once.)", "calm"
        case ev.Parked():
            when = f" It can go on at {clock_time(event.until)}." if event.until else ""
            return f"Parked; everything is kept.{when}", "calm"
        case ev.CommandFailed():
            return f"Something failed in ropeteam itself: {plain(event.error)}", "bad"
        case _:
            return None


def _foreseen(event: ev.ConflictForeseen) -> str:
    unit, other = (attempt.partition("/")[0] for attempt in (event.attempt, event.other))
    where = _named(event.paths, 3)
    if other == "integration":
        return f"{unit} is changing the same lines as what is merged already, in {where}; it may go to the fallback."
    return (
        f"{unit} and {other} are changing the same lines in {where}; they are merged one after the other, the later"
        " one may go to the fallback."
    )


def _named(paths: tuple[str, ...], most: int) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(escaped(path) for path in paths[:most]) + more


def _took(state: RunState, result: AttemptResult) -> str:
    return duration(result.seconds * time_scale(state))


def _changed(result: AttemptResult) -> str:
    return f"{count(len(result.changes), 'file')} changed"


def _evidence(event: ev.AttemptFailed) -> str:
    return whole(event.result.evidence)


def _baseline(checks: tuple[Baseline, ...]) -> Said:
    if not checks:
        return "No check of the project's own was found: only syntax and merge markers will be looked at.", "calm"
    return "Before the change: " + "; ".join(_before(b) for b in checks) + ".", "dim"


def _before(b: Baseline) -> str:
    name = plain(b.run.name)
    if not b.run.ran:
        return f"{name} could not be run ({plain(b.run.problem)})"
    if not b.gate:
        return f"{name} cannot tell broken code from whole ({plain(b.why_not)})"
    failing = sum(t.state == "failed" for t in b.run.tests)
    if b.run.tests:
        return f"{name}: {count(len(b.run.tests), 'test')}" + (f", {failing} of them failing" if failing else "")
    return f"{name} {'passed' if b.run.exit_code == 0 else 'failed'}"


def _checks(checks: tuple[CheckResult, ...]) -> str:
    if not checks:
        return "there is no check of the project's own"
    return "; ".join(check_line(c) for c in checks)


def check_line(c: CheckResult) -> str:
    """What a check says of the result, as a part of a sentence."""
    tests = f" ({count(c.tests, 'test')}, {c.added} new)" if c.tests and c.added else ""
    tests = tests or (f" ({count(c.tests, 'test')})" if c.tests else "")
    failing = f": {', '.join(plain(n) for n in c.failing[:3])}" if c.failing else ""
    more = f" and {len(c.failing) - 3} more" if len(c.failing) > 3 else ""
    why = f": {plain(c.why)}" if c.why and c.state in ("no_gate", "not_run") else ""
    return f"{plain(c.name)} {c.state}{tests}{failing}{more}{why}"
