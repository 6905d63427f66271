"""What a unit of the static plan is called, and what its agent is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ropeteam.core.layers import LAYERS
from ropeteam.core.likelihoods import words_of
from ropeteam.core.survey import PlannedFile, Survey

RANKS: Final[Mapping[str, int]] = {
    "config": LAYERS.index("config"),
    "model": LAYERS.index("models"),
    "service": LAYERS.index("services"),
    "view": LAYERS.index("views"),
    "test": LAYERS.index("tests"),
    "docs": LAYERS.index("wiring"),
    "locale": LAYERS.index("wiring"),
}
"""Place of a file's category among the layers. What is not known is a service, in the middle."""
_DOING: Final[Mapping[str, str]] = {"A": "create", "M": "change", "D": "delete"}
MOST_STEPS: Final = 20


def rank_of(file: PlannedFile) -> int:
    return RANKS.get(file.category, LAYERS.index("services"))


def layer_of(files: Sequence[PlannedFile], seconds: Sequence[float]) -> str:
    """The layer with most of the work; tests count only where there is nothing else."""
    held: Counter[int] = Counter()
    for file, work in zip(files, seconds, strict=True):
        held[rank_of(file)] += max(1, round(work))
    rest = {rank: work for rank, work in held.items() if LAYERS[rank] != "tests"} or held
    return LAYERS[max(rest, key=lambda rank: (rest[rank], -rank))]


def subject(files: Sequence[PlannedFile], seconds: Sequence[float], common: frozenset[str]) -> str:
    """Up to two words that most of the work is about, as they are in the files' names. common: words of nearly all of
    the feature's files, which tell no unit from another."""
    weight: Counter[str] = Counter()
    for file, work in zip(files, seconds, strict=True):
        words = words_of(file.path)
        for word in words:
            weight[word] += max(1, round(work / len(words)))
    telling = {w: n for w, n in weight.items() if w not in common and w.isascii()} or {
        w: n for w, n in weight.items() if w.isascii()
    }
    best = sorted(telling, key=lambda w: (-telling[w], w))[:2]
    if len(best) == 2 and telling[best[1]] * 2 < telling[best[0]]:
        best = best[:1]
    return "-".join(best)


def common_words(files: Sequence[PlannedFile]) -> frozenset[str]:
    counted = Counter(word for file in files for word in words_of(file.path))
    return frozenset(w for w, n in counted.items() if n * 10 >= len(files) * 6)


def ids(names: Sequence[str], first: int) -> list[str]:
    """`02-models`, `03-cart-views`, …: as ids have to be, no two the same."""
    width = 2 if first + len(names) < 100 else 3
    return [f"{first + n:0{width}d}-{name[:50] or 'work'}".rstrip("-") for n, name in enumerate(names)]


def goal(
    files: Sequence[PlannedFile],
    survey: Survey,
    *,
    declared: Iterable[str],
    later: Sequence[str],
    texts: Mapping[str, str],
    title: str,
) -> str:
    """The task of a unit's agent. declared: paths that the contract has declared already. later: what of other units
    its files may build on, a sentence each. texts: of requirements, by id. title: of the feature."""
    said = [f"Do this part of the feature{f' {title!r}' if title else ''}, in these files and in no others:"]
    known = frozenset(declared)
    said.extend(_file(file, file.path in known) for file in files)
    said.extend(_steps(files, survey))
    wanted = dict.fromkeys(id for file in files for id in file.requirements)
    if wanted:
        said.append("What it serves:")
        said.extend(f"- {id}: {texts[id]}" if texts.get(id) else f"- {id}" for id in wanted)
    if later:
        said.append("Others work on these at the same time; keep to the names that the documents give:")
        said.extend(f"- {one}" for one in later)
    return "\n".join(said)


def _file(file: PlannedFile, declared: bool) -> str:
    doing = _DOING[file.status] if not declared else "fill in what the contract declares in"
    purpose = f": {file.purpose}" if file.purpose else ""
    size = f" (about {file.lines} lines)" if file.lines and file.status != "D" else ""
    return f"- {doing} `{file.path}`{purpose}{size}"


def _steps(files: Sequence[PlannedFile], survey: Survey) -> list[str]:
    paths = {file.path for file in files}
    tasks = {file.task for file in files if file.task}
    mine = [s for s in survey.steps if s.text and (s.id in tasks or not paths.isdisjoint(s.files))]
    if not mine:
        return []
    lines = [f"- {s.id}: {s.text}" for s in mine[:MOST_STEPS]]
    if len(mine) > MOST_STEPS:
        lines.append(f"- and {len(mine) - MOST_STEPS} more, as the documents have them")
    return ["The steps of the documents that are about these files:", *lines]


def contract_goal(files: Sequence[PlannedFile], asked_by: Mapping[str, Sequence[str]], title: str) -> str:
    """asked_by: of each declared path the titles of the units that build on it."""
    said = [
        f"Declare what the other units of the feature{f' {title!r}' if title else ''} build on, so that they can all"
        " begin when you are done: names, signatures, types, fields, routes and keys, with bodies only as long as it takes"
        " for the project to build and its tests to pass. Do not implement them: each file has an owner who will."
    ]
    for file in files:
        purpose = f": {file.purpose}" if file.purpose else ""
        by = ", ".join(asked_by.get(file.path, ()))
        said.append(f"- `{file.path}`{purpose}{f' (built on by: {by})' if by else ''}")
    return "\n".join(said)
