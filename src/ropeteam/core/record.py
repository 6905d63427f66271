"""What an event does to the state: one function for each kind of event, no decisions about what comes next.

Here: the run itself; what concerns attempts and their work is in `record_attempts`, landing in `record_landing`."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.budget import exhausted, watch_budget
from ropeteam.core.model import Trigger
from ropeteam.core.record_attempts import (
    attempt_ended,
    attempt_started,
    baseline_measured,
    give_up,
    kept,
    merged,
    usage_reported,
    validated,
)
from ropeteam.core.record_landing import landing_again, landing_ended, refuse
from ropeteam.core.state import RunState


def record(state: RunState, event: ev.AnyEvent) -> RunState:
    """The state after `event`: a pure fold step, the same for a live run and for one read back from the journal."""
    return _settle(_apply(_tick(state, event), event))


def _settle(state: RunState) -> RunState:
    """No attempt can follow once the budget is gone: what is there is kept, and the run ends."""
    a = state.newest
    over = a is not None and a.stage in ("failed", "lost", "stopped") and exhausted(state)
    if over and state.ending is None and not state.stop and state.phase == "running":
        return replace(state, ending="not_delivered")
    return state


def _apply(state: RunState, event: ev.AnyEvent) -> RunState:
    match event:
        case ev.RunStarted():
            return _started(state, event)
        case ev.Planned():
            return replace(state.closed("Plan", event.at), decision=event.decision, phase="running")
        case ev.BaselineMeasured():
            return baseline_measured(state, event)
        case ev.AttemptStarted():
            return attempt_started(state, event)
        case ev.UsageReported():
            return usage_reported(state, event)
        case ev.AttemptSucceeded() | ev.AttemptFailed() | ev.AttemptLost():
            return attempt_ended(state, event)
        case ev.AttemptKept():
            return kept(state, event)
        case ev.Merged() | ev.MergeConflicted():
            return merged(state, event)
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
        case ev.LandAsked() | ev.Rebased() | ev.RebaseConflicted():
            return landing_again(state, event)
        case ev.CommandStopped():
            return _command_stopped(state, event)
        case ev.CommandFailed():
            return _command_failed(state, event)
        case ev.CancelAsked():
            return _cancel(state, event)
        case ev.InterruptAsked():
            return state if state.stop or state.outcome else replace(state, stop="interrupt")
        case ev.Resumed():
            return _resumed(state, event)
        case ev.Parked():
            return replace(state.closed("Park", event.at), phase="parked", stop="", resume_at=event.until)
        case ev.Interrupted():
            return replace(state.closed("Interrupt", event.at), phase="interrupted", stop="")
        case ev.RunEnded():
            closed = state.closed("Finish", event.at)
            return replace(closed, phase="ended", outcome=event.outcome, stop="", ended_at=event.at)
        case _:
            assert_never(event)


# ---- time and open commands


def _tick(state: RunState, event: ev.AnyEvent) -> RunState:
    """Count the seconds in which an orchestrator drove the run: the gap before a `Resumed` is nobody's."""
    c = state.clockwork
    idle = isinstance(event, ev.RunStarted | ev.Resumed | ev.LandAsked) or state.phase in ("parked", "interrupted")
    driven = c.driven if idle else c.driven + max(0.0, event.at - c.last)
    return replace(state, clockwork=replace(c, since=c.since or event.at, last=event.at, driven=driven))


# ---- the run


def _started(state: RunState, event: ev.RunStarted) -> RunState:
    limits = event.settings.limits
    return replace(
        state,
        started=event,
        tries=limits.tries,
        budget_usd=limits.budget_usd,
        budget_tokens=limits.budget_tokens,
    )


def _fired(state: RunState, event: ev.TriggerFired) -> RunState:
    t = event.trigger
    left = tuple(p for p in state.pending if (p.id, p.attempt) != (t.id, t.attempt))
    fired = replace(t, at=event.at)
    state = replace(state.closed(f"fire:{t.id}:{t.attempt}", event.at), pending=left, triggers=(*state.triggers, fired))
    if t.action == "park" and not state.stop and not state.outcome:
        return replace(state, stop="park")
    return state


def _cancel(state: RunState, event: ev.CancelAsked) -> RunState:
    """Too late once landing has begun: then the run ends as it would have."""
    if state.outcome or state.stop == "cancel" or "Land" in state.open or state.landed:
        return state
    trigger = Trigger(id="cancelled", at=event.at, evidence="You asked for it.", action="stop")
    phase = state.phase if state.phase in ("planning", "running") else "running"
    return replace(state, stop="cancel", ending="cancelled", phase=phase).pend(trigger)


def _resumed(state: RunState, event: ev.Resumed) -> RunState:
    ended = {k: c for k, c in state.open.items() if not isinstance(c, ev.Stop | ev.Park | ev.Interrupt)}
    state = replace(
        state,
        open=ended,
        opened={k: v for k, v in state.opened.items() if k in ended},
        stop=state.stop if state.stop == "cancel" else "",
        clockwork=replace(state.clockwork, since=event.at),
        budget_usd=event.budget_usd if event.budget_usd is not None else state.budget_usd,
        budget_tokens=event.budget_tokens if event.budget_tokens is not None else state.budget_tokens,
        resume_at=None,
        warned=(),
    )
    a = state.newest
    if a is not None and a.not_before:  # the user says that it can go on now
        state = state.with_attempt(replace(a, not_before=0.0))
    if state.phase in ("parked", "interrupted"):
        state = replace(state, phase="running" if state.decision else "planning")
    elif state.outcome == "not_delivered":
        state = _one_more(state)
    return state if state.outcome else watch_budget(state, event.at)


def _one_more(state: RunState) -> RunState:
    """A run that was not delivered gets one more attempt, from the newest snapshot."""
    return replace(
        state,
        phase="running",
        outcome=None,
        ending=None,
        written=None,
        documents=None,
        head="",
        crashed="",
        failures={},
        tries=sum(a.counted for a in state.attempts) + 1,
    )


def _command_stopped(state: RunState, event: ev.CommandStopped) -> RunState:
    """An attempt whose end could not be recorded (a full disk) is kept from its tree when the run goes on."""
    command = state.open.get(event.key)
    state = state.closed(event.key, event.at)
    if isinstance(command, ev.RunAgent) and any(a.id == command.attempt for a in state.attempts):
        a = state.attempt(command.attempt)
        problem = "It was stopped before it was done."
        return state.with_attempt(replace(a, stage="stopped", outcome="killed", ended_at=event.at, problem=problem))
    return state


def _command_failed(state: RunState, event: ev.CommandFailed) -> RunState:
    command = state.open.get(event.key)
    kind = type(command).__name__ if command is not None else event.key
    failures = {**state.failures, kind: state.failures.get(kind, 0) + 1}
    state = replace(state.closed(event.key, event.at), failures=failures)
    final = failures[kind] > 1
    attempt = ""
    if isinstance(command, ev.RunAgent):
        attempt = command.attempt
        state = give_up(state, command.attempt, event)
    state = state.pend(
        Trigger(
            id="unexpected_problem",
            attempt=attempt,
            unit=attempt.split("/")[0],
            at=event.at,
            evidence=f"{kind}: {event.error}",
            action="stop" if final else "retry",
        ),
    )
    if not final:
        return state
    if isinstance(command, ev.Keep):
        return state.with_attempt(replace(state.attempt(command.attempt), unkept=True))
    if isinstance(command, ev.Compose):  # a validated result is worth more than its documents
        return replace(state, head=command.tip, documents=(), documents_problem=event.error)
    if isinstance(command, ev.WriteDocuments):
        return replace(state, written=(), documents_problem=event.error)
    if state.again is not None or isinstance(command, ev.Land):
        return refuse(state, "unsupported", event.error)
    return replace(state, crashed=event.error, ending=state.ending or "not_delivered")
