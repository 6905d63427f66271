"""What is mended in a proposed plan without a guess: owners of files, tests beside their code, who waits for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec
from msgspec.structs import replace

from ropeteam.core import graph, paths, patterns
from ropeteam.core.model import Plan, Unit
from ropeteam.core.plan_reading import Clash, clashes
from ropeteam.core.proposal_owners import Owners, files_of, pattern_of, plain, subject
from ropeteam.core.survey import Survey

_SETTLED = 100
"""Pairs of units that own the same path: who plans more of them has not thought about owners."""


class Draft:
    """A plan while it is mended. mended: what was changed, a sentence each. faults: what cannot be."""

    def __init__(self, plan: Plan, mended: Iterable[str] = ()) -> None:
        self._plan = plan
        self.units = {unit.id: unit for unit in plan.units}
        self.mended = list(mended)
        self.faults: list[str] = []

    def plan(self) -> Plan:
        contract = self._plan.contract if self._plan.contract in self.units else None
        return msgspec.structs.replace(self._plan, units=tuple(self.units.values()), contract=contract)

    def owners(self) -> Owners:
        return Owners(self.units.values())

    def give(self, id: str, pattern: str) -> None:
        unit = self.units[id]
        self.units[id] = replace(unit, writes=(*unit.writes, pattern))

    def meets(self, pattern: str) -> bool:
        """Whether some unit owns a file that the pattern matches."""
        return any(patterns.clash(one, pattern) for unit in self.units.values() for one in unit.writes)

    def take(self, id: str, pattern: str) -> None:
        unit = self.units[id]
        self.units[id] = replace(unit, writes=tuple(one for one in unit.writes if one != pattern))

    def wait(self, id: str, on: str) -> bool:
        """Whether the one waits for the other now; not when they are in order already, which may be the other way."""
        before = graph.ancestors(self.plan())
        if on in before[id] or id in before[on]:
            return on in before[id]
        unit = self.units[id]
        self.units[id] = replace(unit, needs=(*unit.needs, on))
        return True

    def last(self) -> str | None:
        """The unit that comes after all others, where there is one: it does the wiring."""
        before = graph.ancestors(self.plan())
        named = [id for id, unit in self.units.items() if len(before[id]) == len(self.units) - 1]
        return named[0] if named and len(self.units) > 1 else None


# ---- files without an owner


def own_all(draft: Draft, files: Iterable[str], survey: Survey) -> None:
    """Give each file to the unit that it fits to; where none does, that is a fault.

    A file whose name is known only in part has an owner where some unit owns a file of that pattern.
    """
    owners, last = draft.owners(), draft.last()
    known = {file.path: file for file in survey.files}
    ties: dict[str, list[tuple[str, float]]] = {}
    for edge in survey.dependencies:
        ties.setdefault(edge.path, []).append((edge.on, edge.likelihood))
        ties.setdefault(edge.on, []).append((edge.path, edge.likelihood))
    for path in dict.fromkeys(files):
        file = known.get(path)
        partly = file.pattern if file is not None else ""
        if owners.of(path.rstrip("/")) or (partly and draft.meets(partly)):
            continue
        hub = file is not None and file.hub
        id, why = _fitting(path, owners, ties.get(path, ()), last, hub=hub)
        if id is None and len(draft.units) == 1:
            id, why = next(iter(draft.units)), "there is no other"
        if id is None:
            draft.faults.append(
                f"No unit owns `{path}`, which belongs to the feature: put it into the `writes` of the unit that does"
                " it."
            )
            continue
        pattern = partly or pattern_of(path)
        draft.give(id, pattern)
        owners.add(id, pattern)
        draft.mended.append(f"`{path}` had no owner and goes to `{id}`: {why}.")


def _fitting(
    path: str, owners: Owners, ties: Iterable[tuple[str, float]], last: str | None, *, hub: bool
) -> tuple[str | None, str]:
    """The unit that a file fits to, and why; None when it could be several. ties: files that depend on it or it on
    them, with the likelihood of that. last: the unit that comes after all others."""
    if (id := owners.tested_by(path)) is not None:
        return id, "it is a test of what that unit writes"
    if hub and last is not None:
        return last, "many parts want a line in it, and that unit comes last"
    if "/" in path and (id := _first_by_far(owners.beside(path))) is not None:
        return id, "it owns the most beside it"
    tied: Counter[str] = Counter()
    for other, likelihood in ties:
        if (owner := owners.only(other)) is not None:
            tied[owner] += round(1000 * likelihood)
    if (id := _first_by_far(tied)) is not None:
        return id, "what that unit writes depends on it, or it on that"
    return (last, "that unit comes last") if last is not None else (None, "")


def _first_by_far(counted: Counter[str]) -> str | None:
    best = counted.most_common(2)
    return best[0][0] if best and (len(best) == 1 or best[0][1] > best[1][1]) else None


# ---- tests beside their code


def tests_beside_code(draft: Draft) -> None:
    """A test goes to the one unit that writes what it tests. A unit that had nothing else is dissolved."""
    owners = draft.owners()  # of code, which nothing is changed of here
    for id in list(draft.units):
        unit = draft.units[id]
        moved: dict[str, str] = {}
        for pattern in unit.writes:
            path = plain(pattern)
            if path is None or not paths.is_test(path) or pattern.endswith("/"):
                continue
            to = owners.tested_by(path)
            if to is not None and to != id:
                moved[pattern] = to
        if not moved:
            continue
        for pattern, to in moved.items():
            draft.take(id, pattern)
            if not patterns.owns(draft.units[to].writes, plain(pattern) or ""):
                draft.units[to] = replace(draft.units[to], writes=(*draft.units[to].writes, pattern))
        names = ", ".join(f"`{pattern}`" for pattern in list(moved)[:5]) + (" ..." if len(moved) > 5 else "")
        others = list(dict.fromkeys(moved.values()))
        to_whom = ", ".join(f"`{to}`" for to in others)
        draft.mended.append(f"Tests stay with the code they test: {names} of `{id}` go to {to_whom}.")
        if not draft.units[id].writes:
            _dissolve(draft, unit, others)


def _dissolve(draft: Draft, gone: Unit, others: list[str]) -> None:
    """Its work is that of others now: they get its goal and requirements, and who needed it needs them."""
    for id in others:
        unit = draft.units[id]
        draft.units[id] = replace(
            unit,
            goal=f"{unit.goal}\n\nIts tests are yours too: {gone.goal}",
            requirements=tuple(dict.fromkeys((*unit.requirements, *gone.requirements))),
        )
    del draft.units[gone.id]
    for id, unit in draft.units.items():
        if gone.id in unit.needs:
            instead = (*(need for need in unit.needs if need != gone.id), *others)
            draft.units[id] = replace(unit, needs=tuple(dict.fromkeys(need for need in instead if need != id)))
    draft.mended.append(f"`{gone.id}` had nothing but those tests and is no unit any more.")


# ---- one owner for each path


def one_owner(draft: Draft, listed: Iterable[str], survey: Survey) -> None:
    """Where two units that could be at work at once own the same path, one gets it, or one waits for the other; what
    cannot be settled so is a fault. listed: all files that the plan speaks of."""
    known = tuple(dict.fromkeys(listed))
    hubs = frozenset(file.path for file in survey.files if file.hub)
    left = _SETTLED
    while left > 0:
        found = list(islice(clashes(draft.plan()), left))
        owners, last = draft.owners(), draft.last()  # as the pass begins: one path is settled only once in it
        settled = [clash for clash in found if _settle(draft, clash, known, (owners, last), hubs)]
        left -= len(settled)
        if not settled:
            draft.faults += [f"{clash.said[0].upper()}{clash.said[1:]}." for clash in found]
            return
    draft.faults.append("Too many units own the same paths: let each path have one owner.")


def _settle(
    draft: Draft, clash: Clash, listed: tuple[str, ...], now: tuple[Owners, str | None], hubs: frozenset[str]
) -> bool:
    """Whether anything was changed."""
    mine, theirs = clash.patterns
    if mine not in draft.units[clash.second].writes or theirs not in draft.units[clash.first].writes:
        return True  # with another one in this pass
    path = plain(mine)
    if path is not None and path == plain(theirs):
        _share(draft, clash, path, now, hub=path in hubs)
        return True
    wide_first = _narrowed(draft, clash.first, theirs, mine, listed)
    return wide_first or _narrowed(draft, clash.second, mine, theirs, listed)


def _share(draft: Draft, clash: Clash, path: str, now: tuple[Owners, str | None], *, hub: bool) -> None:
    """One of the units that own a path gets it. Where nothing tells which one, or another would have nothing left,
    they write it one after the other."""
    everyone, last = now
    owners = tuple(id for id in everyone.of(path) if _own(draft, id, path))
    keeper = _keeper(draft, path, owners, everyone.tested_by(path), last if hub or len(owners) > 2 else "")
    for id in owners if keeper is not None else ():
        own = _own(draft, id, path)
        if id == keeper or len(own) == len(draft.units[id].writes):
            continue
        for pattern in own:
            draft.take(id, pattern)
        draft.mended.append(
            f"`{path}` had several owners and is `{keeper}`'s alone; `{id}` asks for what it needs there."
        )
    both = all(_own(draft, id, path) for id in (clash.first, clash.second))
    if both and draft.wait(clash.second, clash.first):
        draft.mended.append(f"`{clash.second}` waits for `{clash.first}`: both write `{path}`.")


def _own(draft: Draft, id: str, path: str) -> list[str]:
    """The patterns by which a unit owns just that path."""
    return [pattern for pattern in draft.units[id].writes if plain(pattern) == path]


def _keeper(draft: Draft, path: str, owners: tuple[str, ...], tested: str | None, last: str | None) -> str | None:
    """Who of several owners keeps a path; None when they have to go one after the other. last: of a path that many want
    a line in, the unit that comes after all others; empty for any other path."""
    if tested in owners:
        return tested
    for_it = [id for id in owners if len(_own(draft, id, path)) == len(draft.units[id].writes)]
    if for_it:  # it is all that this unit is for
        return for_it[0] if len(for_it) == 1 else None
    if last != "":
        return last if last in owners else owners[0]
    about, folder = subject(path), path.rpartition("/")[0]
    fits: Counter[str] = Counter()
    for id in owners:
        for file in files_of(draft.units[id]):
            if file != path:
                fits[id] += 10 * (subject(file) == about) + (file.rpartition("/")[0] == folder)
    return _first_by_far(+fits)


def _narrowed(draft: Draft, id: str, wide: str, narrow: str, listed: tuple[str, ...]) -> bool:
    """Put the files that the plan lists in place of a pattern of several, less those that the other unit owns."""
    inside = [path for path in listed if patterns.owns((wide,), path)]
    left = [path for path in inside if not patterns.owns((narrow,), path)]
    if not left or patterns.problem(wide) or (plain(wide) in inside):
        return False
    unit = draft.units[id]
    writes = [one for one in unit.writes if one != wide]
    writes += [pattern_of(path) for path in left if not patterns.owns(writes, path)]
    draft.units[id] = replace(unit, writes=tuple(writes))
    draft.mended.append(f"`{id}` owns {len(left)} files of `{wide}` by name: `{narrow}` is another unit's.")
    return True


# ---- what is wanted


def cover(draft: Draft, due: Mapping[str, str], survey: Survey) -> None:
    """Every requirement is served by a unit. due: text of each by its id. One that a single unit speaks of, or whose
    files a single unit owns, is that unit's."""
    served = {id for unit in draft.units.values() for id in unit.requirements}
    owners = draft.owners()
    for id, text in due.items():
        if id in served:
            continue
        speaking = {unit.id for unit in draft.units.values() if _names(id, f"{unit.title} {unit.goal}")}
        owning = {owner for file in survey.files if id in file.requirements if (owner := owners.only(file.path))}
        for found in (speaking, owning):
            if len(found) == 1:
                (to,) = found
                unit = draft.units[to]
                draft.units[to] = replace(unit, requirements=(*unit.requirements, id))
                draft.mended.append(f"{id} is served by `{to}`, which did not list it.")
                break
        else:
            short = " ".join(text.split())[:120]
            draft.faults.append(
                f"No unit serves {id}{f' ({short})' if short else ''}: list it in the `requirements` of the unit that"
                " does it, or add a unit for it."
            )


def _names(id: str, text: str) -> bool:
    """Whether a text has that id as a word: `REQ-1` is not in `REQ-10`."""
    at = text.find(id)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(id) : at + len(id) + 1]
        if not (before.isalnum() or after.isalnum()):
            return True
        at = text.find(id, at + 1)
    return False
