"""Which unit owns which file, for plans whose patterns are mostly plain paths; and which file a test is of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from ropeteam.core import paths, patterns
from ropeteam.core.model import Unit

_SPECIAL: Final = re.compile(r"[*?\[\\]")
_TEST_WORDS: Final = re.compile(
    r"^(?:test|spec)[_.-]+|[_.-]+(?:tests?|specs?|cy|e2e)$|(?<=[a-z0-9])(?:Tests?|Specs?|IT)$"
)


class Owners:
    """Made of units as they are at one moment; `add` follows what is given to one of them later."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._plain: dict[str, list[str]] = {}
        self._wild: list[tuple[str, str]] = []
        self._beside: dict[str, Counter[str]] = {}
        self._about: dict[str, set[str]] = {}
        for unit in units:
            for pattern in unit.writes:
                self.add(unit.id, pattern)

    def add(self, id: str, pattern: str) -> None:
        path = plain(pattern)
        if path is None:
            self._wild.append((pattern, id))
            return
        self._plain.setdefault(path, []).append(id)
        if pattern.endswith("/") or not is_file(path):
            return
        self._beside.setdefault(path.rpartition("/")[0], Counter())[id] += 1
        if paths.is_code(path) and not paths.is_test(path):
            self._about.setdefault(subject(path), set()).add(id)

    def of(self, path: str) -> tuple[str, ...]:
        """Ids of the units that own the file, in the order of the plan's patterns."""
        found = [id for folder in _above(path) for id in self._plain.get(folder, ())]
        found += [id for pattern, id in self._wild if patterns.owns((pattern,), path)]
        return tuple(dict.fromkeys(found))

    def only(self, path: str) -> str | None:
        """The owner, where there is exactly one."""
        found = self.of(path)
        return found[0] if len(found) == 1 else None

    def beside(self, path: str) -> Counter[str]:
        """How many files each unit names in the folder of that one."""
        return self._beside.get(path.rpartition("/")[0], Counter())

    def tested_by(self, path: str) -> str | None:
        """The one unit that writes the code that this test is of, by its name; None for what is no test."""
        found = self._about.get(subject(path), set()) if paths.is_test(path) and subject(path) else set()
        return next(iter(found)) if len(found) == 1 else None


def _above(path: str) -> Iterator[str]:
    """The path and the folders it is in."""
    while path:
        yield path
        path = path.rpartition("/")[0]


@lru_cache(maxsize=1 << 14)
def plain(pattern: str) -> str | None:
    """The one path that a pattern stands for, with what is below it; None when it stands for several. A name without a
    slash is taken to be at the root: nobody who lists the files of a plan means another."""
    escaped = re.sub(r"\\([*?\[\]\\!# ])", r"\1", pattern)
    if _SPECIAL.search(re.sub(r"\\[*?\[\]\\!# ]", "", pattern)):
        return None
    return escaped.strip("/") or None


def pattern_of(path: str) -> str:
    """The pattern that this one file matches, whatever characters are in its name."""
    escaped = re.sub(r"([*?\[\\])", r"\\\1", path)
    escaped = re.sub(r" $", r"\\ ", escaped)
    return escaped if "/" in path else f"/{escaped}"


def is_file(path: str) -> bool:
    """What has an ending is taken for a file, else it is a folder."""
    return "." in path.rpartition("/")[2]


def files_of(unit: Unit) -> tuple[str, ...]:
    """The files that a unit names by their path."""
    named = (plain(pattern) for pattern in unit.writes if not pattern.endswith("/"))
    return tuple(path for path in named if path is not None and is_file(path))


@lru_cache(maxsize=1 << 14)
def subject(path: str) -> str:
    """What a file is about, by its name alone: the same for a test and what it tests (`test_loan.py`, `Loan.php`)."""
    name = path.rpartition("/")[2]
    stem = name[: -len(paths.suffix(name)) - 1] if paths.suffix(name) else name
    if paths.is_test(path):
        while (shorter := _TEST_WORDS.sub("", stem)) != stem:
            stem = shorter
    return re.sub(r"[^a-z0-9]", "", stem.lower())
