"""The context pack: what an agent is given of the repository so that it need not look for it. Its values and its words.

The map (`core.pack_map`) is the same for all attempts of a run; excerpts (`core.pack_excerpts`) are of one attempt.
Which files are near to a feature is ranked in `core.pack_ranking`; `ropeteam.packing` reads what is shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from ropeteam.core.model import Kind, Value
from ropeteam.core.settings import Reading

CHARACTERS: Final = 4  # of one token, as `reading.pack_tokens` counts them
LONGEST_SIGNATURE: Final = 160
LONGEST_PATH: Final = 300
_FENCE: Final = re.compile(r"`{3,}")


class Signature(Value, frozen=True, kw_only=True):
    """A line of a file that says what can be used of it. line: 1-based. depth: 1 for a member of a class, and so on.
    minor: of less use than others of its depth, such as a constant."""

    line: int
    text: str
    depth: int = 0
    minor: bool = False


class Known(Value, frozen=True, kw_only=True):
    """A file as the map can show it. lines: 0 where it was not read. uses, used_by: files it imports, that import it.
    near: whether it has to do with the feature, so that more of it is worth showing."""

    path: str
    lines: int = 0
    signatures: tuple[Signature, ...] = ()
    uses: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    near: bool = False


class Excerpt(Value, frozen=True, kw_only=True):
    """What one attempt is given of a file. why: for whom it stands there, in words. part: all of it, its signatures
    with their lines, or its first lines. language: for the fence."""

    path: str
    why: str
    text: str
    part: Literal["whole", "outline", "start"] = "whole"
    language: str = "text"


class Given(Value, frozen=True, kw_only=True):
    """What one attempt is given of a pack. shared_map: the map is in the shared prompt, for all attempts of the run or
    for none, since that prompt is the same for all of them; own_map: in this attempt's own, as excerpts always are."""

    shared_map: bool = False
    own_map: bool = False
    excerpts: bool = False


def given(reading: Reading, kind: Kind, *, one_reading: bool, forked: bool, scout: bool) -> Given:
    """one_reading: as `RunStarted` has it. forked: it goes on from a conversation that has read. scout: others are
    expected to go on from its own (`core.reading.reads_for_others`).

    Where units go on from one conversation the map is not shared. Who reads in that conversation opens what the others
    need; a map beside it, and the excerpts, would be sent again with every request of everybody (`docs/design/0029`).
    """
    if reading.share not in ("auto", "pack"):
        return Given()
    reads_anew = not forked and not scout
    return Given(
        shared_map=not one_reading,
        own_map=one_reading and reads_anew,
        excerpts=reads_anew and kind in ("contract", "unit"),
    )


def characters(tokens: int) -> int:
    return tokens * CHARACTERS


def signature(line: int, text: str, depth: int = 0, *, minor: bool = False) -> Signature:
    """On one line, printable, cut to a length that can be shown."""
    return Signature(line=line, text=plain(text, LONGEST_SIGNATURE), depth=depth, minor=minor)


def plain(text: str, most: int = LONGEST_PATH) -> str:
    """Words of a repository on one line: white space made narrow, what cannot be printed escaped, never a fence."""
    text = text[: 8 * most]  # long enough for what is cut below, however much of it is white space
    return plain_path(" ".join(text.split()), most)


def plain_path(path: str, most: int = LONGEST_PATH) -> str:
    """The same with its white space as it is: a line break is escaped."""
    if not path.isprintable():
        path = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path[:most])
    path = _FENCE.sub("``", path)
    return path if len(path) <= most else path[: most - 1] + "…"


def best(signatures: Sequence[Signature], most: int) -> list[Signature]:
    """So many of them, what stands outermost first, in the order of the file."""
    if len(signatures) <= most:
        return list(signatures)
    chosen = sorted(range(len(signatures)), key=lambda n: (signatures[n].depth + signatures[n].minor, n))[:most]
    return [signatures[n] for n in sorted(chosen)]
