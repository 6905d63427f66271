"""What a run says of itself: a fold of its journal into the document of `ropeteam report --format json`.

With the scripted agent, seconds of agents are in feature time (real seconds times `time_scale`); `clock` says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from ropeteam.core.model import (
    AgentReport,
    CheckState,
    FileChange,
    LandedReason,
    Outcome,
    Phase,
    RunOutcome,
    Trigger,
    TriggerId,
    UnitState,
    Value,
)
from ropeteam.core.paths import is_cache
from ropeteam.core.progress import ALONE, pieces
from ropeteam.core.reading import told
from ropeteam.core.settings import Settings
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.timing import Actual, actual, time_scale


class Tokens(Value, frozen=True, kw_only=True, omit_defaults=False):
    """input: at full price; cached: read from the provider's cache; output."""

    input: int = 0
    cached: int = 0
    output: int = 0


class AttemptLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    """tokens, cost_usd: null where nobody said what it used (host mode). fork: the attempt whose conversation it went
    on from; null where it began one of its own. model: that the settings name for it; null: its agent's own choice."""

    id: str
    agent: str
    outcome: Outcome | None
    seconds: float
    tokens: Tokens | None
    cost_usd: float | None
    ref: str
    fork: str | None = None
    model: str | None = None

    @property
    def used(self) -> int | None:
        """All its tokens."""
        return None if self.tokens is None else self.tokens.input + self.tokens.cached + self.tokens.output


class UnitLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    """title, batch, needs: as the plan has them; empty for `single`, `rest` and `belay`."""

    id: str
    state: UnitState
    attempts: tuple[AttemptLine, ...]
    title: str = ""
    batch: int | None = None
    needs: tuple[str, ...] = ()


class RequestLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    """What a unit needed in a file of another. done: somebody was given it, and what they made is validated."""

    path: str
    what: str
    unit: str
    done: bool


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


class DecisionReport(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Parallel or single. triggers: what led to one agent; overridden: what `--mode parallel` outweighed. reading: how
    agents were to read themselves in, a sentence; who went on from whom is `fork` of their attempts."""

    mode: Literal["parallel", "single"]
    triggers: tuple[TriggerId, ...] = ()
    overridden: tuple[TriggerId, ...] = ()
    reasons: tuple[str, ...] = ()
    reading: str = ""


class Predicted(Value, frozen=True, kw_only=True, omit_defaults=False):
    """As the plan states it that was decided on; null where it does not. speedup_quantile: the lower quantile
    `gate_quantile`. confidence: that several agents take no longer than one. planning_seconds: until it is decided."""

    mode: str | None = None
    single_seconds_p50: float | None = None
    parallel_seconds_p50: float | None = None
    speedup_p50: float | None = None
    speedup_quantile: float | None = None
    single_tokens_p50: float | None = None
    parallel_tokens_p50: float | None = None
    single_cost_usd_p50: float | None = None
    parallel_cost_usd_p50: float | None = None
    single_seconds_p90: float | None = None
    parallel_seconds_p90: float | None = None
    single_cost_usd_p90: float | None = None
    parallel_cost_usd_p90: float | None = None
    gate_quantile: float | None = None
    confidence: float | None = None
    planning_seconds: float | None = None


class Report(Value, frozen=True, kw_only=True, omit_defaults=False):
    """parts: names of the parts, extensions or changes that the run was about; none: the whole feature."""

    run: str
    feature: str
    parts: tuple[str, ...] = ()
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
    decision: DecisionReport | None
    units: tuple[UnitLine, ...]
    triggers: tuple[TriggerLine, ...]
    files: Files
    decisions: tuple[DecisionLine, ...]
    deviations: tuple[DeviationLine, ...]
    checks: tuple[CheckLine, ...]
    notices: tuple[str, ...]
    kept: tuple[str, ...]
    documents: tuple[str, ...]
    requests: tuple[RequestLine, ...] = ()
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
        parts=begun.feature.selected,
        state=state.phase,
        outcome=state.outcome,
        winner=_winner(state),
        landed=state.landed,
        landed_reason=state.landed_reason,
        landed_detail=state.landed_detail,
        resume_at=_iso(state.resume_at) if state.resume_at else None,
        base=begun.repo.base,
        head=state.head or state.tip or None,
        branch=state.branch or None,
        decision=_decision(state),
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
        requests=_requests(state),
        predicted=_predicted(state),
        actual=actual(state, scale),
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


def _winner(state: RunState) -> str | None:
    """Whose work was delivered: the integration's, the belay's, or that of the one agent."""
    if state.outcome is None or not state.outcome.startswith("delivered"):
        return None
    if not state.together:
        return "single"
    belay = state.newest("belay")
    return "belay" if belay is not None and belay.stage == "validated" else "parallel"


def _decision(state: RunState) -> DecisionReport | None:
    decision, begun = state.decision, state.begun
    if decision is None:
        return None
    return DecisionReport(
        mode=decision.mode,
        triggers=decision.triggers,
        overridden=decision.overridden,
        reasons=decision.reasons,
        reading=told(begun.settings, decision.mode, one_reading=begun.one_reading),
    )


def _predicted(state: RunState) -> Predicted:
    mode = state.decision.mode if state.decision else None
    plan, outlook = state.planned, state.begun.outlook
    e = plan.estimate if plan is not None else None
    if plan is None or e is None:
        return Predicted(mode=mode)
    return Predicted(
        mode=mode,
        single_seconds_p50=e.single.seconds_p50,
        parallel_seconds_p50=e.parallel.seconds_p50,
        speedup_p50=e.speedup_p50,
        speedup_quantile=e.speedup_quantile,
        single_tokens_p50=e.single.tokens_p50,
        parallel_tokens_p50=e.parallel.tokens_p50,
        single_cost_usd_p50=e.single.cost_usd_p50,
        parallel_cost_usd_p50=e.parallel.cost_usd_p50,
        single_seconds_p90=e.single.seconds_p90,
        parallel_seconds_p90=e.parallel.seconds_p90,
        single_cost_usd_p90=e.single.cost_usd_p90,
        parallel_cost_usd_p90=e.parallel.cost_usd_p90,
        gate_quantile=e.gate_quantile,
        confidence=plan.confidence.value if plan.confidence is not None else None,
        planning_seconds=outlook.costs.planning_seconds if outlook is not None else None,
    )


def _units(state: RunState, scale: float) -> tuple[UnitLine, ...]:
    planned = {u.id: u for u in state.plan.units} if state.plan is not None and state.together else {}
    under_way = [c.unit for c in state.under_way()]
    lines = []
    for name in dict.fromkeys((*planned, *(a.unit for a in state.attempts), *under_way)):
        unit, tries = planned.get(name), [a for a in state.attempts if a.unit == name]
        lines.append(
            UnitLine(
                id=name,
                state=_unit_state(state, tries),
                attempts=tuple(_attempt(a, state.begun.settings, scale) for a in tries),
                title=(unit.title or unit.goal) if unit else "",
                batch=unit.batch if unit else None,
                needs=unit.needs if unit else (),
            )
        )
    return tuple(lines)


def _unit_state(state: RunState, attempts: list[AttemptState]) -> UnitState:
    delivered = state.outcome is not None and state.outcome.startswith("delivered")
    if any(a.stage == "validated" for a in attempts):
        return "validated"
    if delivered:
        return "superseded"
    if not attempts:
        return "pending"
    last = attempts[-1]
    if last.stage == "running":
        return "running" if state.outcome is None else "failed"
    if last.again:  # another try is due
        return "pending" if state.outcome is None else "failed"
    if last.stage in ("ended", "merged"):
        return "ended"
    if last.stage == "ejected":
        return "ejected"
    if last.unit not in ALONE and state.together:
        return "failed"
    return "failed" if state.outcome is not None else "pending"


def _attempt(a: AttemptState, settings: Settings, scale: float) -> AttemptLine:
    own = settings.agents.get(a.agent)
    return AttemptLine(
        id=a.id,
        agent=a.agent,
        outcome=a.outcome,
        seconds=round(a.result.seconds * scale, 1),
        tokens=None if a.unmeasured else Tokens(input=a.usage.input, cached=a.usage.cached, output=a.usage.output),
        cost_usd=None if a.costless else round(a.usage.cost_usd, 4),
        ref=a.result.ref,
        fork=a.fork or None,
        model=a.model or (own.model if own else None) or None,
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
    """From the trees of the attempts whose work counts, never from what an agent says; purposes are its words."""
    purposes = {f.path: f.purpose for _, r in _reports(state) for f in r.files if f.purpose}
    by_kind: dict[str, list[FileLine]] = {"created": [], "modified": [], "deleted": []}
    for path, kind in sorted(_together(a.result.changes for a in _counting(state)).items()):
        by_kind[kind].append(FileLine(path=path, purpose=purposes.get(path, "")))
    return Files(
        created=tuple(by_kind["created"]), modified=tuple(by_kind["modified"]), deleted=tuple(by_kind["deleted"])
    )


def _counting(state: RunState) -> list[AttemptState]:
    """Whose changes make up the result, in order: the belay's alone if it won, else those of validated units and the
    newest of the one agent."""
    done = [a for a in state.attempts if a.result.commit]
    if _winner(state) == "belay":
        return [a for a in done if a.unit == "belay"][-1:]
    parts = [a for a in pieces(state) if a.stage == "validated"] if state.together else []
    return [*parts, *[a for a in done if a.unit == state.solo][-1:]]


def _together(changes: Iterable[Iterable[FileChange]]) -> dict[str, str]:
    """Kinds of change by path, one set of changes after the other."""
    found: dict[str, str] = {}
    for some in changes:
        for change in some:
            before = found.get(change.path)
            if before == "created" and change.kind == "deleted":
                del found[change.path]
            elif before == "deleted" and change.kind == "created":
                found[change.path] = "modified"
            else:
                found[change.path] = before if before == "created" else change.kind
    return found


def _requests(state: RunState) -> tuple[RequestLine, ...]:
    """Each request of a unit once, and whether somebody whose work is validated was given it."""
    over = bool(state.outcome and state.outcome.startswith("delivered"))
    given = {(r.path, r.what) for a in state.attempts if a.stage == "validated" for r in a.asked}
    rested = any(a.unit == "rest" and a.stage == "validated" for a in state.attempts)
    lines: dict[tuple[str, str], RequestLine] = {}
    for a in pieces(state):
        if a.stage not in ("validated", "merged", "ended"):
            continue
        for r in a.result.report.requests:
            done = over and ((r.path, r.what) in given or rested)
            lines.setdefault((r.path, r.what), RequestLine(path=r.path, what=r.what, unit=a.unit, done=done))
    return tuple(lines.values())


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
    planned = state.begun.answers.mode != "single"  # nobody who asked for one agent asked how it could be shared out
    outlook, why = (state.begun.outlook, state.explanation) if planned else (None, None)
    notices = [
        *state.begun.feature.notices,
        *(outlook.survey.notices if outlook else ()),
        *(why.notices if why else ()),
    ]
    for a in state.attempts:
        notices += [f"{a.id}: {n}" for n in (*a.result.notices, *a.resolved)]
        if ignored := [p for p in a.result.ignored if not is_cache(p)]:
            shown = ", ".join(ignored[:5]) + (f" and {len(ignored) - 5} more" if len(ignored) > 5 else "")
            notices.append(f"{a.id}: wrote files that the repository ignores, which are in no commit: {shown}")
    notices += [*_unmeasured(state), *_costless(state)]
    if state.documents_problem:
        notices.append(f"The run's documents could not be written: {state.documents_problem}")
    return tuple(dict.fromkeys(notices))


def _unmeasured(state: RunState) -> list[str]:
    """What is not known of what a host's subagents did."""
    ended = [a for a in state.attempts if a.hosted and a.stage != "running"]
    if not ended:
        return []
    told = ["How full the context of a host's subagents was is not measured."]
    silent = [a.id for a in ended if a.unmeasured]
    if silent:
        shown = ", ".join(silent[:5]) + (f" and {len(silent) - 5} more" if len(silent) > 5 else "")
        told.append(f"Their host did not say what these used, so that it is in no sum: {shown}.")
    return told


def _costless(state: RunState) -> list[str]:
    """Whose money is in no sum, and is not bounded by one."""
    ended = [a for a in state.attempts if a.costless and not a.hosted and a.stage != "running"]
    agents = ", ".join(dict.fromkeys(a.agent for a in ended))
    if not agents:
        return []
    limit = " No limit of money bounds it." if state.budget_usd is not None else ""
    return [f"{agents} told no money: what it cost is not known and in no sum.{limit}"]


def _iso(at: float) -> str:
    """UTC, to the second, without a clock or a locale."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
