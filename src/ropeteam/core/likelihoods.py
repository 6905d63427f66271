"""How likely one planned file builds on what the feature adds to another, from what is known before the work.

A logistic model over what paths, status, category, size and evidence say of a pair of files, fitted on 1,280 features
of 14 public repositories (`bench/fit_likelihoods.py`; how well it does on repositories it was not fitted on:
`docs/design/0016-grouping.md`). Evidence is what a `Survey` lists as dependencies; a pair without any has a likelihood
too, which is small but not nothing: most of what binds new files to each other can be seen nowhere.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from ropeteam.core import paths
from ropeteam.core.likelihood_weights import BIAS, WEIGHTS
from ropeteam.core.survey import Dependency, PlannedFile

LEAST: Final = 0.01
"""Pairs less likely than this are not looked at one by one; `Pairs.rest` says how many edges they hide."""

UNSAID: Final = 0.2
"""What is left of a likelihood where the documents say what a file builds on, and not this. Not measured: published is
that half of all conflicts occur in spite of declared file sets, and a list of dependencies says more than these."""

ALL_PAIRS: Final = 400
"""Up to so many files every pair is looked at; above, only those with evidence or a name or a folder in common."""


class Traits(NamedTuple):
    """What of a file its likelihoods are made of. words: of its name, without those that only say its kind."""

    path: str
    folder: str
    parts: tuple[str, ...]
    words: frozenset[str]
    new: bool
    category: str
    family: str
    size: float
    hub: bool


class Evidence(NamedTuple):
    """What is known of a pair besides the two files. Each from 0 (nothing) to 1."""

    imports: float = 0.0
    imported: float = 0.0
    sibling: float = 0.0
    cochange: float = 0.0


_KINDS: Final = frozenset(
    """test tests spec specs index init main mod controller controllers service services model models view views
    component components repository request requests resource resources factory handler handlers helper helpers util
    utils type types interface interfaces impl dto form forms page pages hook hooks store api route routes router
    serializer serializers schema schemas admin url urls migration create table add to the of for and base
    use""".split()  # noqa: SIM905
)
_FAMILIES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("ts", "tsx", "js", "jsx", "mjs", "vue", "svelte", "javascript", "typescript"), "web"),
    **dict.fromkeys(("python", "py"), "python"),
    **dict.fromkeys(("php",), "php"),
    **dict.fromkeys(("go",), "go"),
    **dict.fromkeys(("java", "kt", "kotlin", "scala"), "java"),
    **dict.fromkeys(("ruby", "rb"), "ruby"),
    **dict.fromkeys(("template", "html", "twig", "erb", "blade", "jinja2"), "template"),
    **dict.fromkeys(("css", "scss", "less", "sass"), "style"),
}
_HUB_NAME: Final = re.compile(
    r"""^( __init__\.py | index\.[cm]?[jt]sx? | mod\.rs | lib\.rs | main\.(go|py|ts|js) | urls\.py | (web|api)\.php
    | .*routes?\.[a-z]+ | .*router?\.[a-z]+ | settings?\.[a-z]+ | app\.(py|php|ts|js|vue) | config\.[a-z]+
    | changelog.* | package\.json | composer\.json | pyproject\.toml | go\.mod | gemfile | cargo\.toml )$""",
    re.VERBOSE | re.IGNORECASE,
)
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def is_hub(path: str) -> bool:
    """Whether the path is that of a file in which many parts of a feature want a line: routes, an index, settings."""
    *folders, name = path.split("/")
    return bool(_HUB_NAME.match(name)) or any(f.lower() in ("routes", "locales", "lang", "i18n") for f in folders)


@lru_cache(maxsize=1 << 14)
def words_of(path: str) -> frozenset[str]:
    """What a file is about, by its name: without the words that only say of what kind it is. For an index file and its
    like the folder's name says it."""
    *folders, name = path.split("/")
    for text in (name.partition(".")[0], *reversed(folders[-2:])):
        found = frozenset(_singular(w.lower()) for w in _WORD.findall(text)) - _KINDS
        if found:
            return found
    return frozenset()


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def traits(file: PlannedFile, lines: float) -> Traits:
    """lines: that are expected to be added."""
    folder = file.path.rpartition("/")[0]
    language = file.language or paths.suffix(file.path)
    return Traits(
        path=file.path,
        folder=folder,
        parts=tuple(folder.split("/")) if folder else (),
        words=words_of(file.path),
        new=file.status == "A",
        category=file.category or ("test" if paths.is_test(file.path) else "service"),
        family=_FAMILIES.get(language, "other"),
        size=math.log1p(max(lines, 0.0)),
        hub=file.hub or is_hub(file.path),
    )


_CODE: Final = frozenset(("web", "python", "php", "go", "java", "ruby"))


def features(i: Traits, j: Traits, e: Evidence, files: int) -> Iterator[tuple[str, float]]:
    """Named numbers of "i builds on j", for the weights. files: of the whole feature."""
    case = ("A" if i.new else "M") + ("A" if j.new else "M")
    yield case, 1.0
    yield f"files:{'A' if j.new else 'M'}", math.log(files) - 2.5
    yield f"size_of:{case[1]}", j.size - 3.5
    yield f"size_by:{case[1]}", i.size - 3.5
    if e.imports:
        yield "import", 1.0
        yield "import size", j.size - 3.5
        yield "import size_by", i.size - 3.5
        yield f"import {j.category}", 1.0
    if e.imported:
        yield f"imported:{case}", 1.0
    if e.sibling:
        yield f"sibling:{case[1]}", 1.0
        yield f"sibling share:{case[1]}", e.sibling
    if e.cochange:
        yield f"cochange:{case[1]}", e.cochange
    yield f"{i.category}>{j.category}", 1.0
    same = i.family == j.family
    if same and i.family in _CODE:
        yield f"family {i.family}:{case[1]}", 1.0
        if i.folder == j.folder:
            yield f"folder {i.family}:{case[1]}", 1.0
    elif same:
        yield f"family same {i.family}", 1.0
    else:
        yield f"family other {'code' if i.family in _CODE else 'text'} {'code' if j.family in _CODE else 'text'}", 1.0
    if i.folder == j.folder:
        yield f"folder:{case}", 1.0
    else:
        shared = 0
        for a, b in zip(i.parts, j.parts, strict=False):
            if a != b:
                break
            shared += 1
        yield f"near:{case}", shared / max(len(i.parts), len(j.parts), 1)
    if i.words and j.words:
        both = len(i.words & j.words)
        if i.words == j.words:
            yield f"words same:{case}", 1.0
            if i.category == "test":
                yield f"test of it:{case}", 1.0
        elif both:
            yield f"words:{case}", both / len(i.words | j.words)
            if j.words < i.words:
                yield f"words in:{case}", 1.0
            elif i.words < j.words:
                yield f"words around:{case}", 1.0
    if j.hub:
        yield f"hub on:{case[1]}", 1.0
    if i.hub:
        yield f"hub by:{case[1]}", 1.0


IMPORT: Final = 0.30
"""Of files that import another before the work, so many build on what the feature adds to it."""
SIBLING_MOST: Final = 0.40
COCHANGE_MOST: Final = 0.10


def of_siblings(share: float) -> float:
    """Likelihood to state for a `sibling` dependency. share: of the files beside it, how many import that file."""
    return SIBLING_MOST * min(max(share, 0.0), 1.0)


def of_cochange(share: float) -> float:
    """Likelihood to state for a `cochange` dependency. share: of the earlier commits, how many changed both."""
    return COCHANGE_MOST * min(max(share, 0.0), 1.0)


class Pairs(NamedTuple):
    """edges: (i, j, likelihood that file i builds on file j), by index, those of `LEAST` and more, in order of i and j.
    rest: how many more there are to be expected among all the pairs that are less likely."""

    edges: tuple[tuple[int, int, float], ...]
    rest: float


def pairs(
    files: Sequence[PlannedFile],
    lines: Sequence[float],
    dependencies: Iterable[Dependency],
    declared: Collection[str] = (),
) -> Pairs:
    """Every pair of the feature's files that may depend on each other. lines: expected of each file. declared: paths of
    which what they build on is stated: anything else is less likely then, and what rules of paths, names of tests and
    sequences would guess of them is passed over.

    What the documents declare is believed as it is stated; imports, siblings and co-changes are evidence in the model.
    A dependency on a path that is no file of the feature is passed over.
    """
    index = {file.path: n for n, file in enumerate(files)}
    known = list(dependencies)
    evidence, stated = _evidence(known, index)
    in_full = _evidence([d for d in known if d.kind == "declared"], index)[1]
    of = [traits(file, guess) for file, guess in zip(files, lines, strict=True)]
    edges: list[tuple[int, int, float]] = []
    rest, looked_at = 0.0, 0
    said = [file.path in declared for file in files]
    for i, j in _looked_at(of, {*evidence, *stated}):
        likely = likelihood(of[i], of[j], evidence.get((i, j), Evidence()), len(of))
        likely = max(likely * UNSAID, in_full.get((i, j), 0.0)) if said[i] else max(likely, stated.get((i, j), 0.0))
        looked_at += 1
        if likely >= LEAST:
            edges.append((i, j, likely))
        else:
            rest += likely
    left = len(of) * (len(of) - 1) - looked_at
    return Pairs(tuple(edges), rest + left * 0.0005)


def likelihood(i: Traits, j: Traits, evidence: Evidence, files: int) -> float:
    """That file i builds on what the feature adds to file j, 0 to 1. files: of the whole feature."""
    score = BIAS + sum(WEIGHTS.get(name, 0.0) * value for name, value in features(i, j, evidence, files))
    return 1.0 / (1.0 + math.exp(-max(min(score, 30.0), -30.0)))


def _evidence(
    dependencies: Iterable[Dependency], index: Mapping[str, int]
) -> tuple[dict[tuple[int, int], Evidence], dict[tuple[int, int], float]]:
    found: dict[tuple[int, int], Evidence] = {}
    stated: dict[tuple[int, int], float] = {}
    for d in dependencies:
        i, j = index.get(d.path), index.get(d.on)
        if i is None or j is None or i == j:
            continue
        if d.kind == "import":
            found[i, j] = found.get((i, j), Evidence())._replace(imports=1.0)
            found[j, i] = found.get((j, i), Evidence())._replace(imported=1.0)
        elif d.kind == "sibling":
            found[i, j] = found.get((i, j), Evidence())._replace(sibling=min(1.0, d.likelihood / SIBLING_MOST))
        elif d.kind == "cochange":
            share = min(1.0, d.likelihood / COCHANGE_MOST)
            for pair in ((i, j), (j, i)):
                found[pair] = found.get(pair, Evidence())._replace(cochange=share)
        else:
            stated[i, j] = max(stated.get((i, j), 0.0), d.likelihood)
    return found, stated


def _looked_at(of: Sequence[Traits], known: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    if len(of) <= ALL_PAIRS:
        yield from ((i, j) for i in range(len(of)) for j in range(len(of)) if i != j)
        return
    alike: dict[str, list[int]] = defaultdict(list)
    for n, one in enumerate(of):
        for word in sorted(one.words):
            alike[word].append(n)
    found = set(known)
    for group in alike.values():
        if len(group) <= 40:
            found.update((i, j) for i in group for j in group if i != j)
    yield from sorted(found)


def is_test_of(test: str, candidates: Sequence[str]) -> int | None:
    """Which of the files, of the same words, a test tests: the one in the nearest folder. None without any, and where
    its name says nothing."""
    if not candidates or not words_of(test):
        return None
    mine = [part for part in test.split("/")[:-1] if part not in ("tests", "test", "__tests__", "spec", "unit")]

    def distance(n: int) -> tuple[int, int]:
        theirs = candidates[n].split("/")[:-1]
        return -len(set(mine) & set(theirs)), n

    return min(range(len(candidates)), key=distance)
