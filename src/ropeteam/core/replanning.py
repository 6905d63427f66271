"""At a checkpoint, with what is known by then: would the work that has not begun be done earlier in fewer pieces?

A piece costs a reading-in, a merge and often a wait for a validation. Where units turn out shorter than thought, or
reading-in longer, two of them are one: in a chain, or where too few workers are free to have both at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from zlib import crc32

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core import graph
from ropeteam.core.expecting import going_on, lengths_of, moment_of, not_begun, reading_of
from ropeteam.core.model import Plan, Unit, UnitEstimate
from ropeteam.core.plan_batches import layered
from ropeteam.core.progress import pieces
from ropeteam.core.state import RunState
from ropeteam.core.timing import time_scale

LEAST_GAIN = 0.05
"""Of the time that is left. Less is lost in what a prediction is off by."""
MOST_OPEN = 16
"""So many units that have not begun are looked at, in the plan's order: every step of a run may look, and a journal is
folded step by step."""
LONGEST_ID = 64


def at_checkpoint(state: RunState) -> ev.Replan | None:
    """The plan with two of its units made one, when that is predicted to end earlier. Asked for at the moment a
    checkpoint is reached, and again as long as two more are better one."""
    if not state.fresh or state.fallen or state.ending or state.parking or state.line or state.plan is None:
        return None
    at = state.clockwork.last
    open_ = _open(state, state.plan)
    now = _left(state, state.plan, at) if len(open_) > 1 else None
    better = _better(state, state.plan, open_, at) if now is not None else None
    if now is None or better is None or better[0] > now * (1 - LEAST_GAIN):
        return None
    seconds, plan, one, other = better
    scale = time_scale(state)
    why = (
        f"{one.id} and {other.id} are done as one: {seconds * scale:.0f} s from here instead of {now * scale:.0f} s, "
        f"at the pace and with the {reading_of(state) * scale:.0f} s of reading-in that were measured so far."
    )
    return ev.Replan(plan=plan, why=why)


def best_joined(state: RunState, at: float) -> float:
    """Seconds until all is done and validated, once units are joined as far as that is predicted to end earlier.
    Infinite where nothing can be said."""
    plan = state.plan
    best = _left(state, plan, at) if plan is not None else None
    if plan is None or best is None:
        return inf
    while (better := _better(state, plan, _open(state, plan), at)) is not None and better[0] <= best * (1 - LEAST_GAIN):
        best, plan = better[0], better[1]
    return best


def _open(state: RunState, plan: Plan) -> tuple[Unit, ...]:
    """Units that may be joined: nobody has begun them, and they are no contract and no wiring."""
    outlook = state.begun.outlook
    given = outlook is not None and outlook.explanation.planner == "given"
    if plan.estimate is None or plan.barriers or given:
        return ()  # nothing predicted; the strategy to the letter; or somebody's plan, which is used as it is
    open_ = not_begun(replace(state, plan=plan))
    return tuple(u for u in open_ if u.kind == "unit" and "**" not in u.writes)[:MOST_OPEN]


def _better(state: RunState, plan: Plan, open_: tuple[Unit, ...], at: float) -> tuple[float, Plan, Unit, Unit] | None:
    """The pair that is best joined, the plan with it, and how long it takes then."""
    reading = reading_of(state) * time_scale(state)
    best: tuple[float, Plan, Unit, Unit] | None = None
    for one, other in _pairs(plan, open_):
        made = joined(plan, one, other, reading)
        seconds = _left(state, made, at)
        if seconds is not None and (best is None or seconds < best[0]):
            best = seconds, made, one, other
    return best


def _left(state: RunState, plan: Plan, at: float) -> float | None:
    """Seconds until all is done and validated, with that plan."""
    there = replace(state, plan=plan)
    lengths = lengths_of(there, pieces(state))
    if lengths is None:
        return None
    here = moment_of(there, at, lengths)
    return going_on(there, here) + here.lag


def _pairs(plan: Plan, open_: tuple[Unit, ...]) -> Iterator[tuple[Unit, Unit]]:
    """Pairs that may be one unit: one needs the other, or both need the same, and nothing stands between them."""
    waits, before = graph.needs(plan), graph.ancestors(plan)
    for n, one in enumerate(open_):
        for other in open_[n + 1 :]:
            if one.id not in waits[other.id] and other.id not in waits[one.id] and set(one.needs) != set(other.needs):
                continue
            between = {
                id
                for id in waits
                if (one.id in before[id] and id in before[other.id])
                or (other.id in before[id] and id in before[one.id])
            }
            if not between:
                yield one, other


def joined(plan: Plan, one: Unit, other: Unit, reading: float) -> Plan:
    """The plan with both as one unit, which reads itself in once (`reading`, in seconds of the plan)."""
    both = Unit(
        id=_name(plan, one, other),
        title=" and ".join(t for t in (one.title or one.id, other.title or other.id) if t),
        goal=f"{one.goal}\n\n{other.goal}".strip(),
        layer=one.layer if one.layer == other.layer else "",
        needs=tuple(n for n in dict.fromkeys((*one.needs, *other.needs)) if n not in (one.id, other.id)),
        writes=tuple(dict.fromkeys((*one.writes, *other.writes))),
        reads=tuple(dict.fromkeys((*one.reads, *other.reads))),
        requirements=tuple(dict.fromkeys((*one.requirements, *other.requirements))),
        provides=tuple(dict.fromkeys((*one.provides, *other.provides))),
        estimate=_together(one.estimate, other.estimate, reading),
    )
    gone = {one.id, other.id}
    units: list[Unit] = []
    for unit in plan.units:
        if unit.id == one.id:
            units.append(both)
        elif unit.id != other.id:
            needs = tuple(dict.fromkeys(both.id if n in gone else n for n in unit.needs))
            units.append(unit if needs == unit.needs else replace(unit, needs=needs))
    return layered(replace(plan, units=tuple(units), batches=()), "auto")


def _together(one: UnitEstimate | None, other: UnitEstimate | None, reading: float) -> UnitEstimate | None:
    if one is None or other is None:
        return one or other
    both = one.seconds_p50 + other.seconds_p50
    return UnitEstimate(
        seconds_p50=max(both - reading, both / 2),
        seconds_p90=max(one.seconds_p90 + other.seconds_p90 - reading, 0.0),
        tokens_p50=one.tokens_p50 + other.tokens_p50,
    )


def _name(plan: Plan, one: Unit, other: Unit) -> str:
    """An id that no unit has, and that says of which two it was made. Both have gone by then, so no id comes again."""
    taken = {unit.id for unit in plan.units}
    stem = f"{_short(one.id)}-with-{_short(other.id)}"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem[: LONGEST_ID - 4]}-{number}", number + 1
    return name


def _short(id: str) -> str:
    """At most 28 characters. Ids that begin alike stay apart."""
    return id if len(id) <= 28 else f"{id[:19]}-{crc32(id.encode()):08x}"
