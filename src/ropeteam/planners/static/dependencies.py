"""What of the planned files builds on what, from each kind of evidence, with how often such evidence was right.

The likelihood is that of a binding need: what one file adds uses what the other adds. It was counted on 1,280 real
features (`docs/design/0018`). That one file imports another says less than it seems: in 30 of 100 cases the new lines
of the one need new lines of the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import permutations
from typing import Final

from ropeteam.core import likelihoods, paths
from ropeteam.core.model import Step
from ropeteam.core.survey import Dependency, DependencyKind, PlannedFile
from ropeteam.planners.static import kinds, path_rules
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.history import History
from ropeteam.planners.static.imports import Imports

SAID: Final = 0.95  # the documents say it of this very file
REGISTERED: Final = 0.65  # times the share of files beside a new one that the other imports already; 262 cases
DECLARED: Final = 0.90  # the documents say so, and each step is one or two files
DECLARED_MANY: Final = 0.60  # the same, of steps with many files: not each needs each
PLACED: Final = 0.75  # times that, for each file that is in a step only because its words fit
SEQUENCE: Final = 0.15  # one step after another says little: half of what follows could go beside; not measured
MOST_SIBLINGS: Final = 12  # files that are read beside one new file
MOST_READ: Final = 400  # files beside new ones that are read in all
LEAST_COMMITS: Final = 3  # that changed both, for co-change to be listed
MANIFESTS: Final = ("package.json", "composer.json", "pyproject.toml", "go.mod", "pom.xml", "build.gradle", "Gemfile")
ANALOGY: Final = 0.75  # times the share of files beside the one that import their like beside the other; 18 cases
MANY: Final = 4  # pairs between two steps


def between(
    files: Sequence[PlannedFile], steps: Sequence[Step], base: Base, past: History, stated: Sequence[Dependency] = ()
) -> list[Dependency]:
    """Every dependency there is evidence for, those of one pair and kind once, in the order of the files. stated: what
    the documents say of single files."""
    found: dict[tuple[str, str, DependencyKind], Dependency] = {}
    sources = (
        iter(stated),
        _imports(files, base),
        _rules(files, base),
        _declared(files, steps),
        (one for one in _sequence(files, steps) if _same_package(one.path, one.on, base)),
        _together(files, past),
    )
    for source in sources:
        for one in source:
            key = (one.path, one.on, one.kind)
            if one.path != one.on and (key not in found or found[key].likelihood < one.likelihood):
                found[key] = one
    place = {file.path: n for n, file in enumerate(files)}
    return sorted(found.values(), key=lambda d: (place[d.path], place[d.on], d.kind))


# ---- what the base commit imports


def _imports(files: Sequence[PlannedFile], base: Base) -> Iterator[Dependency]:
    wanted = frozenset(file.path for file in files if file.status != "A")
    beside = {file.path: _siblings(file, base) for file in files if file.status == "A" and _is_code(file.path)}
    read = list(dict.fromkeys([*wanted, *(path for those in beside.values() for path in those)]))[
        : MOST_READ + len(wanted)
    ]
    base.load(read)
    near = frozenset(path for those in beside.values() for path in those) & frozenset(read)
    imports = Imports(base, wanted | near)
    for path in wanted:
        for on in imports.of(path) & wanted:
            yield Dependency(
                path=path, on=on, kind="import", likelihood=likelihoods.IMPORT, evidence=f"{path} imports {on} already."
            )
    beside = {path: [one for one in those if one in near] for path, those in beside.items()}
    for path, those in beside.items():
        yield from _as_siblings_do(path, those, imports, wanted)
    yield from _as_their_likes_do(beside, imports)


def _is_code(path: str) -> bool:
    return paths.is_code(path) or path.endswith(".blade.php")


def _siblings(file: PlannedFile, base: Base) -> list[str]:
    """Files beside a new one that are of its kind: same ending, in its folder, else of its name in folders beside."""
    folder, _, name = file.path.rpartition("/")
    ending = name.partition(".")[2]
    alike = [
        path
        for path in base.inside.get(folder, [])
        if path.endswith("." + ending) and paths.is_test(path) == paths.is_test(file.path) and not kinds.is_hub(path)
    ]
    if not alike and folder:
        above = folder.rpartition("/")[0]
        alike = [
            path for path in base.by_name.get(name.lower(), []) if path.rpartition("/")[0].rpartition("/")[0] == above
        ]
    return alike[:MOST_SIBLINGS]


def _as_siblings_do(path: str, beside: Sequence[str], imports: Imports, wanted: frozenset[str]) -> Iterator[Dependency]:
    """A new file will import what the files beside it import, and be imported by what imports them."""
    if not beside:
        return
    counted: dict[str, int] = defaultdict(int)
    for sibling in beside:
        for on in imports.of(sibling) & wanted:
            counted[on] += 1
    total = max(len(beside), 2)  # one file beside it is half a habit
    for on, count in counted.items():
        share = count / total
        yield Dependency(
            path=path,
            on=on,
            kind="sibling",
            likelihood=round(likelihoods.of_siblings(share), 3),
            evidence=f"{count} of {len(beside)} files beside {path} import {on}.",
        )
    for other in wanted:
        known = len(imports.of(other) & frozenset(beside))
        if known * 2 >= total and (known > 1 or kinds.is_hub(other)) and not paths.is_test(other):
            yield Dependency(
                path=other,
                on=path,
                kind="path",
                likelihood=round(REGISTERED * known / total, 3),
                evidence=f"{other} imports {known} of {len(beside)} files beside {path}: it will import this one too.",
            )


def _as_their_likes_do(beside: Mapping[str, Sequence[str]], imports: Imports) -> Iterator[Dependency]:
    """Two new files about the same thing: as the files beside the one import their likes beside the other."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for path in beside:
        by_stem[kinds.stem(path)].append(path)
    for alike in by_stem.values():
        for path, on in permutations(alike[: path_rules.MOST_ALIKE], 2):
            own, other = beside[path], frozenset(beside[on])
            if paths.is_test(path) or paths.is_test(on) or not own or not other:
                continue
            doing = [one for one in own if any(kinds.stem(o) == kinds.stem(one) for o in imports.of(one) & other)]
            if doing:
                yield Dependency(
                    path=path,
                    on=on,
                    kind="path",
                    likelihood=round(ANALOGY * len(doing) / len(own), 3),
                    evidence=f"{len(doing)} of {len(own)} files beside {path} import their like beside {on}.",
                )


# ---- what paths, documents and history say


def _rules(files: Sequence[PlannedFile], base: Base) -> Iterator[Dependency]:
    by_stem: dict[str, list[PlannedFile]] = defaultdict(list)
    for file in files:
        by_stem[kinds.stem(file.path)].append(file)
    for stem, those in by_stem.items():
        if not stem or len(those) > path_rules.MOST_ALIKE:
            continue
        for one in those:
            near = [on for on in those if on is not one and _same_package(one.path, on.path, base)]
            for on in _named_exactly(one, near):
                if likelihood := path_rules.likelihood(one, on):
                    kind: DependencyKind = "test" if one.category == "test" else "path"
                    said = path_rules.sentence(one, on)
                    yield Dependency(path=one.path, on=on.path, kind=kind, likelihood=likelihood, evidence=said)


def tested(files: Sequence[PlannedFile], base: Base) -> dict[str, str]:
    """Of each test the file that it most probably tests, of those that are planned."""
    found: dict[str, Dependency] = {}
    for one in _rules(files, base):
        if one.kind == "test" and (one.path not in found or found[one.path].likelihood < one.likelihood):
            found[one.path] = one
    return {path: one.on for path, one in found.items()}


def _named_exactly(one: PlannedFile, near: Sequence[PlannedFile]) -> Sequence[PlannedFile]:
    """Where files have just the name that a test's name begins with, those are what it tests."""
    if one.category != "test":
        return near
    name = path_rules.tested_name(one)
    exact = [
        on for on in near if on.path.rpartition("/")[2].partition(".")[0].lower() == name and on.category != "test"
    ]
    beside = [on for on in exact if on.path.rpartition("/")[0] == one.path.rpartition("/")[0]]
    return beside or exact or near


def _same_package(one: str, other: str, base: Base) -> bool:
    """Whether no manifest says that they belong to different packages (a client and its server)."""
    a, b = _package(one, base), _package(other, base)
    return a == b or not a or not b


def _package(path: str, base: Base) -> str:
    """The innermost folder above it with a manifest; empty for the repository itself."""
    known: dict[str, str] = base.remembered("package of", dict)
    folder = path.rpartition("/")[0]
    if folder not in known:
        known[folder] = next(
            (above for above in _above(folder) if any(f"{above}/{m}" in base.names for m in MANIFESTS)), ""
        )
    return known[folder]


def _above(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _declared(files: Sequence[PlannedFile], steps: Sequence[Step]) -> Iterator[Dependency]:
    """A step says which others it needs. Tests are left to what they test, and nothing waits for documents."""
    of_step = _files_of(files, steps)
    named = {file.path for file in files if file.task}
    for step in steps:
        for need in step.needs:
            pairs = _pairs(of_step.get(step.id, ()), of_step.get(need, ()), named)
            for path, on in pairs:
                likelihood = DECLARED if len(pairs) <= MANY else DECLARED_MANY
                likelihood *= PLACED ** ((path not in named) + (on not in named))
                said = f"{step.source}:{step.line}: step {step.id} needs step {need}."
                yield Dependency(path=path, on=on, kind="declared", likelihood=round(likelihood, 3), evidence=said)


def _sequence(files: Sequence[PlannedFile], steps: Sequence[Step]) -> Iterator[Dependency]:
    """Where steps do not say what they need: each may need the one before it. Tests are left to what they test."""
    if any(step.needs for step in steps if not step.phase):
        return
    of_step = {
        id: tuple(path for path in those if not paths.is_test(path)) for id, those in _files_of(files, steps).items()
    }
    named = {file.path for file in files if file.task}
    with_files = [step for step in steps if of_step.get(step.id)]
    for step in with_files:
        for before in _right_before(step, with_files):
            if before.id in step.needs:
                continue
            for path, on in _pairs(of_step[step.id], of_step[before.id], named):
                said = f"{step.source}:{step.line}: step {step.id} comes after step {before.id}."
                yield Dependency(path=path, on=on, kind="sequence", likelihood=SEQUENCE, evidence=said)


def _pairs(those: Sequence[str], before: Sequence[str], named: Set[str]) -> list[tuple[str, str]]:
    """Which files of a step may build on which of an earlier one. Settings, texts and documents build on nothing, and
    nothing on files in which the others are registered, unless the step names them."""
    own = [path for path in those if not paths.is_test(path)] or list(those)
    own = [path for path in own if path in named or kinds.category(path) not in ("config", "locale", "docs")]
    earlier = [path for path in before if not paths.is_test(path) and not _waits_for_others(path)]
    return [(path, on) for path in own for on in earlier if path != on]


def _waits_for_others(path: str) -> bool:
    """Documents, examples of settings, and files in which the others are registered."""
    category = kinds.category(path)
    example = path.rpartition("/")[2].startswith(".env")
    return category == "docs" or example or (kinds.is_hub(path) and category not in ("config", "model", "locale"))


def _right_before(step: Step, steps: Sequence[Step]) -> list[Step]:
    """The steps with the next lower number: of its own phase or story, else, for the first of a phase, of any other.
    What may run beside the rest of its phase waits for what is before the phase."""
    earlier = [other for other in steps if other.number < step.number]
    own = [other for other in earlier if other.phase == step.phase]
    if own and step.parallel and step.phase:
        begins = min(other.number for other in own)
        earlier, own = [other for other in earlier if other.number < begins], []
    those = own or earlier
    number = max((other.number for other in those), default=0)
    return [other for other in those if other.number == number]


def _files_of(files: Sequence[PlannedFile], steps: Sequence[Step]) -> Mapping[str, tuple[str, ...]]:
    known = {file.path for file in files}
    return {step.id: tuple(path for path in step.files if path in known) for step in steps}


def _together(files: Sequence[PlannedFile], past: History) -> Iterable[Dependency]:
    there = [file.path for file in files if file.status != "A"]
    for path in there:
        for on in there:
            count, share = past.share(path, on)
            if path != on and count >= LEAST_COMMITS:
                said = f"{count} of {past.touched[path]} earlier commits to {path} changed {on} too."
                yield Dependency(
                    path=path,
                    on=on,
                    kind="cochange",
                    likelihood=round(likelihoods.of_cochange(share), 3),
                    evidence=said,
                )
