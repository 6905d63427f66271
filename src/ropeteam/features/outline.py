"""Markdown as a flat list of what can name work: headings, list items with their depth, words, rows, code blocks.

`blocks` is the coarser reading that the intent needs; here the nesting of lists counts, and code is kept, because
people draw trees of files in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markdown_it.token import Token

from ropeteam.features.blocks import Heading, tokens_of

_BOX = re.compile(r"\[([ xX✓✔~-])\]\s+")


@dataclass(frozen=True)
class Item:
    """The first paragraph of a list item. depth: 1 is outermost. number: as written (`3`), empty for a bullet. box: the
    mark of a task (`x`, a blank for an open one), None where there is no box. text keeps its line ends."""

    depth: int
    number: str
    box: str | None
    text: str
    line: int


@dataclass(frozen=True)
class Words:
    """A paragraph outside a list, or a further one inside an item (then depth is the item's)."""

    depth: int
    text: str
    line: int


@dataclass(frozen=True)
class Cells:
    """A row of a table. header: the table's; first: whether it is the table's first row."""

    header: tuple[str, ...]
    cells: tuple[str, ...]
    line: int
    first: bool


@dataclass(frozen=True)
class Code:
    """A block of code; line: of its first line."""

    text: str
    line: int
    depth: int = 0


Entry = Heading | Item | Words | Cells | Code


@lru_cache(maxsize=8)  # files and order of the work are read one after the other from the same text
def outline(text: str) -> tuple[Entry, ...]:
    """What stands in the text, in order. Line numbers are 1-based and count as an editor does."""
    return tuple(_read(tokens_of(text)))


def _read(tokens: Sequence[Token]) -> Iterator[Entry]:
    lists: list[str] = []
    starts: list[str] = []
    fresh = False
    header: tuple[str, ...] = ()
    cells: list[str] = []
    in_head = first = False
    row_line = 0
    for at, token in enumerate(tokens):
        start = (token.map[0] if token.map else 0) + 1
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            lists.append(kind)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif kind == "list_item_open":
            starts.append(token.info if lists and lists[-1].startswith("ordered") else "")
            fresh = True
        elif kind == "list_item_close":
            starts.pop()
            fresh = False
        elif kind == "heading_open":
            yield Heading(int(token.tag[1:]), tokens[at + 1].content, start)
        elif kind == "thead_open":
            in_head, header, first = True, (), True
        elif kind == "thead_close":
            in_head, header = False, tuple(cells)
        elif kind == "tr_open":
            cells, row_line = [], start
        elif kind in ("td_open", "th_open"):
            cells.append(tokens[at + 1].content.strip())
        elif kind == "tr_close" and not in_head:
            yield Cells(header, tuple(cells), row_line, first)
            first = False
        elif kind == "inline" and tokens[at - 1].type == "paragraph_open":
            if fresh and starts:
                box = _BOX.match(token.content)
                said = token.content[box.end() :] if box else token.content
                yield Item(len(starts), starts[-1], box[1].lower() if box else None, said, start)
                fresh = False
            else:
                yield Words(len(starts), token.content, start)
        elif kind in ("fence", "code_block"):
            yield Code(token.content, start + (kind == "fence"), len(starts))
            fresh = False
