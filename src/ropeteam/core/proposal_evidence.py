"""A proposed plan beside what the static survey found: orders that are missing, and the survey with what the planner
knows on top."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from msgspec.structs import replace

from ropeteam.core import graph, paths, patterns
from ropeteam.core.model import Plan, Unit
from ropeteam.core.plan_document import MAX_UNITS
from ropeteam.core.proposal_mending import Draft
from ropeteam.core.proposal_owners import Owners, files_of, subject
from ropeteam.core.proposal_reading import FileSaid
from ropeteam.core.survey import Dependency, PlannedFile, Survey

STRONG: Final = 0.8
"""Likelihood from which on evidence counts more than the planner's silence."""

DECLARED: Final = 0.85
"""Likelihood of a dependency that a planner declares: it has read the code, and errs all the same."""

_BUILT_ON: Final = 5  # files of one unit that another builds on, where it is not said which


def in_order(draft: Draft, survey: Survey) -> None:
    """A unit waits for another where strong evidence says that its files build on that one's, unless the contract
    declares what it needs. Where the documents say so and the plan has it the other way, that is a fault."""
    owners = draft.owners()
    wanted: dict[tuple[str, str], Dependency] = {}
    for edge in survey.dependencies:
        id, on = owners.only(edge.path), owners.only(edge.on)
        if edge.likelihood < STRONG or id is None or on is None or id == on:
            continue
        if (id, on) not in wanted or edge.likelihood > wanted[id, on].likelihood:
            wanted[id, on] = edge
    declared = _declared(draft)
    before = graph.ancestors(draft.plan())
    for (id, on), edge in wanted.items():
        if on in before[id] or _in_contract(draft, on, edge.on, declared, before[id]):
            continue
        why = f"`{edge.path}` builds on `{edge.on}`" + (f" ({edge.evidence.rstrip('.')})" if edge.evidence else "")
        if id not in before[on]:
            draft.wait(id, on)
            draft.mended.append(f"`{id}` waits for `{on}`: {why}.")
            before = graph.ancestors(draft.plan())
        elif edge.kind == "declared" and (on, id) not in wanted:
            draft.faults.append(
                f"`{on}` needs `{id}`, but {why}: turn the need round, or make one unit of them, or let the contract"
                " declare what is shared."
            )


def _declared(draft: Draft) -> str:
    """What the contract says that it declares, as one text of plain words."""
    contract = draft.plan().contract
    if contract is None:
        return ""
    unit = draft.units[contract]
    return _plain(" ".join((*unit.provides, *unit.writes, unit.title, unit.goal)))


def _in_contract(draft: Draft, on: str, path: str, declared: str, before: Collection[str]) -> bool:
    """Whether the unit waits for a contract that names what the other provides, or the file itself."""
    if not declared or draft.plan().contract not in before:
        return False
    names = (subject(path), *(_plain(name) for name in draft.units[on].provides))
    return any(len(name) > 2 and name in declared for name in names)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def unknown_files(draft: Draft, files: Iterable[FileSaid], known: Collection[str]) -> None:
    """A file that is to be changed or deleted has to be there."""
    owners = draft.owners()
    by_name: dict[str, list[str]] = {}
    for path in known:
        by_name.setdefault(path.rpartition("/")[2].lower(), []).append(path)
    for file in files:
        if file.status not in ("M", "D") or file.path in known:
            continue
        close = by_name.get(file.path.rpartition("/")[2].lower(), [])
        meant = f" (meant: `{close[0]}`?)" if len(close) == 1 else ""
        who = owners.only(file.path)
        what = "changed" if file.status == "M" else "deleted"
        draft.faults.append(
            f"`{file.path}`{f' of `{who}`' if who else ''} is an unknown file: it is to be {what} and is not in the"
            f" repository{meant}. Correct the path, or give it the status `A` if it is new."
        )


# ---- the survey with what the planner knows


def informed(survey: Survey, plan: Plan, files: Iterable[FileSaid], known: Collection[str]) -> Survey:
    """What was found without a model, then what the planner adds: files that it names, lines that it guesses, what
    builds on what. What was only guessed and is in nobody's hands is not part of the work; nor is a name known in part
    beside the files that it stands for."""
    owners = Owners(plan.units)
    said = {file.path: file for file in files if owners.of(file.path)}
    named = [path for unit in plan.units for path in files_of(unit)]
    kept = (file for file in survey.files if _part_of(file, owners, (*said, *named), survey))
    found = {file.path: _with_word(file, said.get(file.path)) for file in kept}
    for path in dict.fromkeys((*said, *named)):
        if path not in found:
            found[path] = _new_file(path, said.get(path, FileSaid(path=path)), known)
    gone = {file.path for file in survey.files} - found.keys()
    edges = {
        (edge.path, edge.on, edge.kind): edge
        for edge in survey.dependencies
        if edge.path not in gone and edge.on not in gone
    }
    for edge in _edges(plan, said, owners):
        edges.setdefault((edge.path, edge.on, edge.kind), edge)
    known_needs = any(file.needs for file in said.values())
    declared = [path for path in found if path in said and known_needs]
    return replace(
        survey,
        files=tuple(found.values()),
        dependencies=tuple(edges.values()),
        declared=tuple(dict.fromkeys((*survey.declared, *declared))),
        named=True,
        uncovered=(),
    )


def _part_of(file: PlannedFile, owners: Owners, named: Collection[str], survey: Survey) -> bool:
    if file.pattern:
        return not any(patterns.owns((file.pattern,), path) for path in named)
    return survey.named or bool(owners.of(file.path))


def _with_word(file: PlannedFile, said: FileSaid | None) -> PlannedFile:
    if said is None:
        return file
    return replace(
        file,
        lines=said.lines if said.lines is not None else file.lines,
        purpose=file.purpose or said.purpose,
    )


def _new_file(path: str, said: FileSaid, known: Collection[str]) -> PlannedFile:
    there = path in known
    return PlannedFile(
        path=path,
        status=("D" if said.status == "D" else "M") if there else "A",
        purpose=said.purpose,
        lines=said.lines,
        language=paths.suffix(path),
        category="test" if paths.is_test(path) else "",
        source="named by the planning agent",
    )


def _edges(plan: Plan, said: dict[str, FileSaid], owners: Owners) -> Iterable[Dependency]:
    """What the planner declares: of files where it says it of files, else of those of a unit that needs another."""
    spoken: set[tuple[str, str]] = set()
    for file in said.values():
        for need in file.needs:
            if need != file.path and owners.of(need):
                spoken |= {(id, on) for id in owners.of(file.path) for on in owners.of(need)}
                yield _edge(file.path, need, "The planning agent says so.")
    for unit in plan.units[:MAX_UNITS]:
        for need in unit.needs:
            if (unit.id, need) in spoken or need == plan.contract:
                continue
            other = plan.unit(need)
            evidence = f"The planning agent says that {unit.id} needs {need}."
            for path in _code(unit):
                yield from (_edge(path, on, evidence) for on in _provided(other) if on != path)


def _edge(path: str, on: str, evidence: str) -> Dependency:
    return Dependency(path=path, on=on, kind="declared", likelihood=DECLARED, evidence=evidence)


def _code(unit: Unit) -> tuple[str, ...]:
    """Its first files, without tests: those stand for the unit."""
    files = files_of(unit)
    return tuple(path for path in files if not paths.is_test(path))[:_BUILT_ON] or files[:1]


def _provided(unit: Unit) -> tuple[str, ...]:
    """The files it provides by name; where it names none, those that stand for it."""
    files = files_of(unit)
    return tuple(path for path in files if path in unit.provides)[:_BUILT_ON] or _code(unit)
