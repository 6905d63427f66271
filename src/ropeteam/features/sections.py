"""Parts, extensions and changes of an intent: where each stands, what it is called, what is said of it.

A section is a heading `## Part: 01-cart-models` with what stands under it, or an entry of a list of parts, or both. The
places of marks come with it, so that whoever writes a mark later finds the same ones.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Literal

from ropeteam.features.blocks import Block, Heading, Line, Table, blocks, lines_of, plain

Kind = Literal["part", "extend", "change"]
Status = Literal["pending", "in progress", "done", "blocked"]
Place = Literal["listed", "heading", "status", "cell"]

SIGNS: dict[str, Status] = {
    "○": "pending",
    "●": "in progress",
    "✓": "done",
    "✗": "blocked",
    "◐": "in progress",
    "✔": "done",
    "✅": "done",
    "❌": "blocked",
    "✘": "blocked",
    "☐": "pending",
    "☑": "done",
}
SIGN = r"[○●✓✗◐✔✅❌✘☐☑]\ufe0f?"
_BOX = r"\[[ xX]\]"
WORDS: tuple[tuple[Status, str], ...] = (
    ("pending", r"pending|to[ -]?do|not[ _-]started|planned|open|waiting|ready|draft"),
    ("in progress", r"in[ _-]progress|started|running|active|ongoing|wip"),
    ("done", r"completed?|done|implemented|finished|delivered|shipped"),
    ("blocked", r"blocked|failed|stuck|not[ _-]delivered"),
)
_HEADING = re.compile(
    rf"(?:(?:{SIGN}|{_BOX})\s*)?(?P<kind>part|extend|extension|change)(?:\s+(?P<number>\d{{1,4}}))?\s*:\s*(?P<name>\S.*)",
    re.IGNORECASE,
)
_LEADING = re.compile(rf"\s*(?:[*_`]*\s*)(?:(?P<sign>{SIGN})|(?P<box>{_BOX}))\s*")
_KIND_BEFORE = re.compile(r"(?:part|extend|extension|change)\s*:\s*", re.IGNORECASE)
_DATE = re.compile(r"\s*\((?P<date>\d{4}-\d{2}-\d{2})\)\s*$")
_ID = re.compile(r"\d{1,4}[-_][A-Za-z0-9][A-Za-z0-9_-]*")
_REST = re.compile(r"\s*(?::\s|\s[-–—]\s|\s\().*")
_STATUS = re.compile(r"[\s*_>]*status[\s*_]*:[\s*_]*(?P<said>.*)", re.IGNORECASE)
_NEEDS = re.compile(r"[\s*_>]*(?:dependenc(?:y|ies)|depends\s+on)[\s*_]*:[\s*_]*(?P<said>.*)", re.IGNORECASE)
NONE = re.compile(r"(?:none|no|nothing|n/?a)(?=[\s.,;(]|$).*|[-–—.]*", re.IGNORECASE | re.DOTALL)
_PARTS = re.compile(r"(?:\w+\s+)?(?:parts|phases of the feature)\b(?!\s*:\s*\S).*", re.IGNORECASE)
_REQUIREMENT = re.compile(r"[A-Z][A-Z0-9]{0,9}(?:-[A-Z0-9]{1,10})?-\d+\S*")
_BULLET = re.compile(r"(?P<indent>\s*)(?:[-*+]|\d+[.)])\s+")


@dataclass(frozen=True)
class Mark:
    """What one place says of a section. line: 1-based. listed: before its name in a list of parts; heading: in its own
    heading; status: a line `Status: …`; cell: of a table of parts."""

    status: Status
    line: int
    place: Place


@dataclass(frozen=True)
class Need:
    """A section that another depends on, in the words of the intent, and where."""

    words: str
    line: int


@dataclass(frozen=True)
class Found:
    """A section. line..end: its own lines, 1-based, `end` not included. entries: lines of lists of parts with it.

    alone: it stands in a list of parts and has no heading of its own.
    """

    kind: Kind
    name: str
    line: int
    end: int
    level: int = 2
    number: int | None = None
    date: str = ""
    marks: tuple[Mark, ...] = ()
    needs: tuple[Need, ...] = ()
    entries: tuple[int, ...] = ()
    alone: bool = False

    @property
    def status(self) -> Status:
        """What the place that counts most says: a list of parts, the heading, a status line."""
        ranks: tuple[Place, ...] = ("listed", "cell", "heading", "status")
        return min(self.marks, key=lambda mark: ranks.index(mark.place)).status if self.marks else "pending"

    @property
    def titled(self) -> str:
        """As a heading names it: `Part: 01-cart-models`."""
        return f"{self.kind.capitalize()}: {self.name}"


def find(text: str) -> tuple[Found, ...]:
    """Every section of an intent, in the order of the text. Never refuses; names may be double, needs unknown."""
    found, source = blocks(text), lines_of(text)
    own = _named(list(_own(found, len(source))))
    return tuple(sorted(_listed(own, found, source), key=lambda section: section.line))


def nested(text: str) -> list[tuple[Heading, Found]]:
    """Headings of sections that stand inside of a section, and are done with it."""
    found = blocks(text)
    own = list(_own(found, len(lines_of(text))))
    begins = [section.line for section in own]
    inside = []
    for block in found:
        at = bisect_right(begins, block.line) - 1
        around = own[at] if at >= 0 else None
        if around is None or not isinstance(block, Heading) or not around.line < block.line < around.end:
            continue
        if _HEADING.fullmatch(block.text):
            inside.append((block, around))
    return inside


def slug(words: str) -> str:
    """The form in which names are compared: lower case, everything else than letters and digits as `-`."""
    return re.sub(r"[\W_]+", "-", words.lower()).strip("-")


def status_of(words: str) -> Status | None:
    """What the words of a status line mean; None when they say nothing of the kind."""
    words = words.strip().strip("*_` ")
    if found := _LEADING.match(words):
        return _sign(found)
    for status, known in WORDS:
        if re.match(rf"(?:{known})\b", words, re.IGNORECASE):
            return status
    return None


def _sign(found: re.Match[str]) -> Status:
    if found["box"]:
        return "done" if found["box"] in ("[x]", "[X]") else "pending"
    return SIGNS[found["sign"][0]]


# ---- sections with a heading of their own


def _own(found: list[Block], lines: int) -> Iterator[Found]:
    """The sections with headings, each up to the next heading that is not below its own."""
    headings = [(at, block) for at, block in enumerate(found) if isinstance(block, Heading)]
    ends = _ends([block for _, block in headings], lines + 1)
    begins = [block.line for block in found]
    end = 0
    for (at, heading), its_end in zip(headings, ends, strict=True):
        match = _HEADING.fullmatch(heading.text)
        if match is None or heading.line < end:
            continue
        end = its_end
        yield _section(match, heading, found[at + 1 : bisect_left(begins, end)], end)


def _ends(headings: list[Heading], last: int) -> list[int]:
    """Of each heading the line of the next one that is not below it, else `last`."""
    ends = [last] * len(headings)
    open_: list[int] = []
    for at, heading in enumerate(headings):
        while open_ and headings[open_[-1]].level >= heading.level:
            ends[open_.pop()] = heading.line
        open_.append(at)
    return ends


def _section(match: re.Match[str], heading: Heading, inside: list[Block], end: int) -> Found:
    kind: Kind = "part" if match["kind"].lower() == "part" else "change" if match["kind"][0] in "cC" else "extend"
    marks = []
    words = match["name"]
    for place in (heading.text, words, _DATE.sub("", words)[::-1]):  # before the kind, before the name, at the end
        if leading := _LEADING.match(place):
            marks.append(Mark(_sign(leading), heading.line, "heading"))
            break
    head = _head(inside)
    marks += _status_marks(head)
    name, date = named(words)
    number = int(match["number"]) if match["number"] else _number(name)
    needs = tuple(_needs(head))
    return Found(kind, name, heading.line, end, heading.level, number, date, tuple(marks), needs)


def _head(inside: Iterable[Block]) -> list[Block]:
    """What stands right under a heading, before the next one."""
    return list(takewhile(lambda block: not isinstance(block, Heading), inside))


def _status_marks(head: Sequence[Block]) -> list[Mark]:
    for block in head:
        if isinstance(block, Line) and (match := _STATUS.fullmatch(block.text)):
            status = status_of(match["said"])
            return [Mark(status, block.line, "status")] if status else []
    return []


def _needs(head: Sequence[Block]) -> Iterator[Need]:
    """What a line `Dependencies: …` says, or the list right under such a line; `none` is nothing."""
    for at, block in enumerate(head):
        if not isinstance(block, Line) or not (match := _NEEDS.fullmatch(block.text)):
            continue
        said = [(match["said"], block.line)]
        if not match["said"].strip():
            said = [(line.text, line.line) for line in _list_under(head[at + 1 :])]
        yield from (need for words, line in said for need in _need(words, line))


def _need(words: str, line: int) -> list[Need]:
    words = bare(words)
    return [] if NONE.fullmatch(words) else [Need(words, line)]


def _list_under(head: Sequence[Block]) -> Iterator[Line]:
    before = ""
    for block in head:
        if not isinstance(block, Line) or ":" in block.text or (before and not block.first):
            return
        before = block.text
        yield block


def bare(words: str) -> str:
    """Without emphasis and code marks."""
    return re.sub(r"(?<!\w)[*_]+|[*_]+(?!\w)|`", "", plain(words)).strip()


def named(words: str) -> tuple[str, str]:
    """The name of a section, and the date that stands behind it: marks and emphasis away."""
    date = ""
    if found := _DATE.search(words):
        words, date = words[: found.start()], found["date"]
    words = re.sub(rf"^(?:{SIGN}|{_BOX})\s*|\s*(?:{SIGN})\s*$", "", words.strip())
    if not date and (found := _DATE.search(words)):
        words, date = words[: found.start()], found["date"]
    words = bare(words)
    if found := _ID.match(words):
        rest = words[found.end() :]
        words = found.group() if not rest or _REST.fullmatch(rest) else words
    return words or "unnamed", date


def _number(name: str) -> int | None:
    found = re.match(r"(\d{1,4})(?=[-_ .]|$)", name)
    return int(found.group(1)) if found else None


def _named(own: list[Found]) -> list[Found]:
    """Names made different where two of another kind or date have the same; what is still double stays so."""
    by_name: dict[str, list[Found]] = {}
    for section in own:
        by_name.setdefault(slug(section.name), []).append(section)
    return [_told_apart(section, by_name[slug(section.name)]) for section in own]


def _told_apart(section: Found, alike: list[Found]) -> Found:
    if len(alike) == 1:
        return section
    if section.date and sum(other.date == section.date for other in alike) == 1:
        return replace(section, name=f"{section.name} ({section.date})")
    if section.kind != "part" and sum(other.kind == section.kind for other in alike) == 1:
        return replace(section, name=f"{section.kind} {section.name}")
    return section


# ---- lists of parts


@dataclass(frozen=True)
class _Entry:
    """A line of a list that may name a section, and what stands below it. level: of a heading, 0 for a list item."""

    name: str
    line: int
    end: int
    mark: Mark | None
    below: tuple[Block, ...]
    level: int


def _listed(own: list[Found], found: list[Block], source: list[str]) -> list[Found]:
    """The sections with what lists and tables outside of them say, and those that stand only there."""
    begins = [section.line for section in own]
    outside = [block for block in found if not _within(block.line, own, begins)]
    sections = {slug(section.name): section for section in own}
    under_parts = _under_parts(outside)
    for entry in _entries(outside, source):
        shorter = slug(re.split(r":\s|\s[-–—]\s|\s\(", entry.name, maxsplit=1)[0])
        key = shorter if slug(entry.name) not in sections and shorter in sections else slug(entry.name)
        if key not in sections:
            if not _names_part(entry, under_parts, source):
                continue
            new = Found("part", entry.name, entry.line, entry.end, entry.level, _number(entry.name), alone=True)
            sections[key] = new
        listed = any(start < entry.line < end for start, end, _ in under_parts)
        sections[key] = _with_entry(sections[key], entry, listed=listed or entry.mark is not None)
    for table in (block for block in outside if isinstance(block, Table)):
        _with_table(table, sections)
    doubles = [s for s in own if sections[slug(s.name)].line != s.line]
    return [*sections.values(), *doubles]


def _within(line: int, own: list[Found], begins: list[int]) -> bool:
    at = bisect_right(begins, line) - 1
    return at >= 0 and line < own[at].end


def _under_parts(outside: list[Block]) -> list[tuple[int, int, bool]]:
    """From where to where headings like `## Parts` reach, and whether there are headings below them."""
    headings = [block for block in outside if isinstance(block, Heading)]
    ends = _ends(headings, 10**9)
    lines = [heading.line for heading in headings[1:]] + [10**9] * bool(headings)  # of the next one, whatever its level
    return [
        (heading.line, end, following < end)
        for heading, end, following in zip(headings, ends, lines, strict=True)
        if _PARTS.fullmatch(heading.text)
    ]


def _names_part(entry: _Entry, under: list[tuple[int, int, bool]], source: list[str]) -> bool:
    """Whether an entry that names no section of its own is one: in a list of parts, with a sign or a numbered name."""
    sure = _ID.fullmatch(entry.name) is not None or re.search(SIGN, source[entry.line - 1]) is not None
    outermost = entry.level > 0 or not source[entry.line - 1].startswith((" ", "\t"))
    return sure and outermost and any(a < entry.line < b and (entry.level > 0 or not deeper) for a, b, deeper in under)


def _entries(outside: list[Block], source: list[str]) -> Iterator[_Entry]:
    for at, block in enumerate(outside):
        if isinstance(block, Table) or _STATUS.fullmatch(block.text) or _NEEDS.fullmatch(block.text):
            continue
        if isinstance(block, Heading):
            below = _head(islice(outside, at + 1, None))
            level = block.level
        else:
            bullet = _BULLET.match(source[block.line - 1])
            if bullet is None or not block.first:
                continue
            below = list(_indented(islice(outside, at + 1, None), source, len(bullet["indent"])))
            level = 0
        leading = _LEADING.match(block.text)
        mark = Mark(_sign(leading), block.line, "listed") if leading else None
        name, _ = named(_KIND_BEFORE.sub("", bare(block.text[leading.end() :] if leading else block.text), count=1))
        end = max([block.line, *(b.line for b in below)]) + 1
        yield _Entry(name, block.line, end, mark, tuple(below), level)


def _indented(after: Iterable[Block], source: list[str], indent: int) -> Iterator[Block]:
    """The blocks below a list item: indented deeper than it."""
    for block in after:
        line = source[block.line - 1]
        if isinstance(block, Heading) or len(line) - len(line.lstrip()) <= indent:
            return
        yield block


def _with_entry(section: Found, entry: _Entry, *, listed: bool) -> Found:
    """listed: the entry is one of a list of parts, and not only a mention."""
    marks = [*section.marks, *([entry.mark] if entry.mark else []), *_status_marks(entry.below)]
    needs = [*section.needs, *_needs(entry.below)]
    entries = (*section.entries, entry.line) if listed else section.entries
    return replace(section, marks=tuple(marks), needs=tuple(needs), entries=entries)


def _with_table(table: Table, sections: dict[str, Found]) -> None:
    """A table of parts, not of requirements. Names are found in any column, status and needs by their headings."""
    headers = [bare(cell).lower() for cell in table.header]
    needs_at = next((at for at, words in enumerate(headers) if re.match(r"depend|needs", words)), None)
    status_at = next((at for at, words in enumerate(headers) if re.match(r"status|state", words)), None)
    if any(_REQUIREMENT.fullmatch(bare(cell)) for row in table.rows for cell in row.cells):
        return
    for row in table.rows:
        keys = [slug(named(_KIND_BEFORE.sub("", bare(cell)))[0]) for at, cell in enumerate(row.cells) if at != needs_at]
        key = next((key for key in keys if key in sections), None)
        if key is None:
            continue
        section = sections[key]
        status = status_of(row.cells[status_at]) if status_at is not None and status_at < len(row.cells) else None
        marks = [Mark(status, row.line, "cell")] if status else []
        words = row.cells[needs_at] if needs_at is not None and needs_at < len(row.cells) else ""
        needs = _need(words, row.line)
        sections[key] = replace(section, marks=(*section.marks, *marks), needs=(*section.needs, *needs))
