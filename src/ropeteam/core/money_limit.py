"""A limit of money where nobody has set one."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from ropeteam.core.model import Plan
from ropeteam.core.settings import Settings
from ropeteam.core.survey import Outlook

LEAST_RUNS: Final = 3
"""So many runs must have been measured here before a limit is made of what they cost: published prices are no limit."""


def with_money_limit(settings: Settings, plan: Plan, outlook: Outlook, *, belay: bool = False) -> Settings:
    """At most twice what the dearer way is predicted to cost in nine of ten runs, where nobody has said otherwise.

    belay: both ways are gone at once. None where an agent plans: what its plan will cost is not predicted yet."""
    e = plan.estimate
    if e is None or outlook.costs.runs < LEAST_RUNS or outlook.ask_agent:
        return settings
    one, several = e.single.cost_usd_p90 or 0.0, e.parallel.cost_usd_p90 or 0.0
    dearest = one + several if belay else max(one, several)
    if not dearest:
        return settings
    limits = replace(settings.limits, budget_usd=max(0.01, round(2 * dearest, 2)))
    return replace(settings, limits=limits)
