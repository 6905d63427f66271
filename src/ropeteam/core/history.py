"""What earlier runs of a repository tell: what was predicted of them, what they took, what their pieces took.

A `PastRun` is made of the folded state of a run that ended or was parked, and is small enough to be kept by the
hundred. `core.fitting` makes costs and a calibration of them. With the scripted agent, seconds of agents are in feature
time, as in the report; what it did is never mixed with what others did.
"""

from __future__ import annotations

from ropeteam.core.model import Kind, Outcome, RunOutcome, SideEstimate, TriggerId, Value
from ropeteam.core.patterns import owns
from ropeteam.core.progress import pieces, units
from ropeteam.core.sizes import lines_of
from ropeteam.core.state import AttemptState, RunState, Span
from ropeteam.core.timing import actual, covered, time_scale

SCRIPTED = "scripted"

TOLD = ("crashed", "stalled", "timeout", "corrupted", "empty", "context", "turns", "unknown")
"""Outcomes that say that an attempt came to nothing. The others say something of a provider, a limit that the user set,
or that we stopped it."""

ALIKE = 0.02
"""Share of the time within which two ways are called equally long."""

WHOLE = ("single", "rest", "belay", "plan")
"""Kinds of attempts that are not of one of several units."""


class Observation(Value, frozen=True, kw_only=True):
    """One attempt that ended. good: it said it was done, and what it made was validated: only then do its times count.

    files, lines: its size as it was predicted from what was planned (files: as they were changed, where no plan says
    any; 0 and None: not known). planned_seconds, planned_tokens: medians that its plan stated. seconds,
    reading_seconds (0: not known): as measured, in feature time; tokens: all of them. failed: it came to nothing by
    itself. forked: it went on from another's conversation, so that it had less to read.
    """

    agent: str
    model: str = ""
    kind: Kind = "unit"
    unit: str = ""
    files: int = 0
    lines: float | None = None
    planned_seconds: float | None = None
    planned_tokens: float | None = None
    seconds: float = 0.0
    reading_seconds: float = 0.0
    tokens: int = 0
    cost_usd: float = 0.0
    outcome: Outcome | None = None
    good: bool = False
    failed: bool = False
    forked: bool = False

    @property
    def scripted(self) -> bool:
        return self.agent == SCRIPTED


class Foreseen(Value, frozen=True, kw_only=True):
    """What was predicted of a run before it began: medians in seconds, tokens and dollars of both ways. quantile:
    which lower quantile of the speed-up `speedup_quantile` is. confidence: that several agents take no longer than one.
    optimism: by how much predictions were corrected then (`Costs.optimism`)."""

    single: SideEstimate = SideEstimate()
    parallel: SideEstimate = SideEstimate()
    speedup_p50: float | None = None
    speedup_quantile: float | None = None
    quantile: float = 0.25
    confidence: float | None = None
    optimism: float = 1.0


class PastRun(Value, frozen=True, kw_only=True):
    """One run. at: when it began, seconds since the epoch. parts: the feature's selected parts. mode: what was decided,
    empty before that; asked: it was asked for with `--mode`.

    seconds: what it took; single_seconds: what one agent took, or would have taken (`single_measured`: a belay, or the
    one agent itself, has measured it); speedup: of both, None where it cannot be told. validations, merges, trees:
    seconds of each, in order; checks: seconds of the project's checks on the code as it was, where no candidate was
    validated. merged: how many units were put together; conflicts, broken: how often they conflicted, or broke a check.
    """

    run: str
    at: float
    feature: str
    parts: tuple[str, ...] = ()
    agent: str = ""
    model: str = ""
    mode: str = ""
    asked: bool = False
    outcome: RunOutcome | None = None
    triggers: tuple[TriggerId, ...] = ()
    foreseen: Foreseen | None = None
    seconds: float = 0.0
    single_seconds: float | None = None
    single_measured: bool = False
    speedup: float | None = None
    tokens: int | None = 0
    cost_usd: float | None = 0.0
    observations: tuple[Observation, ...] = ()
    validations: tuple[float, ...] = ()
    merges: tuple[float, ...] = ()
    trees: tuple[float, ...] = ()
    merged: int = 0
    conflicts: int = 0
    broken: int = 0

    @property
    def delivered(self) -> bool:
        return self.outcome is not None and self.outcome.startswith("delivered")

    @property
    def parallel(self) -> bool:
        """Several agents worked on it, whatever came of it."""
        return self.mode == "parallel"

    @property
    def scripted(self) -> bool:
        return self.agent == SCRIPTED

    @property
    def slower(self) -> bool:
        """Several agents took longer than one would have."""
        return bool(self.parallel and self.single_seconds and self.seconds > self.single_seconds * (1 + ALIKE))

    @property
    def way(self) -> SideEstimate:
        """What was predicted of the way that was gone."""
        if self.foreseen is None:
            return SideEstimate()
        return self.foreseen.parallel if self.parallel else self.foreseen.single


# ---- from a run's state


def past(state: RunState) -> PastRun | None:
    """What a run tells; None of one that has not come to an end, nor is parked, and of one that never began."""
    if state.started is None or (state.outcome is None and state.phase != "parked"):
        return None
    begun, scale = state.begun, time_scale(state)
    took = actual(state, scale)
    observations = tuple(_observed(state, a, scale) for a in state.attempts if a.stage not in ("running", "lost"))
    belay = state.newest("belay")
    conflicts = [t for t in state.triggers if t.id == "file_conflict"]
    broken = [t for t in state.triggers if t.id in ("batch_validation_failed", "syntax_error") and t.unit not in WHOLE]
    return PastRun(
        run=begun.run,
        at=begun.at,
        feature=begun.feature.name,
        parts=begun.feature.selected,
        agent=begun.answers.agent,
        model=next((o.model for o in reversed(observations) if o.model), ""),
        mode=state.decision.mode if state.decision is not None else "",
        asked=begun.answers.mode != "auto",
        outcome=state.outcome,
        triggers=tuple(dict.fromkeys(t.id for t in state.triggers)),
        foreseen=_foreseen(state),
        seconds=took.seconds,
        single_seconds=took.single_seconds_estimated if _delivered(state) else None,
        single_measured=not state.together or (belay is not None and belay.outcome == "ok"),
        speedup=took.speedup_estimated if _delivered(state) and state.together else None,
        tokens=took.tokens,
        cost_usd=took.cost_usd,
        observations=observations,
        validations=_lengths(state, "validate", scale) or _baseline(state),
        merges=_lengths(state, "merge", scale),
        trees=tuple(round(max(0.0, a.ready_at - a.asked_at), 3) for a in state.attempts if a.asked_at),
        merged=sum(bool(a.merged) for a in pieces(state)) if state.together else 0,
        conflicts=len(conflicts) if state.together else 0,
        broken=len(broken) if state.together else 0,
    )


def _delivered(state: RunState) -> bool:
    return state.outcome is not None and state.outcome.startswith("delivered")


def _foreseen(state: RunState) -> Foreseen | None:
    """As the plan stated it that was decided on; later plans are made with what the run itself had measured."""
    plan, outlook = state.planned, state.begun.outlook
    if plan is None or plan.estimate is None:
        return None
    e = plan.estimate
    return Foreseen(
        single=e.single,
        parallel=e.parallel,
        speedup_p50=e.speedup_p50,
        speedup_quantile=e.speedup_quantile,
        quantile=0.25 if e.gate_quantile is None else e.gate_quantile,
        confidence=plan.confidence.value if plan.confidence is not None else None,
        optimism=outlook.costs.optimism if outlook is not None else 1.0,
    )


def _observed(state: RunState, a: AttemptState, scale: float) -> Observation:
    files, lines = _size(state, a)
    estimate = next((u.estimate for u in units(state) if u.id == a.unit), None)
    return Observation(
        agent=a.agent or state.begun.answers.agent,
        model=a.result.model,
        kind=a.kind,
        unit=a.unit,
        files=files,
        lines=lines,
        planned_seconds=estimate.seconds_p50 if estimate is not None else None,
        planned_tokens=estimate.tokens_p50 or None if estimate is not None else None,
        seconds=a.result.seconds * scale,
        reading_seconds=a.result.reading_seconds * scale,
        tokens=a.usage.tokens,
        cost_usd=a.usage.cost_usd,
        outcome=a.outcome,
        good=a.outcome == "ok" and a.stage == "validated" and a.kind != "plan",
        failed=a.stage == "failed" and a.outcome in TOLD and a.kind != "plan",
        forked=bool(a.fork),
    )


def _size(state: RunState, a: AttemptState) -> tuple[int, float | None]:
    """Files and lines that were planned for what an attempt worked on; files that it changed where nothing was."""
    outlook = state.begun.outlook
    files = outlook.survey.files if outlook is not None else ()
    if a.kind == "rest":  # what was left then is not known any more
        files = ()
    elif a.kind in ("unit", "contract"):
        writes = next((u.writes for u in units(state) if u.id == a.unit), ())
        files = tuple(f for f in files if owns(writes, f.path))
    if outlook is None or not files:
        return len(a.result.changes), None
    return len(files), round(sum(lines_of(f, outlook.costs)[0] for f in files), 1)


# ---- times


def _lengths(state: RunState, kind: str, scale: float) -> tuple[float, ...]:
    """Seconds of these commands. While agents were at work, time went by as theirs does."""
    return tuple(round(_counted(state, s, scale), 3) for s in state.spans if s.kind == kind)


def _counted(state: RunState, span: Span, scale: float) -> float:
    length = span.ended - span.began
    if scale == 1.0:
        return length
    inside = [(max(span.began, a.started_at), min(span.ended, a.started_at + a.result.seconds)) for a in state.attempts]
    return length + covered([(began, ended) for began, ended in inside if ended > began]) * (scale - 1.0)


def _baseline(state: RunState) -> tuple[float, ...]:
    """What the project's checks took on the code as it was: the first thing that is known of them."""
    took = sum(b.run.seconds for b in state.baseline or () if b.run.ran)
    return (round(took, 3),) if took else ()
