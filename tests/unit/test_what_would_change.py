"""What `--explain` says of other conditions: it goes with the figure shown, and in the right direction."""

from __future__ import annotations

import re

from ropeteam.core.costs import Costs
from ropeteam.core.estimate import estimated
from ropeteam.core.grouping import explained, grouped
from ropeteam.core.model import Feature, Plan, Unit, UnitEstimate
from ropeteam.core.settings import Gate
from ropeteam.core.survey import Dependency, Explanation, PlannedFile, Survey

SURVEY = Survey(
    files=tuple(PlannedFile(path=f"app/area{n}/page.py", status="A", lines=300) for n in range(8)),
    named=True,
)


def outlook(survey: Survey = SURVEY, *, least: float = 1.5, mode: str = "auto") -> tuple[Plan, Explanation]:
    feature = Feature(name="areas", title="Areas", source="file")
    return grouped(
        survey,
        Costs(),
        feature=feature,
        workers=4,
        gate=Gate(min_speedup=least),
        grouping="auto",
        mode=mode,
        seed=1,  # type: ignore[arg-type]
    )


def figures(why: Explanation) -> dict[str, float]:
    text = why.flips[0]
    found = {"now": float(re.findall(r"cautious speed-up is ([\d.]+\d)", text)[0])}
    for key in ("read themselves in in 30 s", "twice as long"):
        found[key] = float(re.findall(rf"{key}, ([\d.]+\d)", text)[0])
    return found


def test_it_starts_from_the_speed_up_that_is_shown() -> None:
    plan, why = outlook(mode="parallel")
    assert plan.estimate is not None
    assert plan.estimate.speedup_quantile is not None
    assert figures(why)["now"] == round(plan.estimate.speedup_quantile, 2)


def test_quicker_reading_in_and_more_work_are_for_several_agents() -> None:
    _, why = outlook()
    found = figures(why)
    assert found["read themselves in in 30 s"] > found["now"]
    assert found["twice as long"] > found["now"]


def test_it_says_where_nothing_of_that_changes_the_decision() -> None:
    _, why = outlook(least=50.0)
    assert "50.00 is the least for several agents: none of these changes that." in why.flips[0]


def test_a_dependency_against_the_order_is_not_called_side_by_side() -> None:
    one, two = (PlannedFile(path=f"app/{name}.py", status="A", lines=100) for name in ("one", "two"))
    back = Dependency(path=one.path, on=two.path, likelihood=0.6, kind="import", evidence="x")
    units = (Unit(id="one", goal="g", writes=(one.path,)), Unit(id="two", goal="g", writes=(two.path,), needs=("one",)))
    survey = Survey(files=(one, two), named=True, dependencies=(back,))
    why = explained(Plan(units=units), survey, Costs(), planner="given", workers=4, at=0.25, seed=1, least=1.5)
    assert [(e.unit, e.on, e.handled) for e in why.edges if e.unit == "one"] == [("one", "two", "against")]


def stated(p90: float, seconds: float = 900.0) -> Plan:
    e = UnitEstimate(seconds_p50=seconds, seconds_p90=p90)
    units = tuple(Unit(id=f"u{n}", goal="g", writes=(f"area{n}/**",), estimate=e) for n in range(4))
    plan = Plan(units=units, batches=(tuple(u.id for u in units),))
    return estimated(plan, Survey(), Costs(), workers=4)


def test_times_that_a_plan_states_are_not_doubted_as_guessed_sizes_are() -> None:
    sure, unsure = stated(1000.0), stated(4000.0)
    assert sure.estimate is not None
    assert unsure.estimate is not None
    assert sure.estimate.speedup_quantile is not None
    assert unsure.estimate.speedup_quantile is not None
    assert sure.estimate.speedup_quantile > 1.5 > unsure.estimate.speedup_quantile
    assert sure.estimate.single.seconds_p90 is not None
    assert unsure.estimate.single.seconds_p90 is not None
    assert sure.estimate.single.seconds_p90 < unsure.estimate.single.seconds_p90
