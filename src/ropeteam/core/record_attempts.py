"""What the events of an attempt do to the state: begun, ended, merged. Of its validation: `record_checks`."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core import asking
from ropeteam.core import events as ev
from ropeteam.core.budget import exhausted, raised, watch_budget, watch_context
from ropeteam.core.choosing import in_place
from ropeteam.core.falling import drop, eject, fall, let_go
from ropeteam.core.model import Action, Outcome, Trigger
from ropeteam.core.progress import ALONE, outside, pieces, top
from ropeteam.core.record_checks import reject
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.triggers import MAY_PASS, Aftermath, after_failure, after_unit_failure

PIECES = ("contract", "unit")


def attempt_started(state: RunState, event: ev.AttemptStarted) -> RunState:
    command = state.open.get(f"agent:{event.attempt}")
    assert isinstance(command, ev.RunAgent), f"{event.attempt} was started without having been asked for"
    stop = state.open.get(f"stop:{command.key}")
    if isinstance(stop, ev.Stop) and stop.unless_begun:  # too late: it goes on, and may be stopped for another reason
        state = state.forgetting([stop])
    last = state.newest(command.unit)
    if last is not None and last.again:
        state = state.with_attempt(replace(last, again=False))
    offered_at = state.offered.get(event.attempt, 0.0)
    began = min(event.since or event.at, event.at)
    state = state.no_longer_offered(event.attempt, began)
    c = state.clockwork
    since = max(state.opened.get(command.key, event.at), c.since)
    attempt = AttemptState(
        id=event.attempt,
        unit=command.unit,
        kind=command.kind,
        n=int(event.attempt.partition("/")[2]),
        start=event.start,
        base=command.base,
        agent=event.agent,
        model=command.model,
        tree=event.tree,
        folder=event.folder,
        at_path=event.at_path,
        forks=event.forks,
        unpriced=event.unpriced,
        fork=event.fork,
        slot=event.slot,
        asked_at=min(event.at, max(since, command.not_before)),
        offered_at=offered_at,
        by=event.by,
        started_at=began,
        asked=command.asked,
    )
    waited = max(0.0, min(event.at, command.not_before) - since)
    if attempt.id == "rest/1":  # what failed in ropeteam itself for others is tried anew for it
        state = replace(state, failures={})
    return replace(state, attempts=(*state.attempts, attempt), clockwork=replace(c, waited=c.waited + waited))


def usage_reported(state: RunState, event: ev.UsageReported) -> RunState:
    a = state.attempt(event.attempt)
    state = watch_context(state.with_attempt(replace(a, usage=event.usage)), a.id, event.at)
    return watch_budget(state, event.at)


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
            a = replace(a, stage="ended", outcome="ok")
            state = state.with_attempt(a)
            if a.kind in PIECES and state.fallen == "strict":  # it was told to stop
                state = state.with_attempt(let_go(a))
            elif a.kind in PIECES:
                state = _unit_done(state, a, event.at)
        case ev.AttemptLost():
            a = replace(a, stage="lost", outcome="killed", problem="It was cut off from outside before it was done.")
            state = state.with_attempt(replace(a, again=goes_on(state, a)))
        case ev.AttemptFailed() if a.hosted and event.outcome == "timeout":  # a successor is wanted: nobody failed
            a = replace(a, stage="lost", outcome="timeout", problem=a.result.evidence)
            state = state.with_attempt(replace(a, again=goes_on(state, a)))
        case ev.AttemptFailed():
            a = replace(a, outcome=event.outcome, problem=a.result.evidence)
            state = state.with_attempt(a)
            if ours or state.stop or state.ending:
                state = _stopped(state, a, "It was stopped before it was done.")
            elif event.outcome == "budget" and isinstance(given, ev.RunAgent) and raised(state, given):
                state = _stopped(state, a, "Its budget was used up.")
            elif a.unit == asking.PLAN:
                state = asking.failed(state, a, event.outcome, event.at)
            elif a.unit in ALONE:
                state = _attempt_failed(state, a, event.outcome, event.at)
            else:
                state = _piece_failed(state, a, event.outcome, event.at)
    if event.result.checkout:
        state = _checkout_changed(state, a, event.at)
    return watch_budget(watch_context(state, a.id, event.at), event.at)


def _checkout_changed(state: RunState, a: AttemptState, at: float) -> RunState:
    """Told once: all that were at work then have seen it. Which of them did it cannot be told: no unit is blamed."""
    seen = "; ".join(a.result.checkout[:5])
    if any(t.id == "checkout_changed" and t.evidence.startswith(seen) for t in (*state.triggers, *state.pending)):
        return state
    beside = [x.id for x in state.attempts if x.id != a.id and (not x.ended_at or x.ended_at > a.started_at)]
    t = Trigger(id="checkout_changed", unit=a.unit, attempt=a.id, at=at, evidence=seen, action="notice")
    if beside:
        t = replace(t, unit="", evidence=f"{seen} At work meanwhile: {', '.join((*beside, a.id))}.")
    return state.pend(t)


def _stopped(state: RunState, a: AttemptState, problem: str) -> RunState:
    a = replace(a, stage="stopped", problem=problem)
    return state.with_attempt(replace(a, again=goes_on(state, a)))


def goes_on(state: RunState, a: AttemptState) -> bool:
    """Whether another attempt of a unit, or of the belay, follows one that was cut off or stopped."""
    if a.unit in ALONE or not state.together or state.ending:
        return False
    return a.unit == "belay" or state.fallen != "strict"


# ---- one of several


def _unit_done(state: RunState, a: AttemptState, at: float) -> RunState:
    """Its own word is not enough: what it changed is compared with what it owns."""
    free, taken = outside(state, state.plan_unit(a.unit), (c.path for c in a.result.changes))
    most = state.begun.settings.limits.undeclared_files
    if free:
        told = ", ".join(free[:5]) + _more(len(free) - 5)
        t = Trigger(id="undeclared_write", unit=a.unit, attempt=a.id, at=at, action="notice")
        if len(free) <= most:
            state = state.pend(replace(t, evidence=f"It changed files that no other unit owns: {told}."))
        else:
            t = replace(t, evidence=f"{len(free)} files outside its own, the limit is {most}: {told}.")
            state = eject(state, a, t, t.evidence)
    if taken:
        told = ", ".join(f"{path} of {owner}" for path, owner in taken[:5]) + _more(len(taken) - 5)
        t = Trigger(id="file_conflict", at=at, evidence=f"It changed files that another unit owns: {told}.")
        state = eject(state, a, t, t.evidence)
    return state


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


def _piece_failed(state: RunState, a: AttemptState, outcome: Outcome, at: float) -> RunState:
    """A unit or the belay failed of its own accord."""
    if a.fork and a.result.unforked:
        return _begins_anew(state, a, at)
    before = [x for x in state.attempts if x.unit == a.unit and x.id != a.id and x.outcome in MAY_PASS]
    before = [x for x in before if x.agent == a.agent]
    before = [x for x in before if x.started_at >= _last_park(state)]
    next_step = after_unit_failure(
        outcome,
        a.result,
        now=at,
        passed_before=len(before),
        retry_seconds=state.begun.settings.limits.retry_seconds,
        fallback=state.begun.settings.fallback,
    )
    state, next_step, other = in_place(state, a, next_step)
    said = (a.result.evidence or f"{a.id} ended as {outcome}.") + other
    t = Trigger(id=next_step.trigger, unit=a.unit, attempt=a.id, at=at, evidence=said, action=next_step.action)
    if next_step.action in ("retry", "park"):
        return _again(state, a, next_step).pend(t)
    if exhausted(state):
        return state.with_attempt(replace(a, stage="failed", counted=True)).pend(replace(t, action="stop"))
    if a.unit == "belay":
        return drop(state, replace(a, stage="failed"), t, said)
    state = state.with_attempt(replace(a, stage="failed", counted=True))
    state = fall(state, t)
    if before:
        told = f"{a.unit} failed again after it was tried once more: {said}"
        state = fall(state, replace(t, id="unit_failed_twice", evidence=told))
    return state


def _begins_anew(state: RunState, a: AttemptState, at: float) -> RunState:
    """It found no conversation to go on from, and did nothing: the next one reads for itself."""
    said = f"It could not go on from what {a.fork} had read: {a.result.evidence or 'the conversation is not there.'}"
    a = replace(a, stage="failed", again=goes_on(state, a))
    action: Action = "retry" if a.again else "notice"
    t = Trigger(id="agent_crashed", unit=a.unit, attempt=a.id, at=at, evidence=said, action=action)
    return state.with_attempt(a).pend(t)


def _again(state: RunState, a: AttemptState, next_step: Aftermath) -> RunState:
    until = next_step.not_before if next_step.action == "park" else 0.0
    a = replace(a, stage="failed", not_before=next_step.not_before, again=goes_on(state, a))
    return replace(state.with_attempt(a), resume_at=until or state.resume_at)


# ---- the one agent


def _attempt_failed(state: RunState, a: AttemptState, outcome: Outcome, at: float) -> RunState:
    """Of its own accord, not because we stopped it."""
    before = 0
    tries = [x for x in state.attempts if x.unit == a.unit]
    for earlier in reversed(tries[:-1]):
        if earlier.outcome not in MAY_PASS or earlier.counted or earlier.started_at < _last_park(state):
            break
        if earlier.agent != a.agent:
            break
        before += 1
    counted, nothing_left = sum(x.counted for x in tries), exhausted(state)
    next_step = after_failure(
        outcome,
        a.result,
        now=at,
        tries_left=state.tries - counted - 1,
        passed_before=before,
        retry_seconds=state.begun.settings.limits.retry_seconds,
    )
    state, next_step, other = in_place(state, a, next_step)
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
            evidence=(a.result.evidence or f"{a.id} ended as {outcome}.") + other,
            action=next_step.action,
        ),
    )
    return replace(state, ending="not_delivered") if next_step.action == "stop" else state


def _last_park(state: RunState) -> float:
    """When the run parked last: what came before it is no reason to park again."""
    return max((t.at for t in state.triggers if t.action == "park"), default=0.0)


# ---- merged


def merged(state: RunState, event: ev.Merged | ev.MergeConflicted) -> RunState:
    state = state.closed(f"merge:{event.attempt}", event.at)
    a = state.attempt(event.attempt)
    alone = a.unit in ALONE
    if a.stage != "ended" or not (alone or a.unit == "belay" or event.onto == top(state)):
        return state  # let go meanwhile, or what it was put onto was taken out again: it is merged anew
    if isinstance(event, ev.MergeConflicted):
        names = ", ".join(event.paths)
        told = " ".join((f"Conflicts {_with(state, a, event)}in {names}.", *event.reasons))
        t = Trigger(id="file_conflict", at=event.at, evidence=told, action="retry")
        return _refuse(state, a, t, f"Its work conflicts with what is there already, in {names}.")
    a = replace(a, merged=event.commit, merged_at=event.at, findings=event.findings, resolved=event.resolved)
    if event.findings:
        return _refuse(state, a, *_said_of(event))
    state = state.with_attempt(replace(a, stage="merged"))
    if alone or a.unit == "belay":
        return state
    if event.commit == state.ground:  # what it wrote is in the checkpoint already, so it is validated
        return state.with_attempt(replace(a, stage="validated", validated_at=event.at))
    return replace(state, line=(*state.line, a.id))


def _said_of(event: ev.Merged) -> tuple[Trigger, str]:
    """The trigger that its findings are, and what the next one is told of them."""
    told = "\n".join(f"{f.path}:{f.line}: {f.message}" for f in event.findings)
    t = Trigger(id="syntax_error", at=event.at, evidence=told.replace("\n", "; "), action="retry")
    if any(f.check != "imports" for f in event.findings):
        return t, f"These files are not valid:\n{told}"
    evidence = f"What the contract imports is not there: {t.evidence}"
    problem = f"Nothing that builds on these files could be loaded, because what they import is not there:\n{told}"
    return replace(t, id="batch_validation_failed", evidence=evidence), problem


def _with(state: RunState, a: AttemptState, event: ev.MergeConflicted) -> str:
    """Whose work it conflicts with: units whose changes are there already and touch one of these paths."""
    there = [x for x in pieces(state) if x.id != a.id and x.stage in ("merged", "validated")]
    names = dict.fromkeys(x.unit for x in there if any(c.path in event.paths for c in x.result.changes))
    return f"with {', '.join(names)} " if names else ""


def _refuse(state: RunState, a: AttemptState, trigger: Trigger, problem: str) -> RunState:
    """The work of an ended attempt does not do."""
    if a.unit in ALONE:
        return reject(state, a, trigger, problem)
    return (drop if a.unit == "belay" else eject)(state, a, trigger, problem)


def kept(state: RunState, event: ev.AttemptKept) -> RunState:
    state = state.closed(f"keep:{event.attempt}", event.at)
    a = state.attempt(event.attempt)
    return state.with_attempt(replace(a, result=event.result, unkept=event.result.commit is None))


def handed_in_late(state: RunState, event: ev.HandedInLate) -> RunState:
    """Of an attempt that was over: it decides nothing."""
    if not any(a.id == event.attempt for a in state.attempts):
        return state
    a = state.attempt(event.attempt)
    told = f"It was handed in when it was over. Its tree as it was then is kept under {event.ref}, not merged."
    result = replace(
        a.result,
        notices=tuple(dict.fromkeys((*a.result.notices, told))),
        kept=tuple(dict.fromkeys((*a.result.kept, event.ref))),
    )
    return state.with_attempt(replace(a, result=result))


def give_up(state: RunState, id: str, event: ev.CommandFailed, *, again: bool) -> RunState:
    """An exception of ours around an attempt: its tree stays, the next attempt begins where the last snapshot is."""
    if not any(a.id == id for a in state.attempts):
        return state
    a = state.attempt(id)
    return state.with_attempt(
        replace(
            a,
            stage="failed",
            ended_at=event.at,
            outcome="unknown",
            problem=f"It was interrupted: {event.error}",
            again=again and goes_on(state, a),
        )
    )
