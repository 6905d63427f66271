"""What is drawn, and what both ways take with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ropeteam.core.costs import Costs
from ropeteam.core.simulate import Layout, Piece, Work, course, lengths, quantile, simulate, together, weathers

CALM = Costs(
    sigma=0.0,
    common_sigma=0.0,
    conflict=0.0,
    broken=0.0,
    failed=0.0,
    reading_seconds=50.0,
    validation_seconds=20.0,
    merge_seconds=1.0,
    tree_seconds=0.0,
    planning_seconds=0.0,
    repair_share=0.5,
    repair_seconds=30.0,
)
SIDE_BY_SIDE = Layout((Piece((0,)), Piece((1,))))


def certain(*seconds: float, edges: tuple[tuple[int, int, float], ...] = ()) -> Work:
    return Work(seconds, (0.0,) * len(seconds), edges)


def one(layout: Layout, work: Work, costs: Costs = CALM, workers: int = 4) -> tuple[float, float]:
    outcomes = simulate(layout, work, costs, weathers(work, costs, draws=1, seed=1), workers=workers)
    return outcomes.single[0], outcomes.parallel[0]


def test_without_chance_both_ways_are_a_sum() -> None:
    alone, several = one(SIDE_BY_SIDE, certain(100.0, 60.0))
    assert alone == pytest.approx(50 + 160 + 20)
    assert several == pytest.approx(50 + 100 + 1 + 20)


def test_one_merge_at_a_time() -> None:
    """And one candidate at a time: the second one waits for the checks of the first."""
    assert one(SIDE_BY_SIDE, certain(100.0, 100.0))[1] == pytest.approx(50 + 100 + 1 + 20 + 20)


def test_who_waits_for_a_unit_waits_for_its_validation() -> None:
    layout = Layout((Piece((0,)), Piece((1,), needs=(0,))))
    assert one(layout, certain(100.0, 60.0))[1] == pytest.approx(50 + 100 + 1 + 20 + 50 + 60 + 1 + 20)


def test_a_dependency_that_nobody_knew_of_is_mended_when_both_are_there() -> None:
    work = certain(100.0, 60.0, edges=((1, 0, 1.0),))
    # unit 1 mends, from the end of unit 0: 30 s, and half of its 60 s
    assert one(SIDE_BY_SIDE, work)[1] == pytest.approx(150 + 1 + 30 + 30 + 1 + 20)


def test_what_is_in_order_or_declared_or_in_the_same_unit_is_not_mended() -> None:
    work = certain(100.0, 60.0, edges=((1, 0, 1.0),))
    free = certain(100.0, 60.0)
    ordered = Layout((Piece((0,)), Piece((1,), needs=(0,))))
    together_ = Layout((Piece((0, 1)),))
    declared = Layout((Piece((), extra=5.0), Piece((0,), needs=(0,)), Piece((1,), needs=(0,))), frozenset({0}))
    for layout in (ordered, together_):
        assert one(layout, work) == one(layout, free)
    never = replace(CALM, contract_misses=0.0)
    assert one(declared, work, never) == one(declared, free, never)
    always = replace(CALM, contract_misses=1.0)
    assert one(declared, work, always)[1] > one(declared, free, always)[1]


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others() -> None:
    work, costs = Work((100.0, 60.0, 30.0), (0.4,) * 3, ((1, 0, 0.4),), 0.3), Costs()
    drawn = [simulate(SIDE_BY_SIDE, work, costs, weathers(work, costs, draws=50, seed=s), workers=2) for s in (7, 7, 8)]
    assert drawn[0] == drawn[1]
    assert drawn[0].parallel != drawn[2].parallel


def test_dependencies_are_as_often_real_as_they_are_likely() -> None:
    work = certain(10.0, 10.0, edges=((0, 1, 0.3),))
    drawn = weathers(work, Costs(), draws=4_000, seed=3)
    assert sum(bool(w.real) for w in drawn) / 4_000 == pytest.approx(0.3, abs=0.05)


def test_a_circle_and_no_worker_are_refused() -> None:
    work = certain(1.0, 1.0)
    with pytest.raises(ValueError, match="circle"):
        course(Layout((Piece((0,), needs=(1,)), Piece((1,), needs=(0,)))), work)
    with pytest.raises(ValueError, match="workers"):
        simulate(SIDE_BY_SIDE, work, CALM, (), workers=0)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[Layout, Work]:
    count = draw(st.integers(1, 7))
    seconds = tuple(draw(st.floats(1.0, 300.0)) for _ in range(count))
    pieces = tuple(
        Piece((n,), needs=tuple(sorted(draw(st.sets(st.integers(0, n - 1), max_size=2))) if n else ()))
        for n in range(count)
    )
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.floats(0.01, 0.95))
    edges = tuple(e for e in draw(st.lists(pairs, max_size=6)) if e[0] != e[1])
    return Layout(pieces), Work(seconds, (0.4,) * count, edges, 0.1)


@settings(max_examples=60, deadline=None)
@given(layouts(), st.integers(1, 5))
def test_no_run_is_shorter_than_its_longest_chain_or_its_share_of_the_work(
    given_: tuple[Layout, Work], workers: int
) -> None:
    layout, work = given_
    costs, way = Costs(), course(layout, work)
    for weather in weathers(work, costs, draws=5, seed=1):
        taken = lengths(way, weather, costs)[1]
        chain = [0.0] * len(taken)
        for n, piece in enumerate(layout.pieces):
            chain[n] = taken[n] + max((chain[need] for need in piece.needs), default=0.0)
        seconds, mended = together(way, weather, costs, workers)
        assert seconds >= max(chain) + costs.validation_seconds
        assert seconds >= sum(taken) / workers
        assert mended >= 0.0


@settings(max_examples=40, deadline=None)
@given(layouts())
def test_more_workers_do_not_hurt_at_the_median(given_: tuple[Layout, Work]) -> None:
    layout, work = given_
    drawn = weathers(work, Costs(), draws=60, seed=1)
    few, many = (
        quantile(simulate(layout, work, Costs(), drawn, workers=w).parallel, 0.5) for w in (1, len(layout.pieces))
    )
    assert many <= few * 1.01


def test_a_quantile_lies_between_its_neighbours() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0, 2.0], 0.25) == pytest.approx(1.25)
    assert quantile([4.0], 0.9) == 4.0
