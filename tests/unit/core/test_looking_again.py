"""What a run of several makes of what it learns: units joined at a checkpoint, and one agent for the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from plans import plans
from worlds import started
from worlds_together import Rope, plan_of

from ropeteam.core import events as ev
from ropeteam.core import graph
from ropeteam.core.costs import Costs
from ropeteam.core.expecting import pace
from ropeteam.core.model import Plan, PlanEstimate, Unit, UnitEstimate
from ropeteam.core.plan_batches import layered
from ropeteam.core.plan_reading import bad_id
from ropeteam.core.replanning import joined
from ropeteam.core.schedule import at_once
from ropeteam.core.settings import Settings
from ropeteam.core.survey import Explanation, Outlook


def predicted(text: str, contract: str | None = None, layers: bool = False, **seconds: float) -> Plan:
    return replace(plan_of(text, contract=contract, layers=layers, **seconds), estimate=PlanEstimate())


OUTLOOK = Outlook(costs=Costs(reading_seconds=30.0))


class Looking(Rope):
    """Agents work as long as it is said, in seconds; reading themselves in takes 30 of them."""

    def __init__(
        self, plan: Plan, *, workers: int = 4, mode: str = "auto", outlook: Outlook = OUTLOOK, **more: Any
    ) -> None:
        first = started(mode=mode, settings=Settings(workers=workers, **more))
        super().__init__(replace(first, plan=plan, outlook=outlook))

    def does(self, unit: str, seconds: float, reading: float = 30.0) -> Looking:
        """It has worked so long since it began, and is merged."""
        self.at(unit)
        if not any(a.unit == unit for a in self.state.attempts):
            self.begin(unit)
        began = self.newest(unit).started_at
        self.now = max(self.now, began + seconds - self.tick)
        self.succeed(seconds=seconds, reading_seconds=reading)
        self.merge()
        return self

    def checks(self, seconds: float = 5.0) -> Looking:
        if self.all(ev.MeasureBaseline):
            self.baseline()
        self.now += seconds - self.tick
        self.validate()
        return self

    def units(self) -> list[str]:
        assert self.state.plan is not None
        return [u.id for u in self.state.plan.units]


CHAIN = "a b c:a d:c e:d"


def test_what_is_left_in_a_row_is_done_by_one() -> None:
    w = Looking(predicted(CHAIN, a=60, b=60, c=60, d=60, e=60))
    w.begin("a", "b").does("a", 60).checks()
    first, second = w.asked_for(ev.Replan)
    assert first.why.startswith("c and d are done as one: 160 s from here instead of 195 s")
    assert second.why.startswith("c-with-d and e are done as one: 125 s")
    assert w.units() == ["a", "b", "c-with-d-with-e"]
    assert w.agents() == ["b/1", "c-with-d-with-e/1"]
    assert w.state.fallen == "", "one agent would not be earlier than that"


def test_so_it_is_when_the_clock_goes_on_between_two_answers() -> None:
    """A live run stamps each event when it is appended; events of one transaction have times of their own."""
    w = Looking(predicted(CHAIN, a=60, b=60, c=60, d=60, e=60))
    w.begin("a", "b").does("a", 60).baseline()
    c = w.find(ev.Validate)
    queue: list[ev.AnyEvent] = [ev.CandidatePassed(commit=c.commit, checks=())]
    while queue:
        w.now += 0.01
        commands = w._step(replace(queue.pop(0), at=w.now))
        queue += [answer for c in commands if (answer := at_once(c, w.state)) is not None]
    assert w.units() == ["a", "b", "c-with-d-with-e"]
    assert w.state.fallen == ""


def test_what_is_not_joined_at_the_checkpoint_is_left_to_one() -> None:
    """The checkpoint is waited for, because units could be joined there; there another one waits, and none are."""
    w = Looking(predicted("a b c:a d:c e:d", a=60, b=60, c=60, d=60, e=60))
    w.begin("a", "b").does("a", 60)
    assert w.state.fallen == "", "they can be joined at the checkpoint"
    w.baseline()
    w.does("b", 60)
    assert w.line() == ("a/1", "b/1")
    w.checks()
    assert w.asked_for(ev.Replan) == []
    assert w.fell() == [("speedup_below_minimum", "", "salvage")]


def test_a_strict_fall_is_compared_with_all_that_it_throws_away() -> None:
    """One agent would be earlier if those under way were awaited; they would be stopped, so that it would be later."""
    w = Looking(LETTER, fallback="strict")
    w.does("a", 60, reading=20.0).checks().begin("b", "c").does("b", 200, reading=20.0)
    assert w.state.fallen == ""
    assert w.agents() == ["c/1"]


def test_units_that_run_side_by_side_are_left_so() -> None:
    w = Looking(predicted("a b:a c:a d:a", a=60, b=200, c=200, d=200))
    w.does("a", 60).checks()
    assert w.asked_for(ev.Replan) == []
    assert w.agents() == ["b/1", "c/1", "d/1"]


def test_with_one_worker_left_two_short_ones_are_one() -> None:
    w = Looking(predicted("a b:a c:a d:a", a=60, b=70, c=40, d=40), workers=2)
    w.does("a", 60).checks()
    assert len(w.asked_for(ev.Replan)) == 1
    assert any("-with-" in id for id in w.units())


def test_a_plan_to_the_letter_and_one_without_predictions_stay() -> None:
    for plan in (predicted(CHAIN, layers=True, a=60, b=60, c=60, d=60, e=60), plan_of(CHAIN)):
        w = Looking(plan)
        w.begin("a", "b").does("a", 60).checks()
        assert w.asked_for(ev.Replan) == []
        assert w.units() == ["a", "b", "c", "d", "e"]


LETTER = predicted("a b:a c:a d:b,c e:d f:e", layers=True, a=60, b=200, c=200, d=40, e=40, f=40)


def test_a_plan_that_somebody_gave_is_used_as_it_is() -> None:
    begun = Looking(predicted(CHAIN, a=60, b=60, c=60, d=60, e=60)).state.begun
    assert begun.outlook is not None
    given_one = replace(begun.outlook, explanation=Explanation(planner="given"))
    w = Looking(predicted(CHAIN, a=60, b=60, c=60, d=60, e=60), outlook=given_one)
    w.begin("a", "b").does("a", 60).checks()
    assert w.asked_for(ev.Replan) == []
    assert w.units() == ["a", "b", "c", "d", "e"]


def test_one_agent_for_what_has_not_begun_where_it_ends_earlier() -> None:
    """Batches to the letter are not joined: one after the other they read themselves in each time."""
    w = Looking(LETTER)
    w.does("a", 60, reading=20.0).checks().begin("b", "c")
    assert w.state.fallen == "", "320 s and four checks, or 20 + 180 + 180 + 3 * 20 and two"
    w.does("b", 200, reading=20.0)
    assert w.fell() == [("speedup_below_minimum", "", "salvage")]
    assert w.state.triggers[-1].evidence.startswith("3 units have not begun. One agent would be done with them in ")
    w.does("c", 201, reading=20.0).checks().checks()
    assert w.agents() == ["rest/1"]


def test_asked_for_several_it_is_recorded_and_they_go_on() -> None:
    w = Looking(LETTER, mode="parallel")
    w.does("a", 60, reading=20.0).checks().begin("b", "c").does("b", 200, reading=20.0)
    assert w.state.fallen == ""
    assert w.state.decision is not None
    assert w.state.decision.overridden == ("speedup_below_minimum",)
    assert w.state.decision.reasons[-1].startswith("Overridden: 3 units have not begun")
    w.does("c", 201, reading=20.0).checks().checks()
    assert w.agents() == ["d/1"]
    assert w.fell() == []


def test_the_pace_of_what_is_done_is_held_back() -> None:
    assert pace([]) == 1.0
    assert pace([(100.0, 100.0)]) == 1.0
    one, many = pace([(200.0, 100.0)]), pace([(200.0, 100.0)] * 20)
    assert 1.2 < one < 1.3
    assert 1.8 < many < 2.0
    assert pace([(0.0, 10.0), (10.0, 0.0)]) == 1.0


@settings(max_examples=60)
@given(plans(most=8), st.data())
def test_what_is_joined_is_a_plan_again(plan: Plan, data: st.DataObject) -> None:
    plan = layered(replace(plan, batches=(), barriers=False), "auto")
    free = [u for u in plan.units if u.id != plan.contract]
    if len(free) < 2:
        return
    one, other = data.draw(st.permutations(free))[:2]
    before = graph.ancestors(plan)
    between = [u.id for u in plan.units if {one.id, other.id} & before[u.id]]
    if any(id in before[one.id] | before[other.id] and id not in (one.id, other.id) for id in between):
        return
    made = joined(plan, one, other, 10.0)
    assert len(made.units) == len(plan.units) - 1
    assert len(graph.order(made)) == len(made.units), "no cycle"
    new = next(u for u in made.units if u.id not in {x.id for x in plan.units})
    assert set(new.writes) == {*one.writes, *other.writes}
    assert {p for u in made.units for p in u.writes} == {p for u in plan.units for p in u.writes}
    assert {id for batch in made.batches for id in batch} == {u.id for u in made.units}


def test_names_of_what_is_joined_fit_and_are_new() -> None:
    long = "x" * 64
    plan = Plan(units=(Unit(id=long, writes=("a",)), Unit(id="y" * 64, writes=("b",))))
    [made] = joined(layered(plan, "auto"), *plan.units, 0.0).units
    assert len(made.id) <= 64
    short = Plan(units=(Unit(id="a", writes=("a",)), Unit(id="b", writes=("b",)), Unit(id="a-with-b", writes=("c",))))
    made_two = joined(layered(short, "auto"), short.units[0], short.units[1], 0.0)
    assert [u.id for u in made_two.units] == ["a-with-b-2", "a-with-b"]


def test_no_name_of_what_is_joined_comes_again() -> None:
    """Ids that differ only at their end are cut to the same."""
    plan = layered(Plan(units=tuple(Unit(id=f"{'x' * 40}-{n}", writes=(f"{n}",)) for n in range(8))), "auto")
    seen = {u.id for u in plan.units}
    while len(plan.units) > 1:
        plan = joined(plan, plan.units[0], plan.units[1], 0.0)
        assert plan.units[0].id not in seen
        assert bad_id(plan.units[0].id) == ""
        seen.add(plan.units[0].id)


@pytest.mark.parametrize("seconds", [(40.0, 50.0), (40.0, None)])
def test_together_they_read_themselves_in_once(seconds: tuple[float, float | None]) -> None:
    one, other = (
        Unit(id=n, writes=(n,), estimate=UnitEstimate(seconds_p50=s) if s else None)
        for n, s in zip("ab", seconds, strict=True)
    )
    [made] = joined(layered(Plan(units=(one, other)), "auto"), one, other, 20.0).units
    assert made.estimate is not None
    assert made.estimate.seconds_p50 == (70.0 if seconds[1] else 40.0)
