"""The simulation beside the real engine, in a few runs. `bench/quantiles.py` has the table of many."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from plays import Place
from quantiles import interval, measure


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_real_runs_end_where_the_simulation_says(tmp_path: Path) -> None:
    """Loose enough for a busy machine: of five right predictions two lie outside 99 % once in a thousand times."""
    came = measure(Place(tmp_path / "place", 30), 5, 100.0, seed=7, warm_up=1)
    assert {c.shape for c in came} == {"chain", "fan", "diamond", "mixed", "random"}
    assert sum(0.005 <= c.place <= 0.995 for c in came) >= 4, came
    ratios = sorted(c.seconds / c.replayed for c in came)
    assert 0.7 <= ratios[2] <= 1.4, came  # with what the agents took known, only merges and checks are left to differ


def test_the_interval_of_a_share() -> None:
    low, high = interval(25, 100)
    assert (round(low, 3), round(high, 3)) == (0.175, 0.343)  # Wilson, 95 %
    assert interval(0, 10)[0] == 0.0
    assert interval(10, 10)[1] == 1.0
