"""Predicted beside actual speed-up of the runs of several agents: what is drawn, without how."""

from __future__ import annotations

from collections.abc import Sequence

from ropeteam.core.fitting import comparable
from ropeteam.core.history import PastRun
from ropeteam.core.model import Value

MOST = 30
"""So many of the newest runs are drawn."""
LEAST_TOP = 2.5
ROOM = 1.15
"""Above the highest of them."""


class Column(Value, frozen=True, kw_only=True):
    """One run. low, middle: the lower quantile and the median that were predicted (low None: only the median was).
    came: what came of it, as times as fast. held: at least `low`. text: for people."""

    name: str
    low: float | None
    middle: float
    came: float
    held: bool
    slower: bool
    text: str


class HistoryChart(Value, frozen=True, kw_only=True):
    """top: the highest value of the axis. scripted: a recording was played, in feature time."""

    columns: tuple[Column, ...]
    top: float
    scripted: bool = False


def history_chart(runs: Sequence[PastRun]) -> HistoryChart | None:
    """None where no run of several agents has both a prediction and an outcome to compare it with."""
    columns = tuple(c for r in runs if (c := _column(r)) is not None)[-MOST:]
    if not columns:
        return None
    highest = max(max(c.middle, c.came) for c in columns)
    return HistoryChart(
        columns=columns, top=max(LEAST_TOP, highest * ROOM), scripted=any(r.scripted and r.parallel for r in runs)
    )


def _column(r: PastRun) -> Column | None:
    f = r.foreseen
    if not comparable(r) or f is None or f.speedup_p50 is None or r.speedup is None:
        return None
    low = f.speedup_quantile
    cautious = "" if low is None else f", cautiously {low:.2f}"
    return Column(
        name="/".join((r.feature, *r.parts)),
        low=low,
        middle=f.speedup_p50,
        came=r.speedup,
        held=r.speedup >= (f.speedup_p50 if low is None else low),
        slower=r.slower,
        text=f"{r.feature}: predicted {f.speedup_p50:.2f} times as fast{cautious}; it was {r.speedup:.2f}",
    )
