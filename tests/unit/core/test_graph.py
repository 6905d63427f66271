"""The graph of a plan: order, cycles, depth, width, critical path, list schedule."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import plans

from ropeteam.core import graph
from ropeteam.core.model import Plan, Unit, UnitEstimate

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy


def plan(contract: str | None = None, /, **needs: str) -> Plan:
    """`plan(a="", b="a")`: b needs a."""
    return Plan(units=tuple(Unit(id=id, needs=tuple(of.split())) for id, of in needs.items()), contract=contract)


def timed(p: Plan, **seconds: float) -> Plan:
    units = (
        Unit(id=u.id, needs=u.needs, estimate=UnitEstimate(seconds_p50=seconds[u.id]) if u.id in seconds else None)
        for u in p.units
    )
    return Plan(units=tuple(units), contract=p.contract, batches=p.batches, barriers=p.barriers)


def test_the_order_keeps_that_of_the_plan_where_it_can() -> None:
    assert graph.order(plan(d="b c", c="a", b="a", a="")) == ("a", "c", "b", "d")
    assert graph.order(plan(a="", b="", c="")) == ("a", "b", "c")
    assert graph.order(Plan(units=())) == ()


def test_every_unit_waits_for_the_contract_but_for_what_the_contract_needs() -> None:
    assert graph.needs(plan("k", a="", k="a", b="", c="b")) == {"a": (), "k": ("a",), "b": ("k",), "c": ("b", "k")}


def test_with_barriers_a_unit_waits_for_the_batch_before() -> None:
    p = plan(a="", b="", c="a")
    p = Plan(units=p.units, batches=(("a", "b"), ("c",)), barriers=True)
    assert graph.needs(p)["c"] == ("a", "b")
    assert graph.needs(Plan(units=p.units, batches=p.batches))["c"] == ("a",)


def test_unknown_needs_are_passed_over() -> None:
    assert graph.order(plan("nobody", a="nothing b", b="")) == ("b", "a")


def test_cycles_are_named_unit_by_unit() -> None:
    p = plan(x="y", y="z", z="y", a="a", ok="", behind="ok x")
    assert graph.cycles(p) == (("y", "z", "y"), ("a", "a"))
    assert graph.cycle(p) == ("y", "z", "y")
    assert graph.cycle(plan(a="", b="a")) == ()
    with pytest.raises(ValueError, match="y -> z -> y"):
        graph.order(p)
    assert graph.ancestors(p)["y"] == {"y", "z"}


def test_depth_and_width_of_known_shapes() -> None:
    diamond = plan(a="", b="a", c="a", d="b c")
    assert (graph.depth(diamond), graph.width(diamond)) == (3, 2)
    chain = plan(**{f"u{n}": f"u{n - 1}" if n else "" for n in range(1_000)})
    assert (graph.depth(chain), graph.width(chain)) == (1_000, 1)
    fan = plan(a="", **{f"u{n}": "a" for n in range(500)})
    assert (graph.depth(fan), graph.width(fan)) == (2, 500)
    # The widest set is not one depth: a, b1 and b2 lie at different ones.
    assert graph.width(plan(a="", r="", b="r", c="r", d="b", e="c")) == 3
    assert (graph.depth(Plan(units=())), graph.width(Plan(units=()))) == (0, 0)


def test_what_is_not_estimated_weighs_the_mean() -> None:
    assert graph.weights(timed(plan(a="", b="", c=""), a=10, b=30)) == {"a": 10, "b": 30, "c": 20}
    assert graph.weights(plan(a="")) == {"a": 1.0}


def test_the_critical_path_is_the_longest_chain() -> None:
    p = timed(plan(a="", b="a", c="a", d="b c", e=""), a=5, b=1, c=7, d=2, e=13)
    assert graph.critical_path(p) == ("a", "c", "d")
    assert graph.tails(p) == {"a": 14, "b": 3, "c": 9, "d": 2, "e": 13}


def test_the_longest_tail_goes_first() -> None:
    p = timed(plan(short="", long="", after="long"), short=4, long=3, after=3)
    schedule = graph.list_schedule(p, 1)
    assert schedule.starts == {"long": 0, "short": 3, "after": 7}
    assert schedule.makespan == 10
    assert graph.list_schedule(p, 2).makespan == 6
    with pytest.raises(ValueError, match="0 workers"):
        graph.list_schedule(p, 0)


@RELAXED
@given(plans())
def test_the_order_has_every_unit_once_and_after_its_needs(p) -> None:
    order = graph.order(p)
    assert sorted(order) == sorted(unit.id for unit in p.units)
    for id, needs in graph.needs(p).items():
        assert all(order.index(other) < order.index(id) for other in needs)


@RELAXED
@given(plans(most=7))
def test_the_width_is_the_largest_set_of_units_of_which_none_waits_for_another(p) -> None:
    before = graph.ancestors(p)
    sets = (chosen for size in range(len(p.units) + 1) for chosen in combinations(before, size))
    free = [s for s in sets if all(a not in before[b] and b not in before[a] for a, b in combinations(s, 2))]
    assert graph.width(p) == max(map(len, free))


@RELAXED
@given(plans(), st.integers(1, 4))
def test_the_schedule_keeps_needs_and_width_and_grahams_bound(p, workers) -> None:
    schedule, seconds = graph.list_schedule(p, workers), graph.weights(p)
    assert schedule.starts.keys() == seconds.keys()
    for id, needs in graph.needs(p).items():
        assert schedule.ends[id] == schedule.starts[id] + seconds[id]
        assert all(schedule.ends[other] <= schedule.starts[id] for other in needs)
    for now in schedule.starts.values():
        assert sum(schedule.starts[id] <= now < schedule.ends[id] for id in seconds) <= min(workers, graph.width(p))
    longest = sum(seconds[id] for id in graph.critical_path(p))
    work = sum(seconds.values())
    assert longest == pytest.approx(max(graph.tails(p).values()))
    assert max(longest, work / workers) <= schedule.makespan + 1e-6
    assert schedule.makespan <= work / workers + (1 - 1 / workers) * longest + 1e-6


@RELAXED
@given(plans())
def test_with_a_worker_for_each_unit_the_critical_path_is_all_it_takes(p) -> None:
    longest = sum(graph.weights(p)[id] for id in graph.critical_path(p))
    assert graph.list_schedule(p, len(p.units)).makespan == pytest.approx(longest)
