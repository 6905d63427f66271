"""What the documents say builds on what is kept to: by order, or by the contract."""

from __future__ import annotations

from ropeteam.core.costs import Costs
from ropeteam.core.grouping import grouped
from ropeteam.core.honouring import bound_of, honouring
from ropeteam.core.model import Feature
from ropeteam.core.settings import Gate
from ropeteam.core.simulate import Layout, Piece, Work
from ropeteam.core.survey import Dependency, PlannedFile, Survey
from ropeteam.core.ways import Way

WORK = Work((100.0,) * 4, (0.3,) * 4, (), 0.0)


def way(*groups: tuple[int, ...], contract: bool = False, barriers: bool = False) -> Way:
    pieces = tuple(Piece(group) for group in groups)
    if contract:
        pieces = (Piece((), extra=1.0), *(piece._replace(needs=(0,)) for piece in pieces))
    return Way("tried", "", groups, Layout(pieces), contract, barriers)


def test_units_are_put_in_order() -> None:
    kept = honouring(way((0, 1), (2, 3)), [(2, 0), (1, 0)], WORK, Costs())
    assert kept is not None
    assert [piece.needs for piece in kept.layout.pieces] == [(), (0,)]


def test_a_way_that_would_be_a_circle_is_none() -> None:
    assert honouring(way((0, 1), (2, 3)), [(2, 0), (1, 3)], WORK, Costs()) is None


def test_a_contract_declares_what_others_build_on() -> None:
    kept = honouring(way((0, 1), (2, 3), contract=True), [(2, 0), (1, 3)], WORK, Costs())
    assert kept is not None
    assert kept.layout.declared == {0, 3}
    assert kept.layout.pieces[0].extra == 16.0, "8 % of both"


def test_layers_stay_as_they_are() -> None:
    layers = way((0, 1), (2, 3), barriers=True)
    assert honouring(layers, [(0, 2)], WORK, Costs()) is layers


def test_no_plan_leaves_to_chance_what_the_documents_say() -> None:
    names = "abcdefgh"
    files = tuple(
        PlannedFile(path=f"src/{n}.py", status="A", lines=600, category="service", language="python") for n in names
    )
    said = [Dependency(path="src/b.py", on="src/a.py", kind="declared", likelihood=0.9)]
    said += [Dependency(path="src/d.py", on="src/c.py", kind="declared", likelihood=0.6)]
    weak = [Dependency(path="src/f.py", on="src/e.py", kind="declared", likelihood=0.5)]
    survey = Survey(files=files, dependencies=(*said, *weak), named=True)
    assert bound_of(survey) == ((1, 0), (3, 2))
    plan, _ = grouped(
        survey, Costs(), feature=Feature(name="f", source="file"), workers=4, gate=Gate(), mode="parallel"
    )
    assert len(plan.units) > 1
    owner = {pattern: unit for unit in plan.units for pattern in unit.writes if unit.id != plan.contract}
    for edge in said:
        one, other = owner[edge.path], owner[edge.on]
        declared = plan.contract is not None and edge.on in plan.unit(plan.contract).writes
        assert one is other or other.id in one.needs or declared
