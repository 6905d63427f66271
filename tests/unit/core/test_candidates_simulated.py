"""In the simulation candidates are checked as the engine does it: one at a time, with all that is merged by then."""

from __future__ import annotations

import pytest

from ropeteam.core.costs import Costs
from ropeteam.core.simulate import Layout, Piece, Weather, Work, simulate

COSTS = Costs(
    reading_seconds=0.0,
    merge_seconds=2.0,
    tree_seconds=0.0,
    planning_seconds=0.0,
    validation_seconds=100.0,
    conflict=0.0,
    broken=0.0,
    failed=0.0,
)


def seconds(lengths: list[float], needs: dict[int, tuple[int, ...]] | None = None, *, workers: int = 4) -> float:
    """Until the last candidate is checked, with nothing left to chance."""
    work = Work(tuple(lengths), (0.0,) * len(lengths))
    pieces = tuple(Piece((n,), (needs or {}).get(n, ())) for n in range(len(lengths)))
    ones = [1.0] * len(lengths)
    known = Weather(common=1.0, alone=1.0, own=ones, sizes=lengths, real=(), luck=ones, dice=(1.0, 1.0, 1.0))
    return simulate(Layout(pieces), work, COSTS, [known], workers=workers).parallel[0]


@pytest.mark.parametrize(
    ("lengths", "needs", "ends"),
    [
        ([10.0], {}, 112.0),
        ([10.0, 300.0], {}, 402.0),  # the first is checked meanwhile
        ([10.0, 20.0], {}, 212.0),  # the second is merged while the first is checked, and waits for that
        ([10.0, 20.0, 30.0, 40.0], {}, 212.0),  # all three that wait are one candidate
        ([10.0, 20.0], {1: (0,)}, 234.0),  # it begins once the first is checked
        ([10.0, 20.0, 5.0], {2: (1,)}, 319.0),  # what it needs waits for the candidate before
    ],
)
def test_when_all_is_checked(lengths: list[float], needs: dict[int, tuple[int, ...]], ends: float) -> None:
    assert seconds(lengths, needs) == pytest.approx(ends)


def test_merges_wait_for_each_other_too() -> None:
    assert seconds([10.0, 10.0, 10.0]) == pytest.approx(212.0)  # merged at 12, 14, 16; checked from 12, from 112
