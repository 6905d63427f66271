"""Where statuses stand in a document, and how each place is changed: status lines, marks of lists, cells of tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ropeteam.documents.lines import parted
from ropeteam.features.blocks import Row, Table, blocks
from ropeteam.features.sections import SIGN, bare, status_of

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?:[^\n]*\n){0,60}?---[ \t]*(?:\n|\Z)")
_STATUS = re.compile(
    r"(?P<key>\s*(?:[-*>]\s+)?(?:\*\*Status:\*\*|\*\*Status\*\*:|__Status:__|Status:)[ \t]*)(?P<said>.*)", re.IGNORECASE
)
_PENDING = re.compile(r"(?P<before>\s*(?:#{1,6}|[-*+]|\d+[.)])\s+(?:\[ \]\s+)?(?:\*\*)?)[○●](?=\s)")
_NOT_DONE = re.compile(
    r"(?P<before>\s*[-*+]\s+(?:\*\*)?Status:(?:\*\*)?\s*)(?:pending|in[ _-]progress)(?=\s*$)", re.IGNORECASE
)
_ID = re.compile(r"[A-Z][A-Z0-9]{0,9}(?:-[A-Z0-9]{1,10})?-?\d{1,5}(?:\.\d{1,3})?[a-z]?\b")


@dataclass(frozen=True)
class Said:
    """What is to be written. reason: why it is blocked; empty when it is done."""

    date: str
    reason: str = ""

    @property
    def done(self) -> bool:
        return not self.reason

    @property
    def sign(self) -> str:
        return "✓" if self.done else "✗"

    @property
    def line(self) -> str:
        """For a status line: `✓ done (2026-11-23)`."""
        return f"{self.sign} done ({self.date})" if self.done else f"{self.sign} {self.words}"

    @property
    def words(self) -> str:
        """For a status line that has words and no marks."""
        return "completed" if self.done else f"blocked: {self.reason} ({self.date})"


@dataclass(frozen=True)
class Outline:
    """What stands in which line, counted from 0. title_end: the line after the title, and 0 without one.
    headings: where `#` headings begin. prose: lines of text and lists, headings too; not code, not tables."""

    title_end: int
    headings: tuple[int, ...]
    prose: tuple[int, ...]


def outline(body: str) -> Outline:
    from markdown_it import MarkdownIt

    plain = re.sub(r"\r\n|\r", "\n", body)
    plain = _FRONT_MATTER.sub(lambda found: "\n" * found.group().count("\n"), plain)
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.disable("inline")
    title_end, in_table = 0, False
    headings: list[int] = []
    prose: set[int] = set()
    for token in parser.parse(plain):
        in_table = token.type == "table_open" or (in_table and token.type != "table_close")
        if token.type == "heading_open" and token.map:
            if token.tag == "h1" and not headings:
                title_end = token.map[1]
            if token.markup.startswith("#"):  # a line of text above `---` is parsed as a heading too
                headings.append(token.map[0])
        elif token.type == "inline" and token.map and not in_table:
            prose.update(range(*token.map))
    return Outline(title_end, tuple(headings), tuple(sorted(prose)))


# ---- the status line under the title


def head_line(lines: list[str], within: Outline) -> int | None:
    """The status line between the title and the next heading."""
    start = within.title_end
    limit = next((heading for heading in within.headings if heading >= start), len(lines))
    return status_line(lines, within, start, limit)


def status_line(lines: list[str], within: Outline, start: int, end: int) -> int | None:
    """The first status line of start..end, which is not in it."""
    return next((at for at in within.prose if start <= at < end and _STATUS.fullmatch(parted(lines[at])[0])), None)


def set_status(lines: list[str], at: int, words: str) -> None:
    """Put `words` in the place of what the status line says."""
    content, end = parted(lines[at])
    found = _STATUS.fullmatch(content)
    assert found is not None
    said = found["said"]
    trailing = said[len(said.rstrip()) :] if said.strip() else ""  # two spaces there break the line
    lines[at] = found["key"].rstrip() + " " + words + trailing + end


def said_in(line: str) -> str:
    """What a status line says; empty for any other line."""
    found = _STATUS.fullmatch(parted(line)[0])
    return found["said"].strip() if found else ""


def add_status(lines: list[str], at: int, status: str, newline: str) -> None:
    """Before line `at`, under a heading; without a title at the top, after the front matter."""
    if at == 0 and (found := _FRONT_MATTER.match(re.sub(r"\r\n|\r", "\n", "".join(lines)))):
        at = found.group().count("\n")
    if at and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += newline
    before = [newline] if at else []
    after = [newline] if at < len(lines) and lines[at].strip() else []
    lines[at:at] = [*before, status + newline, *after]


# ---- marks of lists and of requirements, which become ✓


def move_marks(
    lines: list[str], within: Outline, left: Collection[str], start: int = 0, end: int | None = None
) -> None:
    """`### ○ name` and `- ○ name` become ✓, and so does the `- Status: pending` that stands under such a heading.
    left: ids of requirements that stay as they are."""
    under = False
    for at in (at for at in within.prose if at >= start and (end is None or at < end)):
        content, ending = parted(lines[at])
        found = _PENDING.match(content)
        if at in within.headings:
            under = found is not None
        if found and not named_in(content[found.end() :], left):
            lines[at] = found["before"] + "✓" + content[found.end() :] + ending
        elif under and (word := _NOT_DONE.match(content)):
            lines[at] = word["before"] + "completed" + content[word.end() :] + ending


def named_in(words: str, left: Collection[str]) -> bool:
    """Whether words begin with one of these ids."""
    found = _ID.search(words[:60])
    return found is not None and found.group() in left


def move_cells(lines: list[str], left: Collection[str], within: Sequence[tuple[int, int]] | None = None) -> None:
    """`○` and `●` in the status column of requirements become ✓. within: from which line to which, counted from 0."""
    for table in blocks("".join(lines)):
        if not isinstance(table, Table):
            continue
        status = next((at for at, cell in enumerate(table.header) if bare(cell).lower() in ("status", "state")), None)
        for row in table.rows:
            at = row.line - 1
            ids = [bare(cell).strip("[]()") for cell in row.cells]
            mine = within is None or any(start <= at < end for start, end in within)
            mine = mine and any(_ID.fullmatch(id) for id in ids)
            if status is None or status >= len(row.cells) or not mine or any(id in left for id in ids):
                continue
            if row.cells[status] in ("○", "●"):
                lines[at] = replaced_cell(lines[at], row, status, "✓")


def replaced_cell(line: str, row: Row, column: int, words: str) -> str:
    """The line of a table with other words in one cell; as it is where its cells cannot be told apart for sure."""
    content, end = parted(line)
    hidden = re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", lambda found: "x" * len(found.group()), content)
    hidden = hidden.replace("\\|", "xx")
    edges = [-1, *(found.start() for found in re.finditer(r"\|", hidden)), len(content)]
    spans = [(a + 1, b) for a, b in pairwise(edges)]
    spans = [(a, b) for n, (a, b) in enumerate(spans) if content[a:b].strip(" \t>") or 0 < n < len(spans) - 1]
    if len(spans) != len(row.cells) or content[slice(*spans[column])].strip() != row.cells[column]:
        return line
    a, b = spans[column]
    cell = content[a:b]
    inner = cell.strip()
    shift = cell.index(inner) if inner else 1
    return content[: a + shift] + words + content[a + shift + len(inner) :] + end


def changed_words(words: str, said: Said) -> str:
    """A status in its own style: a mark, words, or both."""
    sign = re.match(rf"{SIGN}", words)
    if sign and not words[sign.end() :].strip():
        return said.sign
    return said.line if sign or status_of(words) is None else said.words
