"""A plan as the simulation sees it: whose files, how much work, what waits for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ropeteam.core import graph, paths, patterns
from ropeteam.core.costs import Costs
from ropeteam.core.likelihoods import pairs
from ropeteam.core.model import Plan, Unit
from ropeteam.core.simulate import CONTRACT_SHARE, Layout, Piece, Work
from ropeteam.core.sizes import lines_of, seconds_of
from ropeteam.core.survey import PlannedFile, Survey

UNKNOWN_LINES: Final = 40
"""Of a file that only a plan's pattern speaks of: about the mean of all added lines over all files of real features."""


class Laid(NamedTuple):
    """files: the survey's that some unit owns, and one for each pattern that none of them matches. owners: of each file
    the units that own it, by number, in the order in which they are done. lines: expected of each file."""

    layout: Layout
    work: Work
    files: tuple[PlannedFile, ...]
    owners: tuple[tuple[int, ...], ...]
    lines: tuple[float, ...]
    contract: int | None

    @property
    def owner(self) -> tuple[int, ...]:
        """Of each file who does its work in full: the last of those that own it."""
        return tuple(of[-1] for of in self.owners)


def laid(plan: Plan, survey: Survey, costs: Costs, *, trust: float = 1.0) -> Laid:
    """trust: that many of the dependencies for which a plan has no order are really there, of those to be expected by
    likelihood (1: whoever made the plan knew no more than the survey). Raises ValueError for a cycle.

    What a unit states of its own seconds is kept: its files are scaled to it.
    """
    place = {unit.id: n for n, unit in enumerate(plan.units)}
    order = {id: n for n, id in enumerate(graph.order(plan))}
    files, owned = _files(plan, survey)
    owners = tuple(tuple(sorted(of, key=lambda n: order[plan.units[n].id])) for of in owned)
    sized = [seconds_of(file, costs) for file in files]
    seconds = [s for s, _ in sized]
    declaring = _declaring(plan, owners, seconds)
    reading = _as_stated(plan, owners, seconds, declaring, costs)
    lines = tuple(lines_of(file, costs)[0] for file in files)
    likely = pairs(files, lines, survey.dependencies)
    edges = tuple((i, j, p if p >= 0.5 else p * trust) for i, j, p in likely.edges)
    work = Work(tuple(seconds), tuple(g for _, g in sized), edges, likely.rest * trust)
    waits = graph.needs(plan)
    mine: list[list[int]] = [[] for _ in plan.units]
    for file, of in enumerate(owners):
        mine[of[-1]].append(file)
    pieces = tuple(
        Piece(tuple(mine[n]), tuple(sorted(place[o] for o in waits[u.id])), declaring[n], reading[n])
        for n, u in enumerate(plan.units)
    )
    contract = place.get(plan.contract) if plan.contract is not None else None
    declared = frozenset(f for f, of in enumerate(owners) if contract is not None and contract in of)
    return Laid(Layout(pieces, declared), work, files, owners, lines, contract)


def _declaring(plan: Plan, owners: Iterable[tuple[int, ...]], seconds: list[float]) -> list[float]:
    """Seconds each unit works on files that another does in full: it only declares what is in them."""
    found = [0.0] * len(plan.units)
    for file, of in enumerate(owners):
        for earlier in of[:-1]:
            found[earlier] += CONTRACT_SHARE * seconds[file]
    return found


def _as_stated(
    plan: Plan, owners: tuple[tuple[int, ...], ...], seconds: list[float], declaring: list[float], costs: Costs
) -> list[float | None]:
    """Scale the files of units that state their seconds; the seconds their agents read themselves in."""
    reading: list[float | None] = []
    for n, unit in enumerate(plan.units):
        if unit.estimate is None:
            reading.append(None)
            continue
        own = [f for f, of in enumerate(owners) if of[-1] == n]
        guessed = sum(seconds[f] for f in own)
        whole = unit.estimate.seconds_p50
        mine = min(costs.reading_seconds, whole / 2)
        doing = max(whole - mine - costs.tree_seconds, 0.0)
        declaring[n] = min(declaring[n], doing) if own else doing
        for f in own:
            seconds[f] *= (doing - declaring[n]) / guessed if guessed else 0.0
        reading.append(mine)
    return reading


def _files(plan: Plan, survey: Survey) -> tuple[tuple[PlannedFile, ...], tuple[tuple[int, ...], ...]]:
    """The files and the numbers of the units that own each. Files that no unit owns are nobody's work here."""
    by_path = {file.path: n for n, file in enumerate(survey.files)}
    owned: dict[int, list[int]] = {}
    more: dict[str, list[int]] = {}
    for number, unit in enumerate(plan.units):
        for pattern in unit.writes:
            hit = _matched(pattern, by_path, survey)
            if not hit:
                more.setdefault(pattern, []).append(number)
            for file in hit:
                if number not in owned.setdefault(file, []):
                    owned[file].append(number)
    files = [survey.files[n] for n in sorted(owned)]
    numbers = [tuple(owned[n]) for n in sorted(owned)]
    for pattern, of in more.items():
        if _speaks_of_more(pattern, of, plan, files):
            files.append(_unknown(pattern))
            numbers.append(tuple(dict.fromkeys(of)))
    return tuple(files), tuple(numbers)


def _matched(pattern: str, by_path: Mapping[str, int], survey: Survey) -> list[int]:
    path = patterns.literal(pattern)
    if path is not None and path in by_path:
        return [by_path[path]]
    if path is not None and "." in path.rpartition("/")[2]:
        return []
    return [n for n, f in enumerate(survey.files) if f.pattern == pattern or patterns.owns((pattern,), f.path)]


def _speaks_of_more(pattern: str, of: list[int], plan: Plan, files: list[PlannedFile]) -> bool:
    """Not of a pattern that owns everything where there are files: it is there for what may come up."""
    return not (files and pattern.strip("/") in ("**", "*")) or all(len(plan.units[n].writes) == 1 for n in of)


def _unknown(pattern: str) -> PlannedFile:
    path = patterns.literal(pattern) or pattern
    return PlannedFile(
        path=path,
        status="M",
        lines=UNKNOWN_LINES,
        language=paths.suffix(path),
        category="test" if paths.is_test(path) else "",
    )


def covered(units: Iterable[Unit]) -> frozenset[str]:
    """Ids of requirements that some unit serves."""
    return frozenset(id for unit in units for id in unit.requirements)
