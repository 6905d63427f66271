"""Ways of sharing files out: each file once, in an order that can be kept."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam.core.costs import Costs
from ropeteam.core.partition import links, shared_out, worth_declaring
from ropeteam.core.simulate import Work, course
from ropeteam.core.ways import ways

COSTS = Costs()


def work(*seconds: float, edges: tuple[tuple[int, int, float], ...] = ()) -> Work:
    return Work(seconds, (0.4,) * len(seconds), edges, 0.1)


def each_alone(w: Work) -> list[tuple[int, ...]]:
    return [(n,) for n in range(len(w.seconds))]


def test_what_builds_on_each_other_is_in_one_unit() -> None:
    w = work(100, 100, 100, 100, edges=((0, 1, 0.9), (2, 3, 0.9)))
    groups = shared_out(each_alone(w), w, links(w), COSTS, 2).groups()
    assert sorted(groups) == [(0, 1), (2, 3)]


def test_without_dependencies_the_work_is_even() -> None:
    w = work(*(float(10 * n) for n in range(1, 13)))
    shares = shared_out(each_alone(w), w, links(w), COSTS, 3)
    assert max(shares.load) <= 1.1 * sum(w.seconds) / 3


def test_a_file_is_declared_where_that_is_cheaper_than_mending() -> None:
    w = work(60, 60, 60, 60, edges=((0, 3, 0.8), (1, 3, 0.8), (2, 3, 0.01)))
    shares = shared_out([(0,), (1,), (2,), (3,)], w, links(w), COSTS, 4)
    shares.place([[0], [1], [2], [3]])
    assert worth_declaring(shares) == {3}


@st.composite
def works(draw: st.DrawFn) -> tuple[Work, list[tuple[int, ...]], list[int]]:
    count = draw(st.integers(1, 14))
    seconds = tuple(draw(st.floats(1.0, 400.0)) for _ in range(count))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.floats(0.01, 1.0))
    edges = tuple(e for e in draw(st.lists(pairs, max_size=20, unique_by=lambda e: e[:2])) if e[0] != e[1])
    atoms: dict[int, list[int]] = {}
    for n in range(count):
        atoms.setdefault(draw(st.integers(0, n)), []).append(n)
    layers = [draw(st.integers(0, 5)) for _ in range(count)]
    return Work(seconds, (0.3,) * count, edges, 0.2), [tuple(a) for a in atoms.values()], layers


@settings(max_examples=60, deadline=None)
@given(works(), st.integers(1, 9))
def test_every_way_holds_every_file_once_and_keeps_what_belongs_together(
    given_: tuple[Work, list[tuple[int, ...]], list[int]], workers: int
) -> None:
    w, atoms, layers = given_
    names = []
    for way in ways(w, atoms, layers, COSTS, workers):
        held = [f for piece in way.layout.pieces for f in piece.files]
        assert sorted(held) == list(range(len(w.seconds)))
        for atom in atoms:
            assert any(set(atom) <= set(piece.files) for piece in way.layout.pieces)
        course(way.layout, w)  # raises for a circle
        if way.contract:
            assert way.layout.declared
            assert all(0 in piece.needs for piece in way.layout.pieces[1:])
        names.append(way.name)
    assert names[0] == "one unit"
    assert len(set(names)) == len(names)


@settings(max_examples=40, deadline=None)
@given(works(), st.integers(2, 5))
def test_what_is_reckoned_while_files_move_is_what_is_reckoned_afresh(
    given_: tuple[Work, list[tuple[int, ...]], list[int]], units: int
) -> None:
    w, atoms, _ = given_
    shares = shared_out(atoms, w, links(w), COSTS, units)
    load, hazard = shares.load, shares.hazard
    bins: list[list[int]] = [[] for _ in range(shares.count)]
    for number, atom in enumerate(atoms):
        bins[shares.unit[atom[0]]].append(number)
    shares.place(bins)
    assert all(abs(a - b) < 1e-6 for a, b in zip(load, shares.load, strict=True))
    assert all(abs(a - b) < 1e-6 for a, b in zip(hazard, shares.hazard, strict=True))
