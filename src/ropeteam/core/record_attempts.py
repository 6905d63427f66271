"""What the events of an attempt do to the state: begun, ended, merged, checked."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.budget import exhausted, raised, watch_budget
from ropeteam.core.model import CheckResult, Outcome, Trigger
from ropeteam.core.record_landing import refuse
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.triggers import MAY_PASS, after_failure


def attempt_started(state: RunState, event: ev.AttemptStarted) -> RunState:
    command = state.open.get(f"agent:{event.attempt}")
    assert isinstance(command, ev.RunAgent), f"{event.attempt} was started without having been asked for"
    unit, _, number = event.attempt.partition("/")
    attempt = AttemptState(
        id=event.attempt,
        unit=unit,
        kind=command.kind,
        n=int(number),
        start=event.start,
        base=command.base,
        agent=event.agent,
        tree=event.tree,
        folder=event.folder,
        slot=event.slot,
        started_at=event.at,
    )
    c, asked = state.clockwork, state.opened.get(command.key, event.at)
    waited = max(0.0, min(event.at, command.not_before) - max(asked, c.since))
    return replace(state, attempts=(*state.attempts, attempt), clockwork=replace(c, waited=c.waited + waited))


def usage_reported(state: RunState, event: ev.UsageReported) -> RunState:
    a = state.attempt(event.attempt)
    return watch_budget(state.with_attempt(replace(a, usage=event.usage)), event.at)


def attempt_ended(state: RunState, event: ev.AttemptSucceeded | ev.AttemptFailed | ev.AttemptLost) -> RunState:
    key = f"agent:{event.attempt}"
    a, given = state.attempt(event.attempt), state.open.get(key)
    if given is None or a.stage != "running":  # a late word on an attempt that was given up
        return state
    ours = a.told_to_stop or f"stop:{key}" in state.open
    state = state.closed(key, event.at)
    usage = event.result.usage if event.result.usage.tokens or event.result.usage.cost_usd else a.usage
    a = replace(a, ended_at=event.at, result=event.result, usage=usage)
    match event:
        case ev.AttemptSucceeded():
            state = state.with_attempt(replace(a, stage="ended", outcome="ok"))
        case ev.AttemptLost():
            problem = "It was cut off from outside before it was done."
            state = state.with_attempt(replace(a, stage="lost", outcome="killed", problem=problem))
        case ev.AttemptFailed():
            a = replace(a, outcome=event.outcome, problem=a.result.evidence)
            state = state.with_attempt(a)
            if ours or state.stop or state.ending:
                state = state.with_attempt(replace(a, stage="stopped", problem="It was stopped before it was done."))
            elif event.outcome == "budget" and isinstance(given, ev.RunAgent) and raised(state, given):
                state = state.with_attempt(replace(a, stage="stopped", problem="Its budget was used up."))
            else:
                state = _attempt_failed(state, a, event.outcome, event.at)
    if event.result.checkout:
        seen = "; ".join(event.result.checkout[:5])
        state = state.pend(
            Trigger(id="checkout_changed", unit=a.unit, attempt=a.id, at=event.at, evidence=seen, action="notice")
        )
    return watch_budget(state, event.at)


def _attempt_failed(state: RunState, a: AttemptState, outcome: Outcome, at: float) -> RunState:
    """Of its own accord, not because we stopped it."""
    before = 0
    for earlier in reversed(state.attempts[:-1]):
        if earlier.outcome not in MAY_PASS or earlier.counted or earlier.started_at < _last_park(state):
            break
        before += 1
    counted, nothing_left = sum(x.counted for x in state.attempts), exhausted(state)
    next_step = after_failure(
        outcome,
        a.result,
        now=at,
        tries_left=state.tries - counted - 1,
        passed_before=before,
        retry_seconds=state.begun.settings.limits.retry_seconds,
    )
    if nothing_left:
        next_step = replace(next_step, action="stop")
    a = replace(a, stage="failed", counted=next_step.counted, not_before=next_step.not_before)
    until = next_step.not_before if next_step.action == "park" else 0.0
    state = replace(state.with_attempt(a), resume_at=until or None)
    state = state.pend(
        Trigger(
            id=next_step.trigger,
            unit=a.unit,
            attempt=a.id,
            at=at,
            evidence=a.result.evidence or f"{a.id} ended as {outcome}.",
            action=next_step.action,
        ),
    )
    return replace(state, ending="not_delivered") if next_step.action == "stop" else state


def _last_park(state: RunState) -> float:
    """When the run parked last: what came before it is no reason to park again."""
    return max((t.at for t in state.triggers if t.action == "park"), default=0.0)


def _reject(state: RunState, a: AttemptState, trigger: Trigger, problem: str) -> RunState:
    """The work of an ended attempt does not do: it counts, and the next attempt is told why."""
    left = 0 if exhausted(state) else state.tries - sum(x.counted for x in state.attempts) - 1
    state = state.with_attempt(replace(a, stage="failed", counted=True, problem=problem))
    state = state.pend(replace(trigger, unit=a.unit, attempt=a.id, action="retry" if left > 0 else "stop"))
    return state if left > 0 else replace(state, ending="not_delivered")


def merged(state: RunState, event: ev.Merged | ev.MergeConflicted) -> RunState:
    state = state.closed(f"merge:{event.attempt}", event.at)
    a = state.attempt(event.attempt)
    if isinstance(event, ev.MergeConflicted):
        names = ", ".join(event.paths)
        t = Trigger(id="file_conflict", at=event.at, evidence=f"Conflicts in {names}.", action="retry")
        return _reject(state, a, t, f"Its work conflicts with what is there already, in {names}.")
    a = replace(a, merged=event.commit, merged_at=event.at, findings=event.findings)
    if event.findings:
        told = "\n".join(f"{f.path}:{f.line}: {f.message}" for f in event.findings)
        t = Trigger(id="syntax_error", at=event.at, evidence=told.replace("\n", "; "), action="retry")
        return _reject(state, a, t, f"These files are not valid:\n{told}")
    return state.with_attempt(replace(a, stage="merged"))


def kept(state: RunState, event: ev.AttemptKept) -> RunState:
    state = state.closed(f"keep:{event.attempt}", event.at)
    a = state.attempt(event.attempt)
    return state.with_attempt(replace(a, result=event.result, unkept=event.result.commit is None))


def give_up(state: RunState, id: str, event: ev.CommandFailed) -> RunState:
    """An exception of ours around an attempt: its tree stays, the next attempt begins where the last snapshot is."""
    if not any(a.id == id for a in state.attempts):
        return state
    a = state.attempt(id)
    return state.with_attempt(
        replace(a, stage="failed", ended_at=event.at, outcome="unknown", problem=f"It was interrupted: {event.error}")
    )


# ---- checks


def baseline_measured(state: RunState, event: ev.BaselineMeasured) -> RunState:
    state = state.closed(f"baseline:{event.commit}", event.at)
    if state.again is not None and event.commit == state.again.onto:
        return replace(state, again=replace(state.again, baseline=event.checks))
    if event.commit != state.base or state.baseline is not None:  # for a landing that was given up
        return state
    a, c = state.newest, state.clockwork
    if a is not None and a.stage == "merged":  # the agent was faster: everything waited for the baseline
        state = replace(state, clockwork=replace(c, checks=c.checks + max(0.0, event.at - max(a.merged_at, c.since))))
    return replace(state, baseline=event.checks)


def validated(state: RunState, event: ev.CandidatePassed | ev.CandidateFailed) -> RunState:
    state = state.closed(f"validate:{event.commit}", event.at)
    passed = isinstance(event, ev.CandidatePassed)
    if state.again is not None and event.commit == state.again.commit:
        if not passed:
            return refuse(state, "moved", f"On the new tip: {failing(event.checks)}")
        return replace(state, again=replace(state.again, checks=event.checks), checks=event.checks)
    a = next((x for x in reversed(state.attempts) if x.merged == event.commit and x.stage == "merged"), None)
    if a is None:  # for a landing that was given up
        return state
    state = replace(state, checks=event.checks)
    if passed:
        won = state.with_attempt(replace(a, stage="validated"))
        return replace(won, tip=event.commit, ending=state.ending or "delivered_single")
    t = Trigger(id="batch_validation_failed", at=event.at, evidence=failing(event.checks), action="retry")
    told = "\n\n".join(f"{c.name}: {c.why}\n{c.output}" for c in event.checks if c.state == "failed")
    return _reject(state, a, t, f"The project's checks fail with its work.\n\n{told}")


def failing(checks: tuple[CheckResult, ...]) -> str:
    """One sentence on which checks fail and on what."""
    parts = []
    for c in checks:
        if c.state == "failed":
            names = ", ".join(c.failing[:5]) + (f" and {len(c.failing) - 5} more" if len(c.failing) > 5 else "")
            parts.append(f"{c.name}: {names or c.why or 'failed'}")
    return "; ".join(parts) or "no check failed"
