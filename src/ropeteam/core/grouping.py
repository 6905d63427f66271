"""Provisional: a unit for each category of files, until there is more."""

from __future__ import annotations

from typing import Literal

from ropeteam.core.costs import Costs
from ropeteam.core.estimate import estimated
from ropeteam.core.model import Feature, Plan, Unit
from ropeteam.core.plan_batches import layered
from ropeteam.core.survey import Explanation, Survey


def grouped(
    survey: Survey,
    costs: Costs,
    *,
    feature: Feature,
    workers: int,
    grouping: Literal["auto", "layers"],
    quantile: float,
    seed: int,
) -> tuple[Plan, Explanation]:
    by: dict[str, list[str]] = {}
    for f in survey.files:
        by.setdefault(f.category or "service", []).append(f.path)
    units = tuple(
        Unit(
            id=f"{n:02d}-{name}",
            title=name,
            goal=f"{feature.title}: " + ", ".join(paths),
            writes=tuple(f"/{p}" for p in paths),
            requirements=tuple(r.id for r in feature.requirements),
        )
        for n, (name, paths) in enumerate(by.items(), start=1)
    )
    plan = estimated(layered(Plan(units=units), grouping), survey, costs, workers=workers)
    return plan, Explanation()
