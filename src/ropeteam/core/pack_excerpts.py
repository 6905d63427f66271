"""Which files one attempt is given excerpts of, and how much of each within the limit.

A request is saved where an agent need not open a file before its first edit. It opens what it changes in any case:
several agents refuse to edit what they have not read, and all need its exact text. So its own files are left out, but
for large ones, where an outline with lines leads to the place. What it reads without changing it is given:

1. what the contract declares, whole: small, and wanted by everybody;
2. what its task names to look at;
3. what the units it builds on have made: signatures;
4. one existing file beside each new one of its own: every prompt asks to look at one such piece;
5. signatures of what its own files import, where the map is of another commit or has no room for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from ropeteam.core import paths
from ropeteam.core.briefing import Briefing
from ropeteam.core.model import Value
from ropeteam.core.pack import Excerpt, Signature, best
from ropeteam.core.pack_paths import holds_secret
from ropeteam.core.pack_ranking import beside
from ropeteam.core.patterns import literal, owns, prefix

Wish = Literal["whole", "outline"]

MOST_READ: Final = 12  # files that the patterns of `reads` stand for
MOST_BUILT_ON: Final = 24
MOST_LIKE: Final = 3
MOST_IMPORTED: Final = 16
LONGEST_WHOLE: Final = 12_000  # characters; of a longer file its outline says more
LARGE_BYTES: Final = 12_000  # of an own file: it is not read in one piece
LEAST: Final = 160  # characters of an excerpt that is worth its heading
START_LINES: Final = 60


class Wanted(Value, frozen=True, kw_only=True):
    """A file that an attempt should be given, and why, as it will be told."""

    path: str
    why: str
    wish: Wish = "whole"


class Content(Value, frozen=True, kw_only=True):
    """What was read of it."""

    text: str = ""
    signatures: tuple[Signature, ...] = ()
    language: str = "text"


def own_files(writes: Sequence[str], every: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files there are that these patterns own, and those that they name and that are not there."""
    if "**" in writes:
        return [], []  # who owns everything is not led anywhere by it
    named = {pattern: literal(pattern) for pattern in writes}
    known = set(every)
    there = {path for path in named.values() if path in known}
    wide = [pattern for pattern, path in named.items() if path is None or path not in known]
    for pattern in wide:
        start = prefix(pattern)
        there.update(path for path in every if path.startswith(start) and owns((pattern,), path))
    new = [path for path in named.values() if path is not None and path not in there and "." in path.rpartition("/")[2]]
    return sorted(there), new


def wanted(
    told: Briefing,
    every: Sequence[str],
    sizes: Mapping[str, int],
    may_show: Callable[[str], bool],
    imported: Callable[[Sequence[str]], Iterable[str]],
) -> list[Wanted]:
    """In the order of what saves most. every, sizes: the files of the commit that its tree starts at, with their bytes.
    may_show: whether its contents may be given to an agent. imported: which files these files import."""
    unit = told.unit
    if unit is None:
        return []
    shown = [path for path in every if may_show(path)]
    known = set(shown)
    own, new = own_files(unit.writes, every)
    found: dict[str, Wanted] = {}

    def want(those: Iterable[str], why: str, wish: Wish, most: int) -> None:
        each = [path for path in those if path in known and path not in found][:most]
        found.update({path: Wanted(path=path, why=why, wish=wish) for path in each})

    want((note.path for note in told.contract), "the contract declares it", "whole", MOST_BUILT_ON)
    mine = set(own)
    want((path for path in _read(unit.reads, shown) if path not in mine), "your task names it", "whole", MOST_READ)
    for other in told.others:
        if other.unit in unit.needs and other.state == "validated":
            made = sorted(
                (path for path in other.changed if path not in mine), key=lambda path: (paths.is_test(path), path)
            )
            want((p for p in made if not paths.is_test(p)), f"made by the unit {other.unit}", "outline", MOST_BUILT_ON)
    for path, alike in _likes(new, shown, sizes):
        want((like for like in alike if like not in mine), f"beside your new file {path}", "whole", 1)
    code = [path for path in own if paths.is_code(path)]
    want((path for path in imported(code) if path not in mine), "your files import it", "outline", MOST_IMPORTED)
    want((path for path in code if sizes.get(path, 0) > LARGE_BYTES), "yours, and large", "outline", MOST_READ)
    return list(found.values())


def _read(patterns: Sequence[str], every: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    known = set(every)
    for pattern in patterns:
        if (path := literal(pattern)) in known:
            found[str(path)] = None
        else:
            start = prefix(pattern)
            found |= dict.fromkeys(path for path in every if path.startswith(start) and owns((pattern,), path))
    return list(found)


def _likes(new: Sequence[str], every: Sequence[str], sizes: Mapping[str, int]) -> list[tuple[str, list[str]]]:
    """Of each kind of new file one, with the files that are like it."""
    inside: dict[str, list[str]] = {}
    for path in every:
        inside.setdefault(path.rpartition("/")[0], []).append(path)
    found: dict[tuple[str, str, bool], tuple[str, list[str]]] = {}
    for path in new:
        folder, _, name = path.rpartition("/")
        kind = (folder, name.partition(".")[2], paths.is_test(path))
        alike = beside(path, inside, sizes)
        if alike and kind not in found:
            found[kind] = (path, alike)
    return list(found.values())[:MOST_LIKE]


# ---- how much of each


def chosen(
    those: Sequence[Wanted], contents: Mapping[str, Content], room: int, cost: Callable[[Excerpt], int]
) -> list[Excerpt]:
    """As much as there is room for, in their order. cost: characters that an excerpt takes as it is written down."""
    found = []
    for want in those:
        content = contents.get(want.path, Content())
        if not content.text.strip() or holds_secret(content.text):
            continue
        for excerpt in _ways(want, content, room - cost(_as(want, content, "", "outline"))):
            if (taken := cost(excerpt)) <= room:
                found.append(excerpt)
                room -= taken
                break
    return found


def _ways(want: Wanted, content: Content, room: int) -> Iterable[Excerpt]:
    """What can be shown of a file, the best first; what is cut is cut to the room."""
    if want.wish == "whole" and len(content.text) <= LONGEST_WHOLE:
        yield _as(want, content, content.text, "whole")
    if content.signatures:
        for most in (len(content.signatures), 40, 20, 10):
            lines = [f"{one.line}: {'  ' * one.depth}{one.text}" for one in best(content.signatures, most)]
            yield _as(want, content, "\n".join(lines), "outline")
    elif want.wish == "whole" and room >= LEAST:
        lines = content.text.splitlines()[:START_LINES]
        while lines and sum(len(line) + 1 for line in lines) > room:
            lines.pop()
        if lines:
            yield _as(want, content, "\n".join(lines), "start")


def _as(want: Wanted, content: Content, text: str, part: Literal["whole", "outline", "start"]) -> Excerpt:
    language = content.language if part != "outline" else "text"
    return Excerpt(path=want.path, why=want.why, text=text, part=part, language=language)
