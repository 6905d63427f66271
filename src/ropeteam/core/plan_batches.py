"""A plan laid out in batches: as it is given, by depth, or by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from ropeteam.core import graph
from ropeteam.core.layers import LAYERS, layer_of, rank_of
from ropeteam.core.model import Plan


def laid_out(plan: Plan, numbers: Mapping[str, int] | Mapping[str, tuple[int, int]]) -> Plan:
    """With these batches, in their order and counted anew from 1."""
    batches = tuple(
        tuple(unit.id for unit in plan.units if numbers[unit.id] == number)
        for number in sorted({numbers[unit.id] for unit in plan.units})
    )
    place = {id: index for index, batch in enumerate(batches, start=1) for id in batch}
    units = tuple(msgspec.structs.replace(unit, batch=place[unit.id]) for unit in plan.units)
    return msgspec.structs.replace(plan, units=units, batches=batches)


def contracted(plan: Plan) -> Plan:
    """Every unit names the contract among its needs, but for the contract and what that needs. plan: no cycle."""
    waits = graph.needs(msgspec.structs.replace(plan, barriers=False))
    contract = plan.contract
    units = tuple(
        unit
        if contract is None or contract in unit.needs or contract not in waits[unit.id]
        else msgspec.structs.replace(unit, needs=(contract, *unit.needs))
        for unit in plan.units
    )
    return msgspec.structs.replace(plan, units=units)


def layered(plan: Plan, grouping: Literal["auto", "layers"]) -> Plan:
    """The plan with batches. plan: no cycle.

    auto: those it has, else by depth in the graph: they are for showing, a unit waits only for what it needs.
    layers: configuration, models, services and controllers, views, and after them what only tests or wires; never
    before what it needs, and in a batch of its own where a layer needs itself. Then every batch waits for the one
    before (`barriers`).
    """
    plan = msgspec.structs.replace(contracted(plan), barriers=False)
    if grouping == "auto":
        return plan if plan.batches else laid_out(plan, graph.depths(plan))
    step: dict[str, tuple[int, int]] = {}  # layer, and which batch of it: units of one batch need none of each other
    for id in graph.order(plan):
        unit = plan.unit(id)
        before = [step[need] for need in unit.needs]
        layer = max([LAYERS.index("config") if id == plan.contract else rank_of(unit), *(rank for rank, _ in before)])
        step[id] = layer, 1 + max((inside for rank, inside in before if rank == layer), default=0)
    units = tuple(msgspec.structs.replace(unit, layer=unit.layer or layer_of(unit)) for unit in plan.units)
    return laid_out(msgspec.structs.replace(plan, units=units, barriers=True), step)
