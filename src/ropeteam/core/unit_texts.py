"""Units in words: their ids and titles, what their agents are told, which requirements they serve, why they are so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from ropeteam.core import paths
from ropeteam.core.layers import LAYERS
from ropeteam.core.likelihoods import words_of
from ropeteam.core.model import Feature, Plan, Requirement, Unit
from ropeteam.core.patterns import owns
from ropeteam.core.survey import PlannedFile, Survey, UnitNote

LONGEST_SLUG: Final = 40
MOST_READS: Final = 12
LIKELY: Final = 0.3
"""From so likely a dependency on, a unit is told to look at the file."""
_WORD: Final = re.compile(r"[a-z0-9]+")
_SMALL: Final = frozenset(
    """the and for with that this from are can has have not all any its into per one two their them they when
    what which who will must should may also only each every other than then there where while without within after
    before under over about between more most less least same such new user users app page file files test
    tests""".split()  # noqa: SIM905
)


# ---- names


def ids(
    groups: Sequence[Sequence[int]], survey: Survey, ranks: Sequence[int], *, contract: int | None
) -> tuple[str, ...]:
    """One for each group, in order: its layer where that is all it is, else what its largest file is about."""
    layers = [_only_layer(group, survey, ranks) for group in groups]
    counted = Counter(layers)
    taken: set[str] = set()
    found = []
    for n, group in enumerate(groups):
        if n == contract:
            slug = "contract"
        elif layers[n] and counted[layers[n]] == 1:
            slug = layers[n]
        else:
            slug = _about(group, survey)
        slug = _slug(slug) or "unit"
        name = f"{n + 1:02d}-{slug}"
        while name in taken:
            name += "x"
        taken.add(name)
        found.append(name)
    return tuple(found)


def _only_layer(group: Sequence[int], survey: Survey, ranks: Sequence[int]) -> str:
    """The layer of everything in it but tests; empty when there are several."""
    found = {ranks[f] for f in group if survey.files[f].category != "test"} or {ranks[f] for f in group}
    return LAYERS[found.pop()] if len(found) == 1 else ""


def _about(group: Sequence[int], survey: Survey) -> str:
    """The name of its largest file that is no test, without endings."""
    files = [survey.files[f] for f in group]
    code = [f for f in files if f.category != "test" and not f.hub] or [f for f in files if f.category != "test"]
    largest = max(code or files, key=lambda f: (f.lines or 0, f.status == "A"), default=None)
    return _stem(largest.path) if largest is not None else ""


def _stem(path: str) -> str:
    """`web/src/SavedSearchList.test.tsx` -> `saved-search-list`; of an index file the folder's name."""
    *folders, name = path.split("/")
    stem = name.lstrip(".").partition(".")[0]
    if stem.lower() in ("index", "__init__", "mod", "main", "page", "route", "+page", "migration") and folders:
        stem = folders[-1]
    stem = re.sub(r"^(?:\d{4}_\d{2}_\d{2}_\d+|\d{8,14}|\d{3,4})[_-]", "", stem)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", stem)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:LONGEST_SLUG].strip("-")


# ---- what its agent is told


def told(
    unit: Unit, group: Sequence[int], spoken_for: Sequence[int], survey: Survey, feature: Feature, ranks: Sequence[int]
) -> Unit:
    """With title, goal and what it should look at."""
    files = [survey.files[f] for f in group]
    title = _title(unit, files, ranks, group)
    goal = "\n\n".join(_goal(unit, files, [survey.files[f] for f in spoken_for], survey, feature))
    return replace(unit, title=title, goal=goal, reads=_reads(group, survey))


def _title(unit: Unit, files: Sequence[PlannedFile], ranks: Sequence[int], group: Sequence[int]) -> str:
    if unit.kind == "contract":
        return "What the others build on"
    code = [f for f in files if f.category != "test"] or list(files)
    largest = sorted(code, key=lambda f: -(f.lines or 0))
    names = list(dict.fromkeys(_plain(f.path) for f in largest))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    layers = [LAYERS[r] for r in sorted({ranks[f] for f in group}) if LAYERS[r] != "tests" or len(files) == len(group)]
    layers = [name for name in dict.fromkeys(layers) if name != "tests"] or ["tests"]
    return f"{_listed(layers).capitalize()}: {', '.join(names[:3])}{more}"


def _plain(path: str) -> str:
    return path.rpartition("/")[2] or path


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _goal(
    unit: Unit, files: Sequence[PlannedFile], spoken_for: Sequence[PlannedFile], survey: Survey, feature: Feature
) -> Iterator[str]:
    about = feature.title or feature.name
    if unit.kind == "contract":
        yield (
            f"Declare what the other units of “{about}” build on, and no more than that: names, signatures, types and "
            "schemas, with bodies that only stand in for what is to come, so that everything imports and the present "
            "tests pass."
        )
        if spoken_for:
            yield "Declare the interfaces of these files, which others fill in after you:\n" + _files(spoken_for)
        if files:
            yield (
                "These are yours alone, since several units want a line in them; put all of it in now (register, "
                "name, configure), as far as it can be without what is to come:\n" + _files(files)
            )
        return
    yield f"Your part of “{about}”:"
    for status, words in (("A", "Create"), ("M", "Change"), ("D", "Delete")):
        some = [f for f in files if f.status == status]
        if some:
            yield f"{words}:\n{_files(some)}"
    tasks = dict.fromkeys(f.task for f in files if f.task)
    steps = [s for s in survey.steps if s.id in tasks and s.text]
    if steps:
        yield "The documents say of it:\n" + "\n".join(f"- {s.text.strip()}" for s in steps[:12])


def _files(files: Iterable[PlannedFile]) -> str:
    return "\n".join(f"- `{f.path}`" + (f": {f.purpose.strip()}" if f.purpose.strip() else "") for f in files)


def _reads(group: Sequence[int], survey: Survey) -> tuple[str, ...]:
    """What its files probably build on, and others own."""
    own = {survey.files[f].path for f in group}
    wanted: dict[str, float] = {}
    for d in survey.dependencies:
        if d.path in own and d.on not in own and d.likelihood >= LIKELY:
            wanted[d.on] = max(wanted.get(d.on, 0.0), d.likelihood)
    return tuple(sorted(wanted, key=lambda p: (-wanted[p], p))[:MOST_READS])


# ---- requirements


def serving(plan: Plan, survey: Survey, feature: Feature) -> Plan:
    """With the requirements that each unit serves: those that name its files or their steps; else those that share the
    most words with it. One that shares none with any is nobody's, unless no requirement names a file: then the largest
    unit has it."""
    serves: dict[str, list[str]] = {unit.id: [] for unit in plan.units}
    of_file = {f.path: [u.id for u in plan.units if owns(u.writes, f.path)] for f in survey.files}
    words = {unit.id: _words_of_unit(unit, survey) for unit in plan.units}
    largest = max(plan.units, key=lambda u: (u.kind != "contract", len(u.goal))).id
    for requirement in {r.id: r for r in feature.requirements}.values():
        named = [ids_[-1] for f in survey.files if requirement.id in f.requirements and (ids_ := of_file[f.path])]
        if not named:
            near = _nearest(requirement, plan, words)
            named = [near] if near else [] if requirement.id in survey.uncovered else [largest]
        for id in dict.fromkeys(named):
            serves[id].append(requirement.id)
    units = []
    texts = {r.id: r.text for r in feature.requirements}
    for unit in plan.units:
        mine = tuple(dict.fromkeys(serves[unit.id]))
        said = "\n".join(f"- {id}: {texts[id]}" for id in mine if texts.get(id))
        goal = f"{unit.goal}\n\nIt serves:\n{said}" if said else unit.goal
        units.append(replace(unit, requirements=mine, goal=goal))
    return replace(plan, units=tuple(units))


def _words_of_unit(unit: Unit, survey: Survey) -> Counter[str]:
    found: Counter[str] = Counter()
    for file in survey.files:
        if owns(unit.writes, file.path):
            found.update(words_of(file.path))
            found.update(_words(file.purpose))
    return found


def _nearest(requirement: Requirement, plan: Plan, words: dict[str, Counter[str]]) -> str:
    """The unit whose files and their purposes share the most words with it; rarer words count more."""
    wanted = _words(requirement.text)
    spread = Counter(w for unit in plan.units for w in set(words[unit.id]))
    scores = {u.id: sum(1.0 / spread[w] for w in wanted if words[u.id][w]) + _kind(requirement, u) for u in plan.units}
    best = max(scores, key=lambda id: scores[id])
    return best if scores[best] > 0 else ""


def _kind(requirement: Requirement, unit: Unit) -> float:
    """A little for a unit of the layer that the requirement's category speaks of."""
    layer = {"ui": "views", "api": "services", "core": "models", "integration": "services"}.get(requirement.category)
    return 0.25 if layer is not None and layer == unit.layer and unit.kind != "contract" else 0.0


def _words(text: str) -> set[str]:
    found = set()
    for word in _WORD.findall(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower()):
        if len(word) > 2 and word not in _SMALL:
            found.add(word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word)
    return found


# ---- why


def notes(plan: Plan, survey: Survey) -> tuple[UnitNote, ...]:
    """Of each unit why it is one."""
    return tuple(UnitNote(unit=unit.id, reasons=tuple(_reasons(unit, plan, survey))) for unit in plan.units)


def _reasons(unit: Unit, plan: Plan, survey: Survey) -> Iterator[str]:
    files = [f for f in survey.files if owns(unit.writes, f.path)]
    lines = sum(f.lines or 0 for f in files)
    if unit.kind == "contract":
        others = [u for u in plan.units if u.id != unit.id]
        shared = [f.path for f in files if any(owns(u.writes, f.path) for u in others)]
        alone = [f.path for f in files if f.path not in shared]
        if shared:
            yield f"Others probably build on {len(shared)} of its files, so their interfaces are declared first."
        if alone:
            yield f"Several units want a line in {_listed(alone[:4])}: one owner, before they begin."
        return
    sizes = f", about {lines} lines" if lines else ""
    yield f"{len(files)} file{'s' * (len(files) != 1)}{sizes}: " + (
        "about as much as the other units have" if len(plan.units) > 2 else "its share of the work"
    )
    tests = [f.path for f in files if paths.is_test(f.path)]
    if tests and len(tests) < len(files):
        yield f"{len(tests)} test file{'s' * (len(tests) != 1)} beside what they test."
    inside = {f.path for f in files}
    held = [d for d in survey.dependencies if d.path in inside and d.on in inside and d.likelihood >= LIKELY]
    if held:
        d = max(held, key=lambda d: d.likelihood)
        many = len({(h.path, h.on) for h in held})
        verb = "dependencies stay" if many != 1 else "dependency stays"
        yield f"{many} probable {verb} inside it, such as {_plain(d.path)} on {_plain(d.on)}."
    named = [f for f in files if f.source]
    if named:
        yield f"Named in {named[0].source}" + (f" and {len(named) - 1} more places." if len(named) > 1 else ".")
