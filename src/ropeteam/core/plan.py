"""Plans as values: read from a document and checked in full, laid out in batches, extended, replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from ropeteam.core.model import Plan, RequestNote, Unit
from ropeteam.core.plan_batches import layered
from ropeteam.core.plan_reading import RESERVED, bad_id, parse

__all__ = ["RESERVED", "WIRING", "bad_id", "layered", "parse", "replacing", "with_wiring"]

WIRING: Final = "wiring"
"""Id of the unit that does what others asked for in files they do not own. A plan may use it."""


def with_wiring(plan: Plan, requests: Sequence[RequestNote]) -> Plan:
    """The plan with one more unit at its end that does what others asked for in files they do not own.

    It needs all others, so that it runs alone, and owns every path. Without requests: the plan as it is.
    """
    if not requests:
        return plan
    taken = {unit.id for unit in plan.units}
    id = next(name for name in _wiring_ids() if name not in taken)
    asked = dict.fromkeys(f"- `{request.path}`: {request.what or 'see the unit that asked'}" for request in requests)
    last = max((unit.batch for unit in plan.units), default=0) + 1
    unit = Unit(
        id=id,
        title="What other units asked for in files they do not own",
        goal="Do what other units asked for in files that they do not own, and nothing else:\n" + "\n".join(asked),
        layer=WIRING,
        batch=last,
        needs=tuple(unit.id for unit in plan.units),
        writes=("**",),
        reads=(),
    )
    batches = (*plan.batches, (id,)) if plan.batches else ()
    return msgspec.structs.replace(plan, units=(*plan.units, unit), batches=batches)


def _wiring_ids() -> Iterator[str]:
    yield WIRING
    number = 2
    while True:
        yield f"{WIRING}-{number}"
        number += 1


def replacing(old: Plan, new: Plan, touched: frozenset[str], used: frozenset[str] = frozenset()) -> Plan | str:
    """`new` when it may take the place of `old` in a run, else why not, in a sentence.

    touched: units that have an attempt: they stay as they are. used: ids of plans before `old`, which never come again.
    new: as `parse` or `with_wiring` gives it.
    """
    before, after = ({unit.id: unit for unit in plan.units} for plan in (old, new))
    for id in sorted(touched):
        if id not in after:
            return f"{id} has been tried already, and the new plan has no such unit."
        if id in before and not _same(before[id], after[id]):
            return f"{id} has been tried already, and the new plan changes it."
    again = sorted(id for id in after if id not in before and id in used)
    if again:
        return f"{again[0]} was the id of a unit of an earlier plan, and an id is never used again."
    if old.contract != new.contract and touched:
        return f"The contract was {old.contract or 'none'} and would be {new.contract or 'none'}, and units have begun."
    return new


def _same(one: Unit, other: Unit) -> bool:
    """The same work: its place among the batches and its estimate may differ."""
    blank: dict[str, Any] = {"batch": 1, "estimate": None}
    return msgspec.structs.replace(one, **blank) == msgspec.structs.replace(other, **blank)
