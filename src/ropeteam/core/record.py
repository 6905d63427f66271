"""What an event does to the state: one function for each kind of event, no decisions about what comes next.

Here: the run itself; what concerns attempts is in `record_attempts`, their validation in `record_checks`, landing in
`record_landing`."""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from ropeteam.core import asking
from ropeteam.core import events as ev
from ropeteam.core.budget import exhausted, watch_budget
from ropeteam.core.choosing import every, substitute
from ropeteam.core.falling import drop, eject, fall
from ropeteam.core.model import Phase, Trigger
from ropeteam.core.plan import replacing
from ropeteam.core.progress import ALONE, at_work, left, open_requests, units, waits
from ropeteam.core.record_attempts import (
    attempt_ended,
    attempt_started,
    give_up,
    goes_on,
    handed_in_late,
    kept,
    merged,
    usage_reported,
)
from ropeteam.core.record_checks import baseline_measured, validated, won
from ropeteam.core.record_landing import landing_asked, landing_ended, rebased, refuse
from ropeteam.core.second_look import look
from ropeteam.core.state import RunState


def record(state: RunState, event: ev.AnyEvent) -> RunState:
    """The state after `event`: a pure fold step, the same for a live run and for one read back from the journal."""
    return _settle(look(_apply(_tick(state, event), event), event))


def _settle(state: RunState) -> RunState:
    """What follows from the state alone: a run that is won, one that cannot go on, one that may park now."""
    if state.ending is None and not state.stop and state.phase in ("running", "draining"):
        if state.together and not at_work(state) and not left(state) and state.complete:
            state = replace(state, tip=state.ground, ending=won(state))
        elif exhausted(state) and not _something_to_do(state):
            state = replace(state, ending="not_delivered")
    awake = state.phase in ("planning", "running", "draining")
    if awake and state.parking and not state.ending and not state.stop and not state.under_way() and not waits(state):
        state = replace(state, parking=False, stop="park")
    if state.phase in ("running", "draining"):
        draining = bool(state.fallen) and state.ending is None and state.newest("rest") is None and at_work(state)
        state = replace(state, phase="draining" if draining else "running")
    return state


def _something_to_do(state: RunState) -> bool:
    """Without another attempt, which a used up budget does not allow."""
    if state.under_way() or waits(state):
        return True
    return state.together and not (left(state) or state.complaint or open_requests(state))


def _apply(state: RunState, event: ev.AnyEvent) -> RunState:
    match event:
        case ev.RunStarted():
            return _started(state, event)
        case ev.Planned():
            return _planned(state, event)
        case ev.PlanRefused():
            return asking.refused(state, event)
        case ev.Replanned():
            return _replanned(state, event)
        case ev.BaselineMeasured():
            return baseline_measured(state, event)
        case ev.AttemptOffered():
            return replace(state, offered={**state.offered, event.attempt: event.at})
        case ev.AttemptStarted():
            return attempt_started(state, event)
        case ev.UsageReported():
            return usage_reported(state, event)
        case ev.AttemptSucceeded() | ev.AttemptFailed() | ev.AttemptLost():
            return attempt_ended(state, event)
        case ev.AttemptKept():
            return kept(state, event)
        case ev.HandedInLate():
            return handed_in_late(state, event)
        case ev.Merged() | ev.MergeConflicted():
            return merged(state, event)
        case ev.ConflictForeseen():
            return replace(state, foreseen=(*state.foreseen, event))
        case ev.CandidatePassed() | ev.CandidateFailed():
            return validated(state, event)
        case ev.TriggerFired():
            return _fired(state, event)
        case ev.Composed():
            return replace(state.closed("Compose", event.at), head=event.head, documents=event.documents)
        case ev.Answered():
            return replace(state.closed("Ask", event.at), answered=event.yes)
        case ev.LandingStarted():
            return replace(state, landing_started=True)
        case ev.Landed() | ev.LandRefused():
            return landing_ended(state, event)
        case ev.BranchLeft():
            return replace(state.closed("LeaveBranch", event.at), branch=event.branch, landed_reason=event.reason)
        case ev.DocumentsWritten():
            closed = state.closed("WriteDocuments", event.at)
            return replace(closed, written=event.paths, documents_problem=event.problem)
        case ev.LandAsked():
            return landing_asked(state, event)
        case ev.Rebased() | ev.RebaseConflicted():
            return rebased(state, event)
        case ev.CommandStopped():
            return _command_stopped(state, event)
        case ev.CommandFailed():
            return _command_failed(state, event)
        case ev.CancelAsked():
            return _cancel(state, event)
        case ev.InterruptAsked():
            return _interrupt(state)
        case ev.Resumed():
            return _resumed(state, event)
        case ev.Parked():
            return _stand_still(replace(state.closed("Park", event.at), resume_at=event.until), "parked")
        case ev.Interrupted():
            return _stand_still(state.closed("Interrupt", event.at), "interrupted")
        case ev.RunEnded():
            closed = state.closed("Finish", event.at)
            return replace(closed, phase="ended", outcome=event.outcome, stop="", ended_at=event.at)
        case _:
            assert_never(event)


# ---- time and open commands


def _tick(state: RunState, event: ev.AnyEvent) -> RunState:
    """Count the seconds in which an orchestrator drove the run: the gap before a `Resumed` is nobody's.

    What is only told, or planned anew, right after a checkpoint leaves that the newest thing that happened."""
    c = state.clockwork
    idle = isinstance(event, ev.RunStarted | ev.Resumed) or state.phase in ("parked", "interrupted", "ended")
    driven = c.driven if idle else c.driven + max(0.0, event.at - c.last)
    fresh = state.fresh and isinstance(event, ev.TriggerFired | ev.Replanned)
    return replace(state, fresh=fresh, clockwork=replace(c, since=c.since or event.at, last=event.at, driven=driven))


# ---- the run

_DISPENSABLE: Final = (ev.Keep, ev.Compose, ev.WriteDocuments, ev.Ask, ev.Land)
"""Commands without which a validated result is delivered all the same, in a lesser way."""


def _started(state: RunState, event: ev.RunStarted) -> RunState:
    limits = event.settings.limits
    state = replace(
        state,
        started=event,
        tries=limits.tries,
        budget_usd=limits.budget_usd,
        budget_tokens=limits.budget_tokens,
        run_seconds=limits.run_seconds,
    )
    return watch_budget(state, event.at) if exhausted(state) else state


def _planned(state: RunState, event: ev.Planned) -> RunState:
    """What led to one agent from the start is told as the triggers that it is."""
    state = state.closed("Plan", event.at).closed("Assess", event.at)
    for a in state.attempts:
        if a.stage == "ended":  # of an agent that planned
            state = state.with_attempt(replace(a, stage="validated" if a.id == event.attempt else "ejected"))
    state = replace(
        state,
        decision=event.decision,
        plan=event.plan,
        planned=event.plan,
        planning_seconds=state.clockwork.driven,
        explanation=event.explanation,
        phase="running",
        stop=state.stop or ("interrupt" if state.begun.answers.until == "plan" else ""),
    )
    for id, why in zip(event.decision.triggers, event.decision.reasons, strict=False):
        state = state.pend(Trigger(id=id, at=event.at, evidence=why, action="single"))
    return state


def _fired(state: RunState, event: ev.TriggerFired) -> RunState:
    t = event.trigger
    i = next((i for i, p in enumerate(state.pending) if (p.id, p.attempt) == (t.id, t.attempt)), None)
    left = state.pending if i is None else (*state.pending[:i], *state.pending[i + 1 :])
    fired = replace(t, at=event.at)
    state = replace(state.closed(f"fire:{t.id}:{t.attempt}", event.at), pending=left, triggers=(*state.triggers, fired))
    if t.action == "park" and not state.stop and not state.outcome:
        if t.id in ("quota_exhausted", "agent_not_usable"):  # those that run may finish
            return replace(state, parking=True)
        return replace(state, stop="park")
    return state


def _replanned(state: RunState, event: ev.Replanned) -> RunState:
    """A plan that touches what has begun is not taken."""
    state = state.closed("Replan", event.at)
    known = {u.id for u in units(state)}  # the belay is in no plan
    begun = known & {*(a.unit for a in state.attempts), *(c.unit for c in state.under_way())}
    if state.plan is None or isinstance(replacing(state.plan, event.plan, frozenset(begun)), str):
        return replace(state, fresh=False)  # else the same would be asked for again at once
    return replace(state, plan=event.plan, complete=False)


def _cancel(state: RunState, event: ev.CancelAsked) -> RunState:
    """Too late once the result or its record is being put where the user sees it: the run ends as it would have."""
    if state.outcome or state.stop == "cancel":
        return state
    if state.phase in ("parked", "interrupted"):
        state = replace(state, phase="running" if state.decision else "planning")
    putting = bool(state.open.keys() & {"Land", "LeaveBranch", "WriteDocuments", "Finish"})
    put = state.landing_started or state.landed or bool(state.branch) or state.written is not None
    if putting or put:
        return state
    trigger = Trigger(id="cancelled", at=event.at, evidence="You asked for it.", action="stop")
    return replace(state, stop="cancel", ending="cancelled").pend(trigger)


def _interrupt(state: RunState) -> RunState:
    """A landing later is given up, unless it has begun; what is under way for it is stopped."""
    if state.outcome:
        return state if "Land" in state.open else replace(state, again=None)
    standing = state.phase in ("parked", "interrupted") or "Finish" in state.open
    return state if state.stop or standing else replace(state, stop="interrupt")


def _stand_still(state: RunState, phase: Phase) -> RunState:
    """As asked for, unless the user wants the end by now."""
    return state if state.stop == "cancel" else replace(state, phase=phase, stop="")


def _resumed(state: RunState, event: ev.Resumed) -> RunState:
    if state.outcome not in (None, "not_delivered") and state.again is None:
        return state.forgetting(state.open.values())  # delivered or cancelled: there is nothing to go on with
    for stop in state.open.values():
        if isinstance(stop, ev.Stop) and not stop.unless_begun:
            state = _told_to_stop(state, stop.target)
    gone = [c for c in state.open.values() if isinstance(c, ev.Stop | ev.Park | ev.Interrupt)]
    state = replace(
        state.forgetting(gone),
        stop=state.stop if state.stop == "cancel" else "",
        clockwork=replace(state.clockwork, since=event.at),
        resume_at=None,
        parking=False,
        used_up={},
        unusable=event.unusable,
    )
    state = _without_unusable(_new_limits(state, event), event.at)
    for a in state.attempts:
        if a.not_before:  # the user says that it can go on now
            state = state.with_attempt(replace(a, not_before=0.0))
    if state.phase in ("parked", "interrupted"):
        attempts = tuple(replace(a, unkept=False) for a in state.attempts)  # there may be room for them now
        state = replace(state, phase="running" if state.decision else "planning", attempts=attempts)
    elif state.outcome == "not_delivered":
        state = _one_more(state)
    return state if state.outcome else watch_budget(state, event.at)


def _without_unusable(state: RunState, at: float) -> RunState:
    """Attempts that were to begin with an agent that is not there are thought over; that others stand in is told."""
    if not state.unusable:
        return state
    begun = {*(a.id for a in state.attempts), *state.offered}
    gone = {each.agent: each for each in state.unusable}
    own = state.begun.answers.agent
    late = [c for c in state.under_way() if c.attempt not in begun and (c.agent or own) in gone]
    state = state.forgetting(late)
    if state.outcome not in (None, "not_delivered") or not (other := substitute(state)):
        return state
    needed = every(replace(state.begun.settings, instead=()), own)
    for each in (gone[name] for name in needed if name in gone):
        told = f"{each.why} {other} goes on in its place (agent.instead)."
        state = state.pend(Trigger(id="agent_not_usable", at=at, evidence=told))
    return state


def _told_to_stop(state: RunState, target: str) -> RunState:
    """The end of that attempt will be our doing, not its own, though nobody waits for it any more."""
    return replace(
        state,
        attempts=tuple(replace(a, told_to_stop=True) if f"agent:{a.id}" == target else a for a in state.attempts),
    )


def _new_limits(state: RunState, event: ev.Resumed) -> RunState:
    """What was said of a limit is said again only of a new one."""
    given = {"money": event.budget_usd, "tokens": event.budget_tokens, "time": event.run_seconds}
    return replace(
        state,
        budget_usd=state.budget_usd if event.budget_usd is None else event.budget_usd,
        budget_tokens=state.budget_tokens if event.budget_tokens is None else event.budget_tokens,
        run_seconds=state.run_seconds if event.run_seconds is None else event.run_seconds,
        warned=tuple(w for w in state.warned if given.get(w.partition(":")[0]) is None),
    )


def _one_more(state: RunState) -> RunState:
    """A run that was not delivered gets one more attempt, from the newest snapshot; a valid result is delivered. One
    that had no budget to begin with begins. After a fall it is the one agent's attempt: units that were stopped when
    the budget was gone are left to it."""
    return replace(
        state,
        attempts=tuple(replace(a, again=a.again and not state.fallen) for a in state.attempts),
        phase="running" if state.decision else "planning",
        outcome=None,
        ending=won(state) if state.tip else None,
        written=None,
        documents=None,
        head="",
        crashed="",
        failures={},
        tries=sum(a.counted for a in state.attempts if a.unit == state.solo) + 1,
    )


def _command_stopped(state: RunState, event: ev.CommandStopped) -> RunState:
    """An attempt whose end could not be recorded (a full disk) is kept from its tree when the run goes on."""
    command = state.open.get(event.key)
    state = state.closed(event.key, event.at)
    if isinstance(command, ev.Keep) and state.stop != "park":  # its tree stays; a resume tries again
        return state.with_attempt(replace(state.attempt(command.attempt), unkept=True))
    if command is not None and state.again is not None:
        return refuse(state, "unsupported", "It was stopped before it was done.")
    if isinstance(command, ev.RunAgent) and any(a.id == command.attempt for a in state.attempts):
        a = state.attempt(command.attempt)
        problem = "It was stopped before it was done."
        a = replace(a, stage="stopped", outcome="killed", ended_at=event.at, problem=problem)
        return state.with_attempt(replace(a, again=goes_on(state, a)))
    return state


def _command_failed(state: RunState, event: ev.CommandFailed) -> RunState:
    command = state.open.get(event.key)
    kind = type(command).__name__ if command is not None else event.key
    attempt = _attempt_of(state, command)
    unit = attempt.partition("/")[0]
    piece = unit if unit not in ("", *ALONE) else ""
    candidate = isinstance(command, ev.Validate) and bool(command.keep)
    name = f"{kind}:{piece}" if piece else f"{kind}:candidate" if candidate else kind
    failures = {**state.failures, name: state.failures.get(name, 0) + 1}
    state = replace(state.closed(event.key, event.at), failures=failures)
    final = failures[name] > 1
    planning = unit == asking.PLAN or isinstance(command, ev.Assess)  # without it the static plan counts
    if isinstance(command, ev.RunAgent):
        state = give_up(state, command.attempt, event, again=bool(piece) and not final)
    trigger = Trigger(
        id="unexpected_problem",
        attempt=attempt if isinstance(command, ev.RunAgent) or piece else "",
        unit=unit if isinstance(command, ev.RunAgent) or piece else "",
        at=event.at,
        evidence=f"{kind}: {event.error}",
    )
    if final and state.together and state.outcome is None and not state.ending:
        fallen = _fall_over(state, command, piece, trigger, event.error)
        if fallen is not None:
            return fallen
    dispensable = isinstance(command, _DISPENSABLE) or planning
    state = state.pend(replace(trigger, action="retry" if not final else "notice" if dispensable else "stop"))
    return _without(state, command, event.error) if final and not planning else state


def _attempt_of(state: RunState, command: ev.AnyCommand | None) -> str:
    """The attempt that a command is about; empty where it is about several, or none."""
    if isinstance(command, ev.RunAgent | ev.Merge):
        return command.attempt
    if isinstance(command, ev.Validate) and not command.keep and state.again is None:
        return next((a.id for a in reversed(state.attempts) if a.merged == command.commit), "")
    return ""


def _fall_over(
    state: RunState, command: ev.AnyCommand | None, piece: str, trigger: Trigger, error: str
) -> RunState | None:
    """What several agents do about an exception of ours that came twice; None where one agent's ways hold.

    What cannot be validated is taken out, and the one agent's own candidate may be luckier. A baseline that cannot be
    measured is tried anew each time that something waits for it and nothing else can be done (`together.baseline`)."""
    problem = f"Something failed in ropeteam itself: {error}"
    if piece:
        last = state.newest(piece)
        if piece == "belay":
            return drop(state, last, trigger, problem) if last else state.pend(replace(trigger, action="notice"))
        return eject(state, last, trigger, problem) if last else fall(state, trigger)
    baseline = isinstance(command, ev.MeasureBaseline) and state.newest("rest") is None
    if not baseline and not (isinstance(command, ev.Validate) and command.keep):
        return None
    belay = state.newest("belay")
    if baseline and belay is not None and belay.stage == "merged":
        state = drop(state, belay, trigger, problem)
    for id in state.line:
        a = replace(state.attempt(id), stage="ejected", counted=True, problem=problem)
        state = state.with_attempt(a)
    failures = {k: n for k, n in state.failures.items() if k != "Validate:candidate"}
    state = replace(state, line=(), suspects=0, failures=failures)
    if not left(state):
        state = replace(state, complaint=problem)
    return fall(state, trigger)


def _without(state: RunState, command: ev.AnyCommand | None, error: str) -> RunState:
    """How the run goes on, or ends, without what could not be done twice."""
    if isinstance(command, ev.Keep):
        return state.with_attempt(replace(state.attempt(command.attempt), unkept=True))
    if isinstance(command, ev.Compose):  # a validated result is worth more than its documents
        return replace(state, head=command.tip, documents=(), documents_problem=error)
    if isinstance(command, ev.WriteDocuments):
        return replace(state, written=(), documents_problem=error)
    if isinstance(command, ev.Ask):  # nobody could be asked, so nobody said yes
        return replace(state, answered=False)
    if state.again is not None or isinstance(command, ev.Land):
        return refuse(state, "unsupported", error)
    if state.outcome is not None:
        return state
    ending = state.ending if state.ending == "cancelled" else "not_delivered"
    return replace(state, crashed=error, ending=ending)
