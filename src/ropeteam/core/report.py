"""What a run says of itself: a fold of its journal into the document of `ropeteam report --format json`.

With the scripted agent, seconds of agents are in feature time (real seconds times `time_scale`); `clock` says so.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ropeteam.core.events import RunAgent
from ropeteam.core.model import (
    AgentReport,
    CheckState,
    Decision,
    LandedReason,
    Outcome,
    Phase,
    RunOutcome,
    Trigger,
    UnitState,
    Value,
)
from ropeteam.core.paths import is_cache
from ropeteam.core.state import AttemptState, RunState, spent


class Tokens(Value, frozen=True, kw_only=True, omit_defaults=False):
    """input: at full price; cached: read from the provider's cache; output."""

    input: int = 0
    cached: int = 0
    output: int = 0


class AttemptLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    id: str
    agent: str
    outcome: Outcome | None
    seconds: float
    tokens: Tokens
    cost_usd: float
    ref: str


class UnitLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    id: str
    state: UnitState
    attempts: tuple[AttemptLine, ...]


class FileLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    path: str
    purpose: str


class Files(Value, frozen=True, kw_only=True, omit_defaults=False):
    created: tuple[FileLine, ...] = ()
    modified: tuple[FileLine, ...] = ()
    deleted: tuple[FileLine, ...] = ()


class DecisionLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    decision: str
    rationale: str
    unit: str


class DeviationLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    what: str
    why: str
    unit: str


class CheckLine(Value, frozen=True, kw_only=True):
    """why: of what did not simply pass. failing, removed: names of tests, at most 20 each."""

    name: str
    state: CheckState
    baseline: CheckState
    why: str = ""
    failing: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    tests: int = 0
    added: int = 0


class TriggerLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    id: str
    unit: str
    at: str
    evidence: str
    action: str


class Predicted(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Null until something can be estimated."""

    mode: str | None = None
    single_seconds_p50: float | None = None
    parallel_seconds_p50: float | None = None
    speedup_p50: float | None = None
    speedup_quantile: float | None = None


class Actual(Value, frozen=True, kw_only=True, omit_defaults=False):
    """seconds: wall time in which the run was driven, without waiting for the user. orchestration_seconds: of it, what
    was neither an agent at work, nor a check that everything waited for, nor waiting for a provider."""

    seconds: float = 0.0
    single_seconds_estimated: float | None = None
    speedup_estimated: float | None = None
    tokens: int = 0
    cost_usd: float = 0.0
    orchestration_seconds: float = 0.0


class Report(Value, frozen=True, kw_only=True, omit_defaults=False):
    run: str
    feature: str
    state: Phase
    outcome: RunOutcome | None
    winner: str | None
    landed: bool
    landed_reason: LandedReason | None
    landed_detail: str
    resume_at: str | None
    base: str
    head: str | None
    branch: str | None
    decision: Decision | None
    units: tuple[UnitLine, ...]
    triggers: tuple[TriggerLine, ...]
    files: Files
    decisions: tuple[DecisionLine, ...]
    deviations: tuple[DeviationLine, ...]
    checks: tuple[CheckLine, ...]
    notices: tuple[str, ...]
    kept: tuple[str, ...]
    documents: tuple[str, ...]
    predicted: Predicted
    actual: Actual
    clock: str
    agent: str
    started_at: str
    error: str


def report(state: RunState) -> Report:
    """The report of a run at this moment; of an ended one, its last word."""
    begun = state.begun
    scale = time_scale(state)
    return Report(
        run=begun.run,
        feature=begun.feature.name,
        state=state.phase,
        outcome=state.outcome,
        winner="single" if state.outcome == "delivered_single" else None,
        landed=state.landed,
        landed_reason=state.landed_reason,
        landed_detail=state.landed_detail,
        resume_at=_iso(state.resume_at) if state.resume_at else None,
        base=begun.repo.base,
        head=state.head or state.tip or None,
        branch=state.branch or None,
        decision=state.decision,
        units=_units(state, scale),
        triggers=tuple(_trigger(t) for t in state.triggers),
        files=_files(state),
        decisions=tuple(
            DecisionLine(decision=d.decision, rationale=d.rationale, unit=unit)
            for unit, r in _reports(state)
            for d in r.decisions
        ),
        deviations=tuple(
            DeviationLine(what=d.what, why=d.why, unit=unit) for unit, r in _reports(state) for d in r.deviations
        ),
        checks=_checks(state),
        notices=_notices(state),
        kept=tuple(dict.fromkeys(r for a in state.attempts for r in (a.result.ref, *a.result.kept) if r)),
        documents=(*(state.documents or ()), *(state.written or ())),
        predicted=Predicted(mode=state.decision.mode if state.decision else None),
        actual=_actual(state, scale),
        clock="" if scale == 1.0 else f"scripted agent: its time counts {scale:g}-fold",
        agent=begun.answers.agent,
        started_at=_iso(begun.at),
        error=state.crashed,
    )


def exit_code(state: RunState) -> int:
    """What `run`, `resume` and `wait` end with, once the run stands still (interfaces: exit codes)."""
    if state.phase in ("parked", "interrupted"):
        return 4
    if state.crashed:
        return 3
    if state.outcome is None:
        return 4
    if not state.outcome.startswith("delivered"):
        return 1
    answers = state.begun.answers
    wanted = answers.land == "yes" or state.answered is True
    return 1 if wanted and not state.landed and state.landed_reason != "include_dirty" else 0


def time_scale(state: RunState) -> float:
    """Seconds of feature time in one real second of an agent's work: 1 but for the scripted agent."""
    name = state.begun.answers.agent
    known = state.begun.settings.agents.get(name)
    return known.time_scale if name == "scripted" and known is not None else 1.0


def _actual(state: RunState, scale: float) -> Actual:
    money, tokens, agents = spent(state.attempts)
    c = state.clockwork
    wall = max(0.0, c.driven - c.asked)
    total = wall + agents * (scale - 1.0)
    ended = state.outcome is not None
    return Actual(
        seconds=round(total, 1),
        single_seconds_estimated=round(total, 1) if ended else None,
        speedup_estimated=1.0 if ended and total else None,
        tokens=tokens,
        cost_usd=round(money, 4),
        orchestration_seconds=round(max(0.0, wall - agents - c.checks - c.waited), 1),
    )


def _units(state: RunState, scale: float) -> tuple[UnitLine, ...]:
    names = dict.fromkeys(a.unit for a in state.attempts) or {
        c.unit: None for c in state.open.values() if isinstance(c, RunAgent)
    }
    return tuple(
        UnitLine(
            id=name,
            state=_unit_state(state, [a for a in state.attempts if a.unit == name]),
            attempts=tuple(_attempt(a, scale) for a in state.attempts if a.unit == name),
        )
        for name in names
    )


def _unit_state(state: RunState, attempts: list[AttemptState]) -> UnitState:
    if not attempts:
        return "pending"
    stage = attempts[-1].stage
    if stage in ("running", "validated"):
        return "running" if stage == "running" else "validated"
    if stage in ("ended", "merged"):
        return "ended"
    return "failed" if state.outcome is not None else "pending"


def _attempt(a: AttemptState, scale: float) -> AttemptLine:
    return AttemptLine(
        id=a.id,
        agent=a.agent,
        outcome=a.outcome,
        seconds=round(a.result.seconds * scale, 1),
        tokens=Tokens(input=a.usage.input, cached=a.usage.cached, output=a.usage.output),
        cost_usd=round(a.usage.cost_usd, 4),
        ref=a.result.ref,
    )


def _trigger(t: Trigger) -> TriggerLine:
    return TriggerLine(id=t.id, unit=t.unit, at=_iso(t.at), evidence=t.evidence, action=t.action)


def _reports(state: RunState) -> list[tuple[str, AgentReport]]:
    """What the agents said, later words last; the same word twice counts once."""
    seen: list[tuple[str, AgentReport]] = []
    for a in state.attempts:
        if (a.unit, a.result.report) not in seen:
            seen.append((a.unit, a.result.report))
    return seen


def _files(state: RunState) -> Files:
    """From the tree of the newest attempt that has one, never from what an agent says; purposes are its words."""
    purposes = {f.path: f.purpose for _, r in _reports(state) for f in r.files if f.purpose}
    done = [a for a in state.attempts if a.result.commit]
    changes = done[-1].result.changes if done else ()
    by_kind: dict[str, list[FileLine]] = {"created": [], "modified": [], "deleted": []}
    for change in changes:
        by_kind[change.kind].append(FileLine(path=change.path, purpose=purposes.get(change.path, "")))
    return Files(
        created=tuple(by_kind["created"]), modified=tuple(by_kind["modified"]), deleted=tuple(by_kind["deleted"])
    )


def _checks(state: RunState) -> tuple[CheckLine, ...]:
    return tuple(
        CheckLine(
            name=c.name,
            state=c.state,
            baseline=c.baseline,
            why=c.why,
            failing=c.failing[:20],
            removed=c.removed[:20],
            tests=c.tests,
            added=c.added,
        )
        for c in state.checks
    )


def _notices(state: RunState) -> tuple[str, ...]:
    notices = [*state.begun.feature.notices]
    for a in state.attempts:
        notices += [f"{a.id}: {n}" for n in a.result.notices]
        if ignored := [p for p in a.result.ignored if not is_cache(p)]:
            shown = ", ".join(ignored[:5]) + (f" and {len(ignored) - 5} more" if len(ignored) > 5 else "")
            notices.append(f"{a.id}: wrote files that the repository ignores, which are in no commit: {shown}")
    if state.documents_problem:
        notices.append(f"The run's documents could not be written: {state.documents_problem}")
    return tuple(dict.fromkeys(notices))


def _iso(at: float) -> str:
    """UTC, to the second, without a clock or a locale."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
