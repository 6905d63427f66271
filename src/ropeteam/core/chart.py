"""A run of several agents as a chart of stretches of time: what is drawn, without how.

Time on the chart is that of the report: seconds in which agents were at work count `time_scale`-fold for the scripted
agent. Long stretches in which nothing was under way (a parked or interrupted run) are left out, and said so.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Literal

from ropeteam.core.model import Value
from ropeteam.core.progress import units
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.timing import critical_attempts, time_scale

LONGEST_IDLE = 60.0
"""Seconds with nothing under way, above which they are left out."""

Look = Literal["validated", "working", "set aside", "stopped", "merge", "check"]


class Bar(Value, frozen=True, kw_only=True):
    """look: how it came out. text: what it was, for people."""

    began: float
    ended: float
    look: Look
    text: str
    critical: bool = False


class Line(Value, frozen=True, kw_only=True):
    """A row of the chart. group: its batch, empty for what belongs to none."""

    name: str
    group: str
    bars: tuple[Bar, ...]


class Mark(Value, frozen=True, kw_only=True):
    """A moment. kind `fall`: the run fell back; `gap`: `seconds` are left out here."""

    at: float
    kind: Literal["fall", "gap"]
    text: str
    seconds: float = 0.0


class Chart(Value, frozen=True, kw_only=True):
    """end: of the run, in seconds from its beginning. path: ids of the units its end hung on, in order."""

    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    end: float
    path: tuple[str, ...]
    scale: float = 1.0


def chart(state: RunState) -> Chart | None:
    """None for a run of one agent, and before anything has begun."""
    if not state.together or not state.attempts:
        return None
    clock = _Clock(state)
    critical = critical_attempts(state)
    known = [u.id for u in sorted(units(state), key=lambda u: u.batch)]
    others = [id for id in ("rest", "belay") if any(a.unit == id for a in state.attempts)]
    lines = []
    for id in (*known, *others):
        group = f"batch {state.plan_unit(id).batch}" if id in known else ""
        lines.append(Line(name=id, group=group, bars=_bars(state, clock, id, critical)))
    lines.append(Line(name="checks", group="", bars=_checks(state, clock)))
    fell = next((t for t in state.triggers if t.action in ("salvage", "strict")), None)
    marks = [Mark(at=clock.of(at), kind="gap", text="nothing was under way", seconds=s) for at, s in clock.gaps]
    if fell is not None:
        where = f" ({fell.unit})" if fell.unit else ""
        marks.append(Mark(at=clock.of(fell.at), kind="fall", text=f"{fell.id}{where}"))
    ends = [bar.ended for line in lines for bar in line.bars]
    path = sorted((a for a in state.attempts if a.id in critical), key=lambda a: a.started_at)
    return Chart(
        lines=tuple(lines),
        marks=tuple(marks),
        end=max(ends, default=0.0),
        path=tuple(dict.fromkeys(a.unit for a in path)),
        scale=time_scale(state),
    )


def _bars(state: RunState, clock: _Clock, unit: str, critical: frozenset[str]) -> tuple[Bar, ...]:
    bars = []
    for a in state.attempts:
        if a.unit == unit:
            began, ended = clock.of(a.started_at), clock.of(_ended(state, a))
            bars.append(Bar(began=began, ended=ended, look=_look(state, a), text=_words(a), critical=a.id in critical))
    for s in state.spans:
        if s.kind == "merge" and s.of.partition("/")[0] == unit:
            bars.append(Bar(began=clock.of(s.began), ended=clock.of(s.ended), look="merge", text=f"{s.of}: merged"))
    return tuple(bars)


def _look(state: RunState, a: AttemptState) -> Look:
    if a.stage == "validated":
        return "validated"
    if a.stage in ("stopped", "lost"):
        return "stopped"
    if a.stage in ("failed", "ejected"):
        return "set aside"
    return "working" if state.outcome is None else "stopped"


def _words(a: AttemptState) -> str:
    came_of_it = {"failed": a.outcome or "failed", "ended": "done", "merged": "merged", "lost": "cut off"}
    return f"{a.id}: {came_of_it.get(a.stage, a.stage)}"


def _checks(state: RunState, clock: _Clock) -> tuple[Bar, ...]:
    names = {a.merged: a.unit for a in state.attempts if a.merged}
    bars = []
    for s in state.spans:
        if s.kind not in ("baseline", "validate"):
            continue
        what = "the code as it was" if s.kind == "baseline" else f"up to {names[s.of]}" if s.of in names else "all"
        bars.append(Bar(began=clock.of(s.began), ended=clock.of(s.ended), look="check", text=f"checked: {what}"))
    return tuple(bars)


def _ended(state: RunState, a: AttemptState) -> float:
    """When its agent was done, as the report counts it: keeping its work comes after."""
    if a.result.seconds:
        return a.started_at + a.result.seconds
    return a.ended_at or max(a.started_at, state.clockwork.last)


class _Clock:
    """Real moments to seconds on the chart."""

    def __init__(self, state: RunState) -> None:
        scale = time_scale(state)
        agents = [(a.started_at, _ended(state, a)) for a in state.attempts]
        busy = [*agents, *((s.began, s.ended) for s in state.spans if s.kind != "offer")]
        edges = sorted({state.begun.at, *(at for span in busy for at in span)})
        self._edges, self._times = edges, [0.0]
        self.gaps: list[tuple[float, float]] = []
        for here, then in pairwise(edges):
            length = then - here
            if any(began <= here and ended >= then for began, ended in agents):
                length *= scale
            elif length > LONGEST_IDLE and not any(began <= here and ended >= then for began, ended in busy):
                self.gaps.append((here, length))
                length = 0.0
            self._times.append(self._times[-1] + length)

    def of(self, at: float) -> float:
        """Seconds on the chart of a real moment."""
        i = bisect_right(self._edges, at) - 1
        if i < 0:
            return 0.0
        if i + 1 >= len(self._edges):
            return self._times[-1]
        share = (at - self._edges[i]) / (self._edges[i + 1] - self._edges[i])
        return self._times[i] + share * (self._times[i + 1] - self._times[i])
