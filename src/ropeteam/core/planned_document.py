"""The document of `ropeteam plan --json`. `--plan` takes the same, and passes over what it does not know."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from ropeteam.core.costs import Costs
from ropeteam.core.foreseen import Foreseen
from ropeteam.core.model import PlanEstimate, SideEstimate, Unit, Value
from ropeteam.core.report import DecisionReport
from ropeteam.core.survey import Explanation, Survey


class UnitFigures(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Of one attempt: seconds of wall time, tokens."""

    seconds_p50: float | None = None
    seconds_p90: float | None = None
    tokens_p50: float | None = None


class PlannedUnit(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A piece of work for one agent. writes: patterns of the files it owns; needs: units it waits for."""

    id: str
    title: str
    goal: str
    kind: str
    layer: str
    batch: int
    needs: tuple[str, ...]
    writes: tuple[str, ...]
    reads: tuple[str, ...]
    requirements: tuple[str, ...]
    provides: tuple[str, ...]
    estimate: UnitFigures | None


class SideFigures(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One way of doing the whole feature; null where nothing can be predicted."""

    seconds_p50: float | None = None
    seconds_p90: float | None = None
    tokens_p50: float | None = None
    cost_usd_p50: float | None = None
    cost_usd_p90: float | None = None


class Figures(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Both ways. speedup_quantile: so much faster, or more, in all but the share `gate_quantile` of the simulations."""

    workers: int | None = None
    gate_quantile: float | None = None
    speedup_quantile: float | None = None
    speedup_p50: float | None = None
    single: SideFigures = SideFigures()
    parallel: SideFigures = SideFigures()
    critical_path: tuple[str, ...] = ()


class Sureness(Value, frozen=True, kw_only=True, omit_defaults=False):
    """P(several agents take no longer than one), 0 to 1."""

    value: float
    reasons: tuple[str, ...] = ()


class PlannedDocument(Value, frozen=True, kw_only=True, omit_defaults=False):
    """sentence: the decision in one. planner: who made the plan. run: the run whose agent made it and that
    `ropeteam resume` carries out; null where no agent was needed. survey, costs, explanation: with `--explain`."""

    feature: str
    parts: tuple[str, ...]
    base: str
    sentence: str
    decision: DecisionReport
    units: tuple[PlannedUnit, ...]
    contract: str | None
    batches: tuple[tuple[str, ...], ...]
    confidence: Sureness | None
    estimate: Figures
    planner: str
    notices: tuple[str, ...]
    run: str | None
    explanation: Explanation | UnsetType = UNSET
    survey: Survey | UnsetType = UNSET
    costs: Costs | UnsetType = UNSET


def planned_document(foreseen: Foreseen, *, explain: bool = False) -> PlannedDocument:
    """The document. explain: with why it is so."""
    plan, d, why = foreseen.plan, foreseen.decision, foreseen.why
    sure = plan.confidence if plan is not None else None
    return PlannedDocument(
        feature=foreseen.feature,
        parts=foreseen.parts,
        base=foreseen.base,
        sentence=foreseen.sentence,
        decision=DecisionReport(
            mode=d.mode,
            triggers=d.triggers,
            overridden=d.overridden,
            reasons=d.reasons,
            reading=foreseen.reading,
        ),
        units=tuple(_unit(u) for u in plan.units) if plan is not None else (),
        contract=plan.contract if plan is not None else None,
        batches=plan.batches if plan is not None else (),
        confidence=Sureness(value=sure.value, reasons=sure.reasons) if sure is not None else None,
        estimate=_figures(plan.estimate if plan is not None else None),
        planner=why.planner,
        notices=tuple(dict.fromkeys((*foreseen.outlook.survey.notices, *why.notices))),
        run=foreseen.run or None,
        explanation=why if explain else UNSET,
        survey=foreseen.outlook.survey if explain else UNSET,
        costs=foreseen.outlook.costs if explain else UNSET,
    )


def _unit(u: Unit) -> PlannedUnit:
    e = u.estimate
    return PlannedUnit(
        id=u.id,
        title=u.title,
        goal=u.goal,
        kind=u.kind,
        layer=u.layer,
        batch=u.batch,
        needs=u.needs,
        writes=u.writes,
        reads=u.reads,
        requirements=u.requirements,
        provides=u.provides,
        estimate=None
        if e is None
        else UnitFigures(seconds_p50=e.seconds_p50, seconds_p90=e.seconds_p90 or None, tokens_p50=e.tokens_p50 or None),
    )


def _figures(e: PlanEstimate | None) -> Figures:
    if e is None:
        return Figures()
    return Figures(
        workers=e.workers,
        gate_quantile=e.gate_quantile,
        speedup_quantile=e.speedup_quantile,
        speedup_p50=e.speedup_p50,
        single=_side(e.single),
        parallel=_side(e.parallel),
        critical_path=e.critical_path,
    )


def _side(e: SideEstimate) -> SideFigures:
    return SideFigures(
        seconds_p50=e.seconds_p50,
        seconds_p90=e.seconds_p90,
        tokens_p50=e.tokens_p50,
        cost_usd_p50=e.cost_usd_p50,
        cost_usd_p90=e.cost_usd_p90,
    )
