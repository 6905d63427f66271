"""What the events of validation do to the state: the baseline, a candidate that holds, one that does not."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.budget import exhausted
from ropeteam.core.falling import drop, eject, fall
from ropeteam.core.model import CheckResult, RunOutcome, Trigger
from ropeteam.core.progress import ALONE
from ropeteam.core.record_landing import refuse
from ropeteam.core.state import AttemptState, RunState


def baseline_measured(state: RunState, event: ev.BaselineMeasured) -> RunState:
    known = {b.run.name: b for b in state.baseline or () if b.run.ran}
    if event.commit == state.base and not state.gauged and known:
        # Measured once more after a crash: a check that could be run then and not now has not become one that cannot.
        again = (b if b.run.ran else known.get(b.run.name, b) for b in event.checks)
        event = replace(event, checks=tuple(again))
    if event.final:
        state = state.closed(f"baseline:{event.commit}", event.at)
    if state.again is not None and event.commit == state.again.onto:
        return replace(state, again=replace(state.again, baseline=event.checks)) if event.final else state
    if event.commit != state.base or state.gauged:  # for a landing that was given up
        return state
    if not event.final:
        return replace(state, baseline=event.checks)
    a, c = state.newest(state.solo), state.clockwork
    if a is not None and a.stage == "merged":  # the agent was faster: everything waited for the baseline
        state = replace(state, clockwork=replace(c, checks=c.checks + max(0.0, event.at - max(a.merged_at, c.since))))
    return replace(state, baseline=event.checks, gauged=True)


def validated(state: RunState, event: ev.CandidatePassed | ev.CandidateFailed) -> RunState:
    command = state.open.get(f"validate:{event.commit}")
    state = state.closed(f"validate:{event.commit}", event.at)
    passed = isinstance(event, ev.CandidatePassed)
    if state.again is not None and event.commit == state.again.commit:
        if not passed:
            return refuse(state, "moved", f"On the new tip: {failing(event.checks)}")
        return replace(state, again=replace(state.again, checks=event.checks), checks=event.checks)
    if (state.ending or "").startswith("delivered"):  # another one was faster
        return state
    whole = (*ALONE, "belay")
    a = next((x for x in reversed(state.attempts) if x.merged == event.commit and x.unit in whole), None)
    if a is not None and a.stage == "merged":
        return _whole(state, a, event)
    last = isinstance(command, ev.Validate) and command.last
    if isinstance(event, ev.CandidatePassed):
        return _holds(state, event, last=last)
    return _fails(state, event)


# ---- the whole feature by one agent


def _whole(state: RunState, a: AttemptState, event: ev.CandidatePassed | ev.CandidateFailed) -> RunState:
    if isinstance(event, ev.CandidatePassed):
        state = replace(state.with_attempt(replace(a, stage="validated", validated_at=event.at)), checks=event.checks)
        return replace(state, tip=event.commit, ending=state.ending or won(state))
    t = Trigger(id="batch_validation_failed", at=event.at, evidence=failing(event.checks), action="retry")
    problem = f"The project's checks fail with its work.\n\n{_output(event.checks)}"
    if a.unit == "belay":
        return drop(state, a, t, problem)
    return reject(replace(state, checks=event.checks), a, t, problem)


def won(state: RunState) -> RunOutcome:
    """How a run with a validated result ends."""
    if not state.together:
        return "delivered_single"
    if state.fallen:
        return "delivered_after_fallback"
    belay = state.newest("belay")
    return "delivered_single" if belay is not None and belay.stage == "validated" else "delivered_parallel"


def reject(state: RunState, a: AttemptState, trigger: Trigger, problem: str) -> RunState:
    """The work of an ended attempt does not do: it counts, and the next attempt is told why."""
    counted = sum(x.counted for x in state.attempts if x.unit == a.unit)
    left = 0 if exhausted(state) else state.tries - counted - 1
    state = state.with_attempt(replace(a, stage="failed", counted=True, problem=problem))
    state = state.pend(replace(trigger, unit=a.unit, attempt=a.id, action="retry" if left > 0 else "stop"))
    return state if left > 0 else replace(state, ending="not_delivered")


# ---- candidates of several agents


def _holds(state: RunState, event: ev.CandidatePassed, *, last: bool) -> RunState:
    """A checkpoint: everything up to this commit is validated."""
    here = [i for i, id in enumerate(state.line) if state.attempt(id).merged == event.commit]
    if not here and event.commit != state.ground:  # let go meanwhile, or for a landing that was given up
        return state
    count = max(here, default=-1) + 1
    for id in state.line[:count]:
        state = state.with_attempt(replace(state.attempt(id), stage="validated", validated_at=event.at))
    suspects = max(0, state.suspects - count)
    state = replace(
        state,
        checkpoint=event.commit if here else state.checkpoint,
        line=state.line[count:],
        suspects=suspects,
        checks=state.checks if suspects else event.checks,  # those that fail are what the culprit is told
        complete=last and event.complete,
        fresh=bool(here),
    )
    if suspects == 1:
        return _condemn(state, event.at)
    if last and not event.complete:
        return _incomplete(state, event)
    return state


def _fails(state: RunState, event: ev.CandidateFailed) -> RunState:
    here = [i for i, id in enumerate(state.line) if state.attempt(id).merged == event.commit]
    if here:
        state = replace(state, suspects=min(here) + 1, checks=event.checks)
        return _condemn(state, event.at) if state.suspects == 1 else state
    if event.commit == state.ground and state.together:
        return _incomplete(replace(state, checks=event.checks), event)
    return state


def _condemn(state: RunState, at: float) -> RunState:
    """It is known which of those that wait fails."""
    t = Trigger(id="batch_validation_failed", at=at, evidence=failing(state.checks))
    problem = f"The project's checks fail with its work.\n\n{_output(state.checks)}"
    return eject(state, state.attempt(state.line[0]), t, problem)


def _incomplete(state: RunState, event: ev.CandidatePassed | ev.CandidateFailed) -> RunState:
    """What the units made holds, and is not the feature yet: nobody's work is taken out, one agent mends it."""
    evidence = f"With all units together: {failing(event.checks)}"
    problem = f"The project's checks fail with everything together.\n\n{_output(event.checks)}"
    t = Trigger(id="batch_validation_failed", attempt="candidate", at=event.at, evidence=evidence)
    return fall(replace(state, complaint=problem), t)


def _output(checks: tuple[CheckResult, ...]) -> str:
    return "\n\n".join(f"{c.name}: {c.why}\n{c.output}" for c in checks if c.state == "failed")


def failing(checks: tuple[CheckResult, ...]) -> str:
    """One sentence on which checks fail and on what."""
    parts = []
    for c in checks:
        if c.state == "failed":
            names = ", ".join(c.failing[:5]) + (f" and {len(c.failing) - 5} more" if len(c.failing) > 5 else "")
            parts.append(f"{c.name}: {names or c.why or 'failed'}")
    return "; ".join(parts) or "no check failed"
