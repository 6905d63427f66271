"""From a survey to a plan: several ways of grouping the work are simulated, and the best becomes units.

How the ways come about: `core.ways` and `core.partition`. What is drawn and what it costs: `core.simulate`. Why so and
what was tried: `docs/design/0016-grouping.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from ropeteam.core import patterns
from ropeteam.core.costs import Costs
from ropeteam.core.estimate import estimated
from ropeteam.core.explaining import explained
from ropeteam.core.model import Feature, Plan, Unit
from ropeteam.core.plan_batches import layered
from ropeteam.core.simulate import Work
from ropeteam.core.survey import Explanation, PlannedFile, Survey
from ropeteam.core.trials import Trial, atoms_of, trials, work_of
from ropeteam.core.unit_texts import common_words, contract_goal, goal, ids, layer_of, rank_of, subject

DRAWS: Final = 200
"""Of each way that is tried; the one that is kept is simulated anew, with others."""
MOST_READS: Final = 12


class Group(NamedTuple):
    """A unit in the making. number: of its piece in the layout; needs: numbers of pieces."""

    number: int
    files: tuple[int, ...]
    needs: tuple[int, ...]
    layer: str
    name: str


def grouped(
    survey: Survey,
    costs: Costs,
    *,
    feature: Feature,
    workers: int,
    grouping: Literal["auto", "layers"] = "auto",
    quantile: float = 0.25,
    seed: int = 1,
    draws: int = DRAWS,
) -> tuple[Plan, Explanation]:
    """The plan, predicted, with why it is so. The same for the same arguments.

    Every file has one owner; a file that a contract declares is in its unit's files too, which come after. grouping:
    `layers` tries only units within one layer, in batches. survey: with at least one file.
    """
    work = work_of(survey, costs)
    atoms = atoms_of(survey.files, work.seconds, workers)
    layers = [rank_of(file) for file in survey.files]
    tried = trials(
        work,
        atoms,
        layers,
        costs,
        workers=workers,
        at=quantile,
        seed=seed,
        draws=draws,
        only_layers=grouping == "layers",
    )
    best = tried[0]
    made = Plan(units=_units(best, survey, work, feature), contract=None)
    if best.way.contract:
        made = replace(made, contract=made.units[0].id)
    plan = estimated(
        layered(made, grouping),
        survey,
        costs,
        workers=workers,
        quantile=quantile,
        seed=seed + 1,
        requirements=tuple(dict.fromkeys(r.id for r in feature.requirements)),
    )
    return plan, explained(plan, survey, tried, costs)


def _units(best: Trial, survey: Survey, work: Work, feature: Feature) -> tuple[Unit, ...]:
    groups = _groups(best, survey, work)
    names = ids([g.name for g in groups], 2 if best.way.contract else 1)
    by_number = {g.number: id for g, id in zip(groups, names, strict=True)}
    declared = sorted(best.way.layout.declared)
    if best.way.contract:
        by_number[0] = "01-contract"
    owner = {f: g.number for g in groups for f in g.files}
    texts = {r.id: r.text for r in feature.requirements}
    title = feature.title or feature.name
    units = []
    for group, id in zip(groups, names, strict=True):
        files = [survey.files[f] for f in group.files]
        units.append(
            Unit(
                id=id,
                title=_title(group.layer, files),
                goal=goal(
                    files,
                    survey,
                    declared=[survey.files[f].path for f in declared],
                    later=_beside(group, best, work, survey, owner, by_number),
                    texts=texts,
                    title=title,
                ),
                layer=group.layer,
                needs=tuple(by_number[n] for n in group.needs),
                writes=tuple(_pattern(file) for file in files),
                reads=_reads(group, work, survey, owner),
                requirements=tuple(dict.fromkeys(r for file in files for r in file.requirements)),
            )
        )
    if not best.way.contract:
        return tuple(units)
    return (
        _contract(declared, survey, work, owner, by_number, title),
        *units,
    )


def _pattern(file: PlannedFile) -> str:
    return file.pattern or patterns.exact(file.path)


def _groups(best: Trial, survey: Survey, work: Work) -> list[Group]:
    """In an order in which each comes after what it needs; else by layer, then by path."""
    pieces = best.way.layout.pieces
    common = common_words(survey.files)
    found = []
    for number, piece in enumerate(pieces):
        if not piece.files:
            continue
        files = sorted(
            piece.files, key=lambda f: (rank_of(survey.files[f]), survey.files[f].step, survey.files[f].path)
        )
        here = [survey.files[f] for f in files]
        seconds = [work.seconds[f] for f in files]
        layer = layer_of(here, seconds)
        about = subject(here, seconds, common)
        name = f"{about}-{layer}" if about and len(pieces) > 2 else layer if len(pieces) > 1 else "feature"
        found.append(Group(number, tuple(files), piece.needs, layer, name))
    rank = {g.number: n for n, g in enumerate(sorted(found, key=lambda g: _place(g, survey)))}
    done: set[int] = {n for n, piece in enumerate(pieces) if not piece.files}
    ordered: list[Group] = []
    while len(ordered) < len(found):
        ready = [g for g in found if g.number not in done and done.issuperset(g.needs)]
        ordered.append(min(ready, key=lambda g: rank[g.number]))
        done.add(ordered[-1].number)
    return ordered


def _place(group: Group, survey: Survey) -> tuple[int, str]:
    first = survey.files[group.files[0]]
    return min(rank_of(survey.files[f]) for f in group.files), first.path


def _title(layer: str, files: Sequence[PlannedFile]) -> str:
    names = [file.path.rpartition("/")[2] or file.path for file in files]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{layer.capitalize()}: {shown}"


def _reads(group: Group, work: Work, survey: Survey, owner: dict[int, int]) -> tuple[str, ...]:
    """Files of others that its own probably build on, the likeliest first."""
    wanted: dict[int, float] = {}
    for i, j, p in work.edges:
        if owner[i] == group.number and owner[j] != group.number and p >= 0.1:
            wanted[j] = max(p, wanted.get(j, 0.0))
    best = sorted(wanted, key=lambda j: (-wanted[j], j))[:MOST_READS]
    return tuple(_pattern(survey.files[j]) for j in best)


def _beside(
    group: Group, best: Trial, work: Work, survey: Survey, owner: dict[int, int], names: dict[int, str]
) -> list[str]:
    """What it may build on that others do at the same time and nobody declares."""
    declared, needs = best.way.layout.declared, set(group.needs)
    wanted: dict[int, float] = {}
    for i, j, p in work.edges:
        if owner[i] == group.number and owner[j] not in (group.number, *needs) and j not in declared and p >= 0.2:
            wanted[j] = max(p, wanted.get(j, 0.0))
    best_first = sorted(wanted, key=lambda j: (-wanted[j], j))[:MOST_READS]
    return [f"`{survey.files[j].path}` ({names[owner[j]]})" for j in best_first]


def _contract(
    declared: Sequence[int],
    survey: Survey,
    work: Work,
    owner: dict[int, int],
    names: dict[int, str],
    title: str,
) -> Unit:
    files = [survey.files[f] for f in declared]
    asked: dict[str, list[str]] = {}
    for i, j, p in work.edges:
        if j in declared and owner[i] != owner[j] and p >= 0.1:
            by = asked.setdefault(survey.files[j].path, [])
            if names[owner[i]] not in by:
                by.append(names[owner[i]])
    return Unit(
        id="01-contract",
        title="What the others build on",
        goal=contract_goal(files, asked, title),
        kind="contract",
        layer="config",
        writes=tuple(_pattern(file) for file in files),
        requirements=(),
    )
