"""Random plans for properties: graphs without a cycle, with or without a contract, estimates and barriers."""

from __future__ import annotations

from hypothesis import strategies as st

from ropeteam.core import graph
from ropeteam.core.model import Plan, Unit, UnitEstimate

SECONDS = st.integers(1, 50).map(float)  # whole numbers: sums are exact


@st.composite
def plans(draw: st.DrawFn, most: int = 9) -> Plan:
    """A plan whose units may be listed in any order."""
    count = draw(st.integers(1, most))
    names = [f"u{number}" for number in range(count)]
    units = []
    for number, name in enumerate(names):
        earlier = st.lists(st.sampled_from(names[:number]), unique=True, max_size=3) if number else st.just([])
        seconds = draw(st.none() | SECONDS)
        units.append(
            Unit(
                id=name,
                goal=f"do {name}",
                needs=tuple(draw(earlier)),
                writes=(f"/{name}/",),
                estimate=None if seconds is None else UnitEstimate(seconds_p50=seconds),
            )
        )
    contract = draw(st.none() | st.sampled_from(names))
    plan = Plan(units=tuple(draw(st.permutations(units))), contract=contract)
    if not draw(st.booleans()):
        return plan
    depths = graph.depths(plan)
    batches = tuple(
        tuple(unit.id for unit in plan.units if depths[unit.id] == level) for level in range(1, graph.depth(plan) + 1)
    )
    return Plan(units=plan.units, contract=contract, batches=batches, barriers=True)
