"""The survey: named files found in the base commit, what each is, and what of them builds on what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from ropeteam.core.model import Feature, NamedFile, Step
from ropeteam.core.survey import Dependency, PlannedFile, Survey
from ropeteam.git.repository import HasGit
from ropeteam.planners.static import dependencies, kinds, placing
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.finding import Finder, Found
from ropeteam.planners.static.history import History, history


def survey(feature: Feature, place: HasGit, commit: str) -> Survey:
    """What is known of the feature's work. place: a repository that has `commit`, the base commit.

    Reads the list of paths, the named files, the files beside them and what these import, and the newest 500 commits;
    nothing of the checkout, and nothing is changed. Errors: those of git.
    """
    base = Base(place, commit)
    choice = _Choice(feature, base)
    files = choice.planned()
    past = history(place, commit, frozenset(file.path for file in files))
    base.load(file.path for file in files)
    files = [_measured(file, base, past) for file in files]
    files, steps = _placed(files, feature, choice.written, base)
    files, uncovered = _serving(files, feature)
    declared, stated = _stated(feature, choice.written, {file.path for file in files})
    return Survey(
        files=tuple(files),
        dependencies=tuple(dependencies.between(files, steps, base, past, stated)),
        steps=steps,
        declared=declared,
        named=choice.named,
        unresolved=tuple(dict.fromkeys((*feature.unresolved, *choice.unresolved))),
        uncovered=uncovered,
        notices=tuple(dict.fromkeys(choice.notices)),
    )


def _stated(
    feature: Feature, written: Mapping[str, list[str]], known: set[str]
) -> tuple[tuple[str, ...], list[Dependency]]:
    """The files of which the documents say what they build on, and what that is."""
    declared: dict[str, None] = {}
    found: list[Dependency] = []
    for file in feature.files:
        for path in (p for p in written.get(file.path, []) if p in known and file.needs is not None):
            declared[path] = None
            for on in (p for need in file.needs or () for p in written.get(need, []) if p in known and p != path):
                said = f"{file.source}:{file.line} says that it builds on {on}."
                found.append(Dependency(path=path, on=on, kind="declared", likelihood=dependencies.SAID, evidence=said))
    return tuple(declared), found


class _Choice:
    """Which files are planned, and what was found out on the way. written: path as written -> paths found for it."""

    def __init__(self, feature: Feature, base: Base) -> None:
        self.feature = feature
        self.base = base
        self.finder = Finder(base)
        self.finder.learn(feature.files)
        self.written: dict[str, list[str]] = {}
        self.unresolved: list[str] = []
        self.notices: list[str] = []
        self.named = False

    def planned(self) -> list[PlannedFile]:
        """Those that the documents name to be worked on; where they name none, those that they mention."""
        files = self._of([file for file in self.feature.files if not file.mentioned])
        drawn = self._of([file for file in self.feature.files if file.mentioned and file.status == "A"])
        files = _once([*files, *(file for file in drawn if file.status == "A")])
        self.named = bool(files)
        if not files:
            mentioned = self._of([file for file in self.feature.files if file.mentioned], quiet=True)
            files = _once([file for file in mentioned if file.status != "A"])
            self.notices.append(_nothing_named(len(files)))
        return _without_covering_folders(files)

    def _of(self, named: Sequence[NamedFile], *, quiet: bool = False) -> list[PlannedFile]:
        planned = []
        for file in named:
            for found in self.finder.find(file):
                self.written.setdefault(file.path, []).append(found.path)
                if one := self._one(file, found, quiet=quiet):
                    planned.append(one)
        return planned

    def _one(self, file: NamedFile, found: Found, *, quiet: bool) -> PlannedFile | None:
        where = f"{file.source}:{file.line}: "
        if found.note and not quiet:
            (self.unresolved if found.doubt else self.notices).append(where + found.note)
        if found.doubt and (found.path.endswith("/") or "*" in found.path or file.mentioned):
            return None
        if file.status == "D" and not found.there:
            self.unresolved.append(f"{where}{found.path} is to be deleted, but the base commit has no such file.")
            return None
        if file.status == "M" and not found.there and not found.doubt:
            self.unresolved.append(
                f"{where}{found.path} is to be changed, but the base commit has no such file; taken as new."
            )
        if file.status == "A" and found.there and not file.mentioned and not found.note:
            self.notices.append(f"{where}{found.path} is to be created, but it is there already; taken as a change.")
        status = "D" if file.status == "D" else "M" if found.there else "A"
        path = found.path
        return PlannedFile(
            path=path,
            status=status,  # type: ignore[arg-type]
            purpose=file.purpose,
            language=kinds.language(path),
            category=kinds.category(path),
            task=file.task,
            requirements=file.requirements,
            hub=status == "M" and kinds.is_hub(path),
            pattern=found.pattern,
            source=f"{file.source}:{file.line}" if file.source else "",
        )


def _nothing_named(mentioned: int) -> str:
    more = "what they mention is taken as the places of the work" if mentioned else "where the work is cannot be told"
    return (
        f"The documents name no files to create or change: {more}."
        " An agent can plan it better, or 01-architecture.md can say it."
    )


def _once(files: Sequence[PlannedFile]) -> list[PlannedFile]:
    kept: dict[str, PlannedFile] = {}
    for file in files:
        earlier = kept.get(file.path)
        if earlier is None:
            kept[file.path] = file
            continue
        kept[file.path] = msgspec.structs.replace(
            earlier,
            purpose=earlier.purpose or file.purpose,
            task=earlier.task or file.task,
            requirements=tuple(dict.fromkeys((*earlier.requirements, *file.requirements))),
        )
    return list(kept.values())


def _without_covering_folders(files: list[PlannedFile]) -> list[PlannedFile]:
    """A folder is no work of its own where files in it are named; of two folders the inner one counts."""
    return [
        file
        for file in files
        if not (
            file.path.endswith("/") and any(other.path.startswith(file.path) and other is not file for other in files)
        )
    ]


def _measured(file: PlannedFile, base: Base, past: History) -> PlannedFile:
    return msgspec.structs.replace(
        file,
        lines=_stated_lines(file.purpose),
        size=base.lines(file.path) if file.status != "A" else 0,
        hot=past.hot(file.path),
        prior=past.touched[file.path],
    )


def _stated_lines(purpose: str) -> int | None:
    """`~120 lines`, `about 1,200 LOC`: what the documents themselves guess. What is usual for such files is for the
    estimate to say."""
    found = re.search(
        r"(\d{1,3}(?:,\d{3})+|\d{1,5})\s*(?:(?:-|–|to)\s*(\d{1,5})\s*)?(?:lines?\b|loc\b)", purpose, re.IGNORECASE
    )
    if found is None or re.search(r"\blines?\s*$", purpose[: found.start()], re.IGNORECASE):
        return None
    low = int(found[1].replace(",", ""))
    return (low + int(found[2])) // 2 if found[2] else low


def _placed(
    files: list[PlannedFile], feature: Feature, written: dict[str, list[str]], base: Base
) -> tuple[list[PlannedFile], tuple[Step, ...]]:
    """Each file's step: the one that names it, else the one whose words fit; and the steps with the paths found."""
    steps = feature.steps
    known = {file.path for file in files}
    by_step: dict[str, Step] = {}
    for step in steps:
        for path in (p for said in step.files for p in written.get(said, [])):
            by_step.setdefault(path, step)
    loose = [file for file in files if file.path not in by_step]
    tasks = any(step.phase for step in steps)
    guessed = {} if tasks else _with_tested(placing.by_words(loose, steps), by_step, dependencies.tested(files, base))
    placed = []
    for file in files:
        step_of = by_step.get(file.path) or guessed.get(file.path)
        new = (
            {}
            if step_of is None
            else {"step": step_of.number, "task": file.task or step_of.id * (file.path in by_step)}
        )
        placed.append(msgspec.structs.replace(file, **new) if new else file)
    grown = []
    for step in steps:
        named = [p for said in step.files for p in written.get(said, []) if p in known]
        fitting = [path for path, other in guessed.items() if other is step]
        grown.append(msgspec.structs.replace(step, files=tuple(dict.fromkeys((*named, *fitting)))))
    return placed, tuple(grown)


def _with_tested(guessed: dict[str, Step], named: dict[str, Step], tested: Mapping[str, str]) -> dict[str, Step]:
    """A test belongs to the step of what it tests, whatever its words."""
    known = {**guessed, **named}
    for test, on in tested.items():
        if on in known and test not in named:
            guessed[test] = known[on]
    return guessed


def _serving(files: list[PlannedFile], feature: Feature) -> tuple[list[PlannedFile], tuple[str, ...]]:
    """The requirements that each file serves: those beside which it is named, else those whose words it has."""
    ids = [item.id for item in feature.requirements]
    known = set(ids)
    explicit = {id for file in files for id in file.requirements if id in known}
    left = [item for item in feature.requirements if item.id not in explicit]
    guessed = placing.serving(files, left)
    grown = [
        msgspec.structs.replace(
            file,
            requirements=tuple(
                dict.fromkeys(
                    (
                        *(id for id in file.requirements if id in known),
                        *(id for id, those in guessed.items() if file.path in those),
                    )
                )
            ),
        )
        for file in files
    ]
    uncovered = tuple(id for id in dict.fromkeys(ids) if id not in explicit and id not in guessed) if explicit else ()
    return grown, uncovered
