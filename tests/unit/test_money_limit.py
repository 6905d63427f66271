"""The limit that is made of what a run is predicted to cost, where nobody set one."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core.costs import Costs
from ropeteam.core.model import Plan, PlanEstimate, SideEstimate, Unit
from ropeteam.core.money_limit import LEAST_RUNS, with_money_limit
from ropeteam.core.settings import Settings
from ropeteam.core.survey import Outlook

PLAN = Plan(
    units=(Unit(id="a", writes=("a.py",)),),
    estimate=PlanEstimate(single=SideEstimate(cost_usd_p90=1.5), parallel=SideEstimate(cost_usd_p90=2.25)),
)
KNOWN = Outlook(costs=Costs(runs=LEAST_RUNS))


def test_it_is_twice_what_the_dearer_way_costs_in_nine_of_ten_runs() -> None:
    assert with_money_limit(Settings(), PLAN, KNOWN).limits.budget_usd == 4.5


def test_published_prices_are_no_limit() -> None:
    few = Outlook(costs=Costs(runs=LEAST_RUNS - 1))
    assert with_money_limit(Settings(), PLAN, few).limits.budget_usd is None
    assert with_money_limit(Settings(), replace(PLAN, estimate=None), KNOWN).limits.budget_usd is None
    free = replace(PLAN, estimate=PlanEstimate())
    assert with_money_limit(Settings(), free, KNOWN).limits.budget_usd is None


def test_a_belay_is_the_other_way_on_top() -> None:
    assert with_money_limit(Settings(), PLAN, KNOWN, belay=True).limits.budget_usd == 7.5


def test_there_is_none_before_an_agent_has_planned() -> None:
    asks = replace(KNOWN, ask_agent="Nobody names files.")
    assert with_money_limit(Settings(), PLAN, asks).limits.budget_usd is None
