"""What an event does to the state: one function for each kind of event, no decisions about what comes next."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.model import Action, CheckResult, LandedReason, Outcome, Trigger
from ropeteam.core.state import AttemptState, Clockwork, Landing, RunState, spent
from ropeteam.core.triggers import MAY_PASS, after_failure


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
            return replace(_close(state, "Plan", event), decision=event.decision, phase="running")
        case ev.BaselineMeasured():
            return _baseline(state, event)
        case ev.AttemptStarted():
            return _attempt_started(state, event)
        case ev.UsageReported():
            return _usage(state, event)
        case ev.AttemptSucceeded() | ev.AttemptFailed() | ev.AttemptLost():
            return _attempt_ended(state, event)
        case ev.Merged() | ev.MergeConflicted():
            return _merged(state, event)
        case ev.CandidatePassed() | ev.CandidateFailed():
            return _validated(state, event)
        case ev.TriggerFired():
            return _fired(state, event)
        case ev.Composed():
            return replace(_close(state, "Compose", event), head=event.head, documents=event.documents)
        case ev.Answered():
            return replace(_close(state, "Ask", event), answered=event.yes)
        case ev.LandingStarted():
            return replace(state, landing_started=True)
        case ev.Landed() | ev.LandRefused():
            return _landing(state, event)
        case ev.BranchLeft():
            return replace(_close(state, "LeaveBranch", event), branch=event.branch, landed_reason=event.reason)
        case ev.DocumentsWritten():
            closed = _close(state, "WriteDocuments", event)
            return replace(closed, written=event.paths, documents_problem=event.problem)
        case ev.LandAsked() | ev.Rebased() | ev.RebaseConflicted():
            return _landing_again(state, event)
        case ev.CommandStopped():
            return _close(state, event.key, event)
        case ev.CommandFailed():
            return _command_failed(state, event)
        case ev.CancelAsked():
            return _cancel(state, event)
        case ev.InterruptAsked():
            return state if state.stop or state.outcome else replace(state, stop="interrupt")
        case ev.Resumed():
            return _resumed(state, event)
        case ev.Parked():
            return replace(_close(state, "Park", event), phase="parked", stop="", resume_at=event.until)
        case ev.Interrupted():
            return replace(_close(state, "Interrupt", event), phase="interrupted", stop="")
        case ev.RunEnded():
            closed = _close(state, "Finish", event)
            return replace(closed, phase="ended", outcome=event.outcome, stop="", ended_at=event.at)
        case _:
            assert_never(event)


# ---- time and open commands


def _tick(state: RunState, event: ev.AnyEvent) -> RunState:
    """Count the seconds in which an orchestrator drove the run: the gap before a `Resumed` is nobody's."""
    c = state.clockwork
    idle = isinstance(event, ev.RunStarted | ev.Resumed | ev.LandAsked)
    driven = c.driven if idle else c.driven + max(0.0, event.at - c.last)
    return replace(state, clockwork=replace(c, since=c.since or event.at, last=event.at, driven=driven))


def _close(state: RunState, key: str, event: ev.AnyEvent) -> RunState:
    """The command `key` has been answered, and with it a request to stop it."""
    gone = {key, f"stop:{key}"}
    began = state.opened.get(key)
    c = state.clockwork
    if began is not None:
        c = _spent_on(c, key, max(0.0, event.at - max(began, c.since)))
    return replace(
        state,
        open={k: v for k, v in state.open.items() if k not in gone},
        opened={k: v for k, v in state.opened.items() if k not in gone},
        clockwork=c,
    )


def _spent_on(c: Clockwork, key: str, seconds: float) -> Clockwork:
    if key.startswith("validate:"):
        return replace(c, checks=c.checks + seconds)
    if key == "Ask":
        return replace(c, asked=c.asked + seconds)
    return c


def _pend(state: RunState, trigger: Trigger) -> RunState:
    return replace(state, pending=(*state.pending, trigger))


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
    state = replace(_close(state, f"fire:{t.id}:{t.attempt}", event), pending=left, triggers=(*state.triggers, fired))
    if t.action == "park" and not state.stop and not state.outcome:
        return replace(state, stop="park")
    return state


def _cancel(state: RunState, event: ev.CancelAsked) -> RunState:
    """Too late once landing has begun: then the run ends as it would have."""
    if state.outcome or state.stop == "cancel" or "Land" in state.open or state.landed:
        return state
    trigger = Trigger(id="cancelled", at=event.at, evidence="You asked for it.", action="stop")
    return _pend(replace(state, stop="cancel", ending="cancelled"), trigger)


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
    return state if state.outcome else _watch_budget(state, event)


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


def _command_failed(state: RunState, event: ev.CommandFailed) -> RunState:
    command = state.open.get(event.key)
    kind = type(command).__name__ if command is not None else event.key
    failures = {**state.failures, kind: state.failures.get(kind, 0) + 1}
    state = replace(_close(state, event.key, event), failures=failures)
    final = failures[kind] > 1
    attempt = ""
    if isinstance(command, ev.RunAgent):
        attempt = command.attempt
        state = _give_up_attempt(state, command.attempt, event)
    state = _pend(
        state,
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
    if isinstance(command, ev.Compose):  # a validated result is worth more than its documents
        return replace(state, head=command.tip, documents=(), documents_problem=event.error)
    if isinstance(command, ev.WriteDocuments):
        return replace(state, written=(), documents_problem=event.error)
    if state.again is not None or isinstance(command, ev.Land):
        return _refuse(state, "unsupported", event.error)
    return replace(state, crashed=event.error, ending=state.ending or "not_delivered")


def _give_up_attempt(state: RunState, id: str, event: ev.CommandFailed) -> RunState:
    """An exception of ours around an attempt: its tree stays, the next attempt begins where the last snapshot is."""
    if not any(a.id == id for a in state.attempts):
        return state
    a = state.attempt(id)
    return state.with_attempt(
        replace(a, stage="failed", ended_at=event.at, outcome="unknown", problem=f"It was interrupted: {event.error}")
    )


# ---- attempts


def _attempt_started(state: RunState, event: ev.AttemptStarted) -> RunState:
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
    return replace(state, attempts=(*state.attempts, attempt))


def _usage(state: RunState, event: ev.UsageReported) -> RunState:
    a = state.attempt(event.attempt)
    return _watch_budget(state.with_attempt(replace(a, usage=event.usage)), event)


def _attempt_ended(state: RunState, event: ev.AttemptSucceeded | ev.AttemptFailed | ev.AttemptLost) -> RunState:
    state = _close(state, f"agent:{event.attempt}", event)
    a = state.attempt(event.attempt)
    usage = event.result.usage if event.result.usage.tokens or event.result.usage.cost_usd else a.usage
    a = replace(a, ended_at=event.at, result=event.result, usage=usage)
    match event:
        case ev.AttemptSucceeded():
            state = state.with_attempt(replace(a, stage="ended", outcome="ok"))
        case ev.AttemptLost():
            problem = "It was cut off from outside before it was done."
            state = state.with_attempt(replace(a, stage="lost", outcome="killed", problem=problem))
        case ev.AttemptFailed():
            state = _attempt_failed(state, a, event.outcome, event.at)
    return _watch_budget(state, event)


def _attempt_failed(state: RunState, a: AttemptState, outcome: Outcome, at: float) -> RunState:
    a = replace(a, outcome=outcome, problem=a.result.evidence)
    if state.stop:
        return state.with_attempt(replace(a, stage="stopped", problem="It was stopped before it was done."))
    before = 0
    for earlier in reversed(state.attempts[:-1]):
        if earlier.outcome not in MAY_PASS or earlier.counted or earlier.started_at < _last_resume(state):
            break
        before += 1
    counted = sum(x.counted for x in state.attempts)
    next_step = after_failure(
        outcome,
        a.result,
        now=at,
        tries_left=0 if exhausted(state) else state.tries - counted - 1,
        passed_before=before,
        retry_seconds=state.begun.settings.limits.retry_seconds,
    )
    a = replace(a, stage="failed", counted=next_step.counted, not_before=next_step.not_before)
    until = next_step.not_before if next_step.action == "park" else 0.0
    state = replace(state.with_attempt(a), resume_at=until or None)
    state = _pend(
        state,
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


def _last_resume(state: RunState) -> float:
    """When the newest `quota_exhausted` parked the run: what came before it is no reason to park again."""
    return max((t.at for t in state.triggers if t.action == "park"), default=0.0)


def _reject(state: RunState, a: AttemptState, trigger: Trigger, problem: str) -> RunState:
    """The work of an ended attempt does not do: it counts, and the next attempt is told why."""
    left = 0 if exhausted(state) else state.tries - sum(x.counted for x in state.attempts) - 1
    state = state.with_attempt(replace(a, stage="failed", counted=True, problem=problem))
    state = _pend(state, replace(trigger, unit=a.unit, attempt=a.id, action="retry" if left > 0 else "stop"))
    return state if left > 0 else replace(state, ending="not_delivered")


def _merged(state: RunState, event: ev.Merged | ev.MergeConflicted) -> RunState:
    state = _close(state, f"merge:{event.attempt}", event)
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


# ---- checks


def _baseline(state: RunState, event: ev.BaselineMeasured) -> RunState:
    state = _close(state, f"baseline:{event.commit}", event)
    if state.again is not None and event.commit != state.base:
        return replace(state, again=replace(state.again, baseline=event.checks))
    a, c = state.newest, state.clockwork
    if a is not None and a.stage == "merged":  # the agent was faster: everything waited for the baseline
        state = replace(state, clockwork=replace(c, checks=c.checks + max(0.0, event.at - max(a.merged_at, c.since))))
    return replace(state, baseline=event.checks)


def _validated(state: RunState, event: ev.CandidatePassed | ev.CandidateFailed) -> RunState:
    state = _close(state, f"validate:{event.commit}", event)
    passed = isinstance(event, ev.CandidatePassed)
    if state.again is not None:
        if not passed:
            return _refuse(state, "moved", f"On the new tip: {failing(event.checks)}")
        return replace(state, again=replace(state.again, checks=event.checks), checks=event.checks)
    a = next(x for x in reversed(state.attempts) if x.merged == event.commit)
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


# ---- budget


def _watch_budget(state: RunState, event: ev.AnyEvent) -> RunState:
    """`token_budget_exceeded`: a notice above the share, the end of the run when nothing is left."""
    share = state.begun.settings.limits.budget_share
    for name, used, limit in used_of(state):
        text = f"{_figure(name, used)} of {_figure(name, limit)} used ({100 * used / limit:.0f} %)."
        action: Action = "stop" if used >= limit else "notice"
        if used < share * limit or f"{name}:{action}" in state.warned or f"{name}:stop" in state.warned:
            continue
        state = replace(state, warned=(*state.warned, f"{name}:{action}"))
        t = Trigger(id="token_budget_exceeded", attempt=name, at=event.at, evidence=text, action=action)
        state = _pend(state, t)
    return state


def exhausted(state: RunState) -> bool:
    """Nothing is left of one of the run's limits."""
    return any(used >= limit for _, used, limit in used_of(state))


def used_of(state: RunState) -> list[tuple[str, float, float]]:
    """(what, used, limit) of every limit of the run that is set: dollars, tokens, agent seconds."""
    money, tokens, seconds = spent(state.attempts)
    limits = state.begun.settings.limits
    known = (
        ("money", money, state.budget_usd),
        ("tokens", float(tokens), state.budget_tokens),
        ("time", seconds, limits.run_seconds),
    )
    return [(name, used, float(limit)) for name, used, limit in known if limit]


def _figure(name: str, value: float) -> str:
    return {"money": f"${value:.2f}", "tokens": f"{value:,.0f} tokens", "time": f"{value:.0f} s"}[name]


# ---- landing


def _landing(state: RunState, event: ev.Landed | ev.LandRefused) -> RunState:
    state = replace(_close(state, "Land", event), landing_started=False)
    if isinstance(event, ev.LandRefused):
        return _refuse(state, event.reason, event.detail)
    return replace(state, landed=True, landed_reason=None, landed_detail="", head=event.head, branch="", again=None)


def _refuse(state: RunState, reason: LandedReason, detail: str) -> RunState:
    return replace(state, landed_reason=reason, landed_detail=detail, again=None)


def _landing_again(state: RunState, event: ev.LandAsked | ev.Rebased | ev.RebaseConflicted) -> RunState:
    if isinstance(event, ev.LandAsked):
        return replace(state, again=Landing(onto=event.onto, branch=event.branch), failures={})
    state = _close(state, "Rebase", event)
    if isinstance(event, ev.RebaseConflicted):
        return _refuse(state, "moved", f"It conflicts with the new tip in {', '.join(event.paths)}.")
    if event.findings:
        return _refuse(state, "moved", "; ".join(f"{f.path}:{f.line}: {f.message}" for f in event.findings))
    assert state.again is not None
    return replace(state, again=replace(state.again, commit=event.commit))
