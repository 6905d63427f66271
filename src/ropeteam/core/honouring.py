"""Ways of grouping that keep to what the documents say builds on what: nobody's plan to be taken for a risk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ropeteam.core import graph
from ropeteam.core.costs import Costs
from ropeteam.core.model import Plan, Unit
from ropeteam.core.simulate import Layout, Piece, Work
from ropeteam.core.survey import Survey
from ropeteam.core.ways import Way

STATED: Final = 0.6
"""Likelihood of a `declared` dependency from which on a plan must keep to it: the documents say it of these very files,
or of steps that name them (`planners.static`). A file that is in a step only because its words fit has less."""


def bound_of(survey: Survey) -> tuple[tuple[int, int], ...]:
    """Pairs (i, j) of files of which the documents say that i builds on j, by index."""
    index = {file.path: n for n, file in enumerate(survey.files)}
    return tuple(
        dict.fromkeys(
            (index[d.path], index[d.on])
            for d in survey.dependencies
            if d.kind == "declared" and d.likelihood >= STATED and d.path in index and d.on in index
        )
    )


def honouring(way: Way, bound: Sequence[tuple[int, int]], work: Work, costs: Costs) -> Way | None:
    """The way with every such pair of different units kept to: declared by its contract where it has one, else by an
    order. None where that makes a circle."""
    owner = {file: n for n, piece in enumerate(way.layout.pieces) for file in piece.files}
    apart = [(i, j) for i, j in bound if owner[i] != owner[j]]
    if not apart or way.barriers:  # layers are the strategy to the letter
        return way
    if way.contract:
        declared = way.layout.declared | {j for _, j in apart}
        first, *others = way.layout.pieces
        declaring = costs.contract_share * sum(work.seconds[f] for f in declared)
        return way._replace(layout=Layout((first._replace(extra=declaring), *others), declared))
    needs = [set(piece.needs) for piece in way.layout.pieces]
    for i, j in apart:
        needs[owner[i]].add(owner[j])
    if graph.cycle(_graph(needs)):
        return None
    pieces = zip(way.layout.pieces, needs, strict=True)
    return way._replace(layout=Layout(tuple(_waiting(piece, those) for piece, those in pieces), way.layout.declared))


def _waiting(piece: Piece, needs: set[int]) -> Piece:
    return piece._replace(needs=tuple(sorted(needs)))


def _graph(needs: Sequence[set[int]]) -> Plan:
    return Plan(units=tuple(Unit(id=str(n), needs=tuple(map(str, sorted(those)))) for n, those in enumerate(needs)))
