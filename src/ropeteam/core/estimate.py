"""What a plan will take, predicted: each unit, both ways of doing the feature, and how sure several are to gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from ropeteam.core import graph
from ropeteam.core.costs import Costs
from ropeteam.core.model import Confidence, Plan, PlanEstimate, SideEstimate, UnitEstimate
from ropeteam.core.plan_layout import Laid, covered, laid
from ropeteam.core.simulate import (
    CONTRACT_MISSES,
    Course,
    Outcomes,
    Weather,
    course,
    lengths,
    quantile,
    simulate,
    weathers,
)
from ropeteam.core.survey import Survey

DRAWS: Final = 1_000
MOST_SIZES: Final = 200_000
"""Files times draws: with more files fewer draws are made, as their sum varies less."""
STEP_SECONDS: Final = 11.5
"""Mean seconds of one step of an agent (published); each step reads the conversation again."""
UNCOVERED: Final = 0.5
UNRESOLVED: Final = 0.8
"""At most so sure: with a requirement that no unit serves, and with a path that could not be found."""


def estimated(
    plan: Plan,
    survey: Survey,
    costs: Costs,
    *,
    workers: int,
    quantile: float = 0.25,
    seed: int = 1,
    draws: int = DRAWS,
    requirements: Sequence[str] = (),
    trust: float = 1.0,
) -> Plan:
    """The plan with everything predicted that it does not state itself.

    quantile: of the speed-up, for the gate. requirements: ids of the feature. trust: see `plan_layout.laid`. Raises
    ValueError for a plan with a cycle. The same for the same arguments.
    """
    here = laid(plan, survey, costs, trust=trust)
    drawn = weathers(here.work, costs, draws=max(100, min(draws, MOST_SIZES // max(1, len(here.files)))), seed=seed)
    outcomes = simulate(here.layout, here.work, costs, drawn, workers=workers)
    timed = _with_units(plan, here, costs, drawn)
    estimate = _both(timed, here, costs, outcomes, workers, quantile)
    sure = _confidence(timed, here, survey, outcomes, requirements)
    stated = plan.estimate
    return replace(
        timed,
        estimate=estimate if stated is None else _kept(stated, estimate),
        confidence=plan.confidence if plan.confidence is not None else sure,
    )


def _kept(stated: PlanEstimate, found: PlanEstimate) -> PlanEstimate:
    """What is stated, and what is found where nothing is."""

    def one(name: str) -> Any:
        return getattr(found if getattr(stated, name) is None else stated, name)

    return PlanEstimate(
        workers=one("workers"),
        gate_quantile=one("gate_quantile"),
        speedup_quantile=one("speedup_quantile"),
        speedup_p50=one("speedup_p50"),
        single=_kept_side(stated.single, found.single),
        parallel=_kept_side(stated.parallel, found.parallel),
        critical_path=stated.critical_path or found.critical_path,
    )


def _kept_side(stated: SideEstimate, found: SideEstimate) -> SideEstimate:
    names = SideEstimate.__struct_fields__
    return SideEstimate(**{n: getattr(found if getattr(stated, n) is None else stated, n) for n in names})


# ---- units


def _with_units(plan: Plan, here: Laid, costs: Costs, drawn: Sequence[Weather]) -> Plan:
    way = course(here.layout, here.work)
    taken: list[list[float]] = [[] for _ in plan.units]
    for weather in drawn:
        for number, seconds in enumerate(lengths(way, weather, costs)[1]):
            taken[number].append(seconds)
    units = []
    for number, unit in enumerate(plan.units):
        p50, p90 = quantile(taken[number], 0.5), quantile(taken[number], 0.9)
        own = unit.estimate
        if own is not None:  # the median as it is stated; the rest in proportion where it is not
            p90 = own.seconds_p90 or own.seconds_p50 * p90 / max(p50, 1.0)
            p50 = own.seconds_p50
        tokens = own.tokens_p50 if own is not None and own.tokens_p50 else _tokens_of_unit(here, number, p50, costs)
        units.append(
            replace(unit, estimate=UnitEstimate(seconds_p50=_s(p50), seconds_p90=_s(p90), tokens_p50=round(tokens)))
        )
    return replace(plan, units=tuple(units))


def _s(seconds: float) -> float:
    return round(seconds, 1)


def _tokens_of_unit(here: Laid, number: int, seconds: float, costs: Costs) -> float:
    lines = sum(here.lines[file] for file in here.layout.pieces[number].files)
    return _tokens(1, lines, max(0.0, seconds - costs.reading_seconds), costs)


def _tokens(attempts: float, lines: float, working: float, costs: Costs) -> float:
    return attempts * costs.reading_tokens + lines * costs.line_tokens + working / STEP_SECONDS * costs.step_tokens


# ---- both ways


def _both(plan: Plan, here: Laid, costs: Costs, outcomes: Outcomes, workers: int, at: float) -> PlanEstimate:
    speedups = outcomes.speedups
    lines = sum(here.lines)
    work = sum(here.work.seconds)
    declaring = sum(piece.extra for piece in here.layout.pieces)
    one = _tokens(1, lines, work, costs)
    attempts = len(plan.units) * (1.0 + costs.failed)
    mended = sum(outcomes.mended) / max(1, len(outcomes.mended))
    several = _tokens(attempts, lines * (1 + declaring / work if work else 1.0), work + declaring + mended, costs)
    return PlanEstimate(
        workers=workers,
        gate_quantile=at,
        speedup_quantile=round(quantile(speedups, at), 3),
        speedup_p50=round(quantile(speedups, 0.5), 3),
        single=_side(outcomes.single, one, costs),
        parallel=_side(outcomes.parallel, several, costs),
        critical_path=graph.critical_path(plan),
    )


def _side(seconds: Sequence[float], tokens: float, costs: Costs) -> SideEstimate:
    p50, p90 = quantile(seconds, 0.5), quantile(seconds, 0.9)
    dollars = tokens / 1e6 * costs.dollars_per_million
    return SideEstimate(
        seconds_p50=_s(p50),
        seconds_p90=_s(p90),
        tokens_p50=round(tokens),
        cost_usd_p50=round(dollars, 4),
        cost_usd_p90=round(dollars * p90 / p50, 4) if p50 else None,
    )


# ---- confidence


def _confidence(plan: Plan, here: Laid, survey: Survey, outcomes: Outcomes, requirements: Sequence[str]) -> Confidence:
    """P(several take no longer than one), with its limits.

    Requirements count where the plan names any at all: one without a single id says nothing about them.
    """
    value = outcomes.no_slower
    many = len(outcomes.single)
    reasons = [f"In {value:.0%} of {many:,} simulated runs several agents took no longer than one."]
    reasons.extend(_risks(plan, here))
    served = covered(plan.units)
    missing = [id for id in requirements if id not in served] if served else []
    if missing:
        value = min(value, UNCOVERED)
        reasons.append(
            f"{_names(missing)} {'is' if len(missing) == 1 else 'are'} served by no unit: at most {UNCOVERED:.0%}."
        )
    if survey.unresolved:
        value = min(value, UNRESOLVED)
        count = len(survey.unresolved)
        reasons.append(
            f"{count} {'path' if count == 1 else 'paths'} of the documents could not be found, the first:"
            f" {survey.unresolved[0].rstrip('.')}: at most {UNRESOLVED:.0%}."
        )
    return Confidence(value=round(value, 3), reasons=tuple(reasons))


def _risks(plan: Plan, here: Laid) -> list[str]:
    """What the plan neither orders nor declares, in numbers."""
    if len(plan.units) < 2:
        return []
    way = course(here.layout, here.work)
    open_ = [(p, i, j) for i, j, p in here.work.edges if unordered(way, i, j)]
    expected = sum(p * (CONTRACT_MISSES if j in here.layout.declared else 1.0) for p, _, j in open_)
    if expected < 0.05:
        return ["What units build on is ordered, declared first, or in the same unit."]
    said = f"Between units that run side by side {expected:.1f} dependencies are to be expected that nothing orders"
    free = [(p, i, j) for p, i, j in open_ if j not in here.layout.declared]
    if not free:
        return [said + ", all of them on what the contract declares."]
    p, i, j = max(free)
    return [f"{said}; the likeliest: {here.files[i].path} on {here.files[j].path} ({p:.0%})."]


def unordered(way: Course, i: int, j: int) -> bool:
    """Whether file i could be worked on before file j is done, by another agent."""
    one, other = way.owner[i], way.owner[j]
    return one != other and not way.before[one] >> other & 1


def _names(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:3])
    return shown if len(ids) <= 3 else f"{shown} and {len(ids) - 3} more"
