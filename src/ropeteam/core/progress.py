"""How far several agents have come: what follows from the state, and is not kept in it."""

from __future__ import annotations

from collections.abc import Iterable

from ropeteam.core.graph import ancestors
from ropeteam.core.model import Asked, Unit
from ropeteam.core.patterns import owns
from ropeteam.core.state import AttemptState, RunState

ALONE = ("single", "rest")
"""Units of one agent that works on everything, or on everything that is left. They own every path."""


def units(state: RunState) -> tuple[Unit, ...]:
    return state.plan.units if state.plan is not None else ()


def pieces(state: RunState) -> tuple[AttemptState, ...]:
    """Attempts of the plan's units: without `rest` and `belay`."""
    known = {u.id for u in units(state)}
    return tuple(a for a in state.attempts if a.unit in known)


def validated(state: RunState) -> frozenset[str]:
    """Ids of units whose work is in a checkpoint."""
    return frozenset(a.unit for a in pieces(state) if a.stage == "validated")


def left(state: RunState) -> tuple[Unit, ...]:
    """Units whose work is in no checkpoint."""
    done = validated(state)
    return tuple(u for u in units(state) if u.id not in done)


def at_work(state: RunState) -> bool:
    """Something of the plan's units is under way, waits to be merged or validated, or is to be tried again."""
    known = {u.id for u in units(state)}
    if any(c.unit in known for c in state.under_way()) or state.line:
        return True
    return any(a.stage in ("running", "ended", "merged") or a.again for a in newest(state))


def waits(state: RunState) -> bool:
    """Something that an agent has made waits to be merged or validated."""
    last = {a.unit: a for a in state.attempts}.values()
    return any(a.stage in ("ended", "merged") for a in last)


def newest(state: RunState) -> tuple[AttemptState, ...]:
    """The newest attempt of each unit that has one."""
    return tuple({a.unit: a for a in pieces(state)}.values())


def top(state: RunState) -> str:
    """The commit that the next merge goes onto."""
    return state.attempt(state.line[-1]).merged if state.line else state.ground


def related(state: RunState, id: str) -> frozenset[str]:
    """Units that are never at work at the same time as this one: what it waits for and what waits for it, however
    far."""
    if state.plan is None:
        return frozenset()
    before = ancestors(state.plan)
    return before[id] | {other for other, of in before.items() if id in of}


# ---- requests


def open_requests(state: RunState, waiting: tuple[str, ...] = ()) -> tuple[Asked, ...]:
    """What validated units needed in files of others, and nobody has been given yet. waiting: attempts that count as
    if they were validated."""
    given = {(r.path, r.what) for a in state.attempts if a.stage != "failed" for r in a.asked}
    open_: dict[tuple[str, str], Asked] = {}
    for a in pieces(state):
        if (a.stage != "validated" and a.id not in waiting) or "**" in state.plan_unit(
            a.unit
        ).writes:  # it could have done it by itself
            continue
        for r in a.result.report.requests:
            if (r.path, r.what) not in given and not owns(state.plan_unit(a.unit).writes, r.path):
                open_.setdefault((r.path, r.what), Asked(unit=a.unit, path=r.path, what=r.what))
    return tuple(open_.values())


def asked_of(state: RunState, unit: Unit) -> tuple[Asked, ...]:
    """Of the open requests those for files that this unit owns."""
    return tuple(r for r in open_requests(state) if owns(unit.writes, r.path))


def outside(state: RunState, unit: Unit, paths: Iterable[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Paths that a unit changed and does not own: (those that no unit owns which could be at work at the same time,
    those that such a unit owns: with its id)."""
    near = related(state, unit.id) | {unit.id}
    others = [u for u in units(state) if u.id not in near]
    free: list[str] = []
    taken: list[tuple[str, str]] = []
    for path in paths:
        if owns(unit.writes, path):
            continue
        owner = next((u.id for u in others if owns(u.writes, path)), None)
        if owner is None:
            free.append(path)
        else:
            taken.append((path, owner))
    return tuple(free), tuple(taken)


# ---- checkpoints


def checkpoints(state: RunState) -> tuple[str, ...]:
    """The commits that were validated one after the other, the newest last; without the base."""
    holding = {a.merged for a in pieces(state) if a.stage == "validated"}
    return tuple(dict.fromkeys(s.of for s in state.spans if s.kind == "validate" and s.of in holding))
