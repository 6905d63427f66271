"""Provisional: a prediction without a simulation, until there is one."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ropeteam.core.costs import Costs
from ropeteam.core.graph import list_schedule
from ropeteam.core.model import Confidence, Plan, PlanEstimate, SideEstimate, UnitEstimate
from ropeteam.core.patterns import owns
from ropeteam.core.survey import Survey


def estimated(
    plan: Plan,
    survey: Survey,
    costs: Costs,
    *,
    workers: int,
    quantile: float = 0.25,
    seed: int = 1,
    requirements: Sequence[str] = (),
) -> Plan:
    units = []
    work = 0.0
    for unit in plan.units:
        files = [f for f in survey.files if owns(unit.writes, f.path)]
        own = sum(costs.file_seconds + costs.line_seconds * (f.lines or 40) for f in files)
        work += own
        given = UnitEstimate(seconds_p50=own + costs.reading_seconds, seconds_p90=2 * own + costs.reading_seconds)
        units.append(unit if unit.estimate else replace(unit, estimate=given))
    plan = replace(plan, units=tuple(units))
    if plan.estimate is not None:
        return plan
    single = work + costs.reading_seconds + costs.validation_seconds
    several = list_schedule(plan, workers).makespan + costs.validation_seconds
    return replace(
        plan,
        confidence=plan.confidence or Confidence(value=0.95 if several < single else 0.3),
        estimate=PlanEstimate(
            workers=workers,
            gate_quantile=quantile,
            speedup_quantile=single / several,
            speedup_p50=single / several,
            single=SideEstimate(seconds_p50=single, seconds_p90=single * 1.5),
            parallel=SideEstimate(seconds_p50=several, seconds_p90=several * 1.5),
        ),
    )
