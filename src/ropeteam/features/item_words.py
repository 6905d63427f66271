"""What an entry of a list of files says beside the path: its purpose, the requirements it serves, what it is about."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from ropeteam.features import section_words
from ropeteam.features.blocks import plain
from ropeteam.features.path_words import Named

ARROW: Final = re.compile(r"\s*(?:→|->|=>|➜|to)\s*")
LONGEST_SHOWN: Final = 80
_SEPARATOR: Final = re.compile(
    r"\s[-–—]+\s|:\s|:$|\s(?:→|->|=>|\|)\s|\t|\s\((?!(?:new|create|modif|updat|delet|remov|edit|exist))"
)
_IDS: Final = re.compile(
    r"\b([A-Z][A-Z0-9]{0,9}(?:-[A-Z0-9]{1,10})?-)(\d{1,5})\b(?:\s*(?:to|through|until|\.\.\.?|–|—|-)\s*(?:\1)?(\d{1,5})\b)?"
)
_STORY: Final = re.compile(r"\[(US\d{1,3})\]")


def requirements_in(text: str) -> tuple[str, ...]:
    """Ids of requirements that a text names, ranges (`REQ-001 to REQ-003`) filled in."""
    ids: list[str] = _STORY.findall(text)
    for start, first, last in _IDS.findall(text):
        numbers = range(int(first), int(last) + 1) if last and 0 <= int(last) - int(first) < 100 else [int(first)]
        ids += [f"{start}{number:0{len(first)}d}" for number in numbers]
    return tuple(dict.fromkeys(ids))


def before_separator(text: str, names: list[Named]) -> list[Named]:
    """Of the paths of an item those that it is about: all before the dash or colon behind the first path."""
    if not names:
        return []
    cut = _SEPARATOR.search(text, names[0].end)
    while cut and _renames(text, names, cut.start()):
        cut = _SEPARATOR.search(text, cut.end())
    return [name for name in names if cut is None or name.start < cut.start()]


def _renames(text: str, names: list[Named], at: int) -> bool:
    """Whether what separates at `at` is the arrow between an old name and a new one."""
    pairs = pairwise(names)
    return any(a.end <= at < b.start and ARROW.fullmatch(text[a.end : b.start]) for a, b in pairs)


def shown(text: str) -> str:
    words = plain(text)
    return words if len(words) <= LONGEST_SHOWN else words[: LONGEST_SHOWN - 1].rstrip() + "…"


def purpose_of(text: str, names: list[Named]) -> str:
    """What stands behind the paths, else what stands before them."""
    behind = section_words.without_mark(text[names[-1].end :])
    behind = re.sub(r"^(?:[\s\-–—:,;|)*→]|->)+", "", behind).strip()
    before = re.sub(
        r"^\W*\d+[.)]\s*|\b(?:new|create|modify|update|add|delete)\b\W*$", "", text[: names[0].start], flags=re.I
    )
    words = plain(behind or before.strip(" \t-–—:*([]"))
    return words[1:-1].strip() if re.fullmatch(r"\([^()]*\)", words) else words
