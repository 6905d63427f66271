"""At a checkpoint, with what is known by then: would the work that has not begun be done earlier in fewer pieces?

A piece costs a reading-in, a merge and often a wait for a validation. Where units turn out shorter than thought, or
reading-in longer, two of them are one: in a chain, or where too few workers are free to have both at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core import graph
from ropeteam.core.expecting import going_on, lengths_of, moment_of
from ropeteam.core.model import Plan, Unit, UnitEstimate
from ropeteam.core.plan_batches import layered
from ropeteam.core.progress import pieces
from ropeteam.core.second_look import not_begun, reading_of
from ropeteam.core.state import RunState
from ropeteam.core.timing import time_scale

LEAST_GAIN = 0.05
"""Of the time that is left. Less is lost in what a prediction is off by."""
LONGEST_ID = 64


def at_checkpoint(state: RunState) -> ev.Replan | None:
    """The plan with two of its units made one, when that is predicted to end earlier. Asked for at the moment a
    checkpoint is reached; the next checkpoint may join two more."""
    if not _just_validated(state) or state.fallen or state.ending or state.parking or state.line or state.plan is None:
        return None
    if state.plan.estimate is None or state.plan.barriers:
        return None  # nothing predicted; or the strategy to the letter
    open_ = tuple(u for u in not_begun(state) if u.kind == "unit" and "**" not in u.writes)
    now = _left(state, state.plan) if len(open_) > 1 else None
    if now is None:
        return None
    reading = reading_of(state) * time_scale(state)
    tried = [(_left(state, plan), plan, one, other) for one, other in _pairs(state.plan, open_)
             for plan in (joined(state.plan, one, other, reading),)]
    best = min(((t, p, a, b) for t, p, a, b in tried if t is not None), key=lambda x: x[0], default=None)
    if best is None or best[0] > now * (1 - LEAST_GAIN):
        return None
    seconds, plan, one, other = best
    scale = time_scale(state)
    why = (
        f"{one.id} and {other.id} are done as one: {seconds * scale:.0f} s from here instead of {now * scale:.0f} s, at "
        f"the pace and with the {reading:.0f} s of reading-in that were measured so far."
    )
    return ev.Replan(plan=plan, why=why)


def _just_validated(state: RunState) -> bool:
    """What happened last was that a candidate became the checkpoint."""
    last = state.spans[-1] if state.spans else None
    done = last is not None and last.kind == "validate" and last.ended == state.clockwork.last
    return done and last is not None and last.of == state.checkpoint


def _left(state: RunState, plan: Plan) -> float | None:
    """Seconds until all is done and validated, with that plan."""
    there = replace(state, plan=plan)
    lengths = lengths_of(there, pieces(state))
    if lengths is None:
        return None
    here = moment_of(there, state.clockwork.last, lengths)
    return going_on(there, here) + here.lag


def _pairs(plan: Plan, open_: tuple[Unit, ...]) -> Iterator[tuple[Unit, Unit]]:
    """Pairs that may be one unit: nothing waits for the first while the second waits for it."""
    waits, before = graph.needs(plan), graph.ancestors(plan)
    for n, one in enumerate(open_):
        for other in open_[n + 1 :]:
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
    stem = f"{one.id[:28]}-with-{other.id[:28]}".rstrip(".-_")
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem[: LONGEST_ID - 4]}-{number}", number + 1
    return name
