"""The marks of parts, extensions and changes: wherever an intent says how far one of them is, it says the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from ropeteam.documents import statuses
from ropeteam.documents.lines import newline_of, parted, split
from ropeteam.documents.statuses import Said
from ropeteam.features.blocks import Table, blocks
from ropeteam.features.sections import SIGN, Found, find, status_of

_BEFORE_NAME = re.compile(rf"(?P<before>[\s>]*(?:#{{1,6}}|[-*+]|\d+[.)])\s+[*_`]*)(?P<mark>{SIGN}|\[[ xX]\])?\s*")
_STATUS_COLUMN = re.compile(r"\W*(?:status|state)\b", re.IGNORECASE)
_DATE = re.compile(r"\s*\(\d{4}-\d{2}-\d{2}\)(?=\s*#*\s*$)")
_COUNTED = re.compile(r"(?P<done>\d+)(?P<between>\s*(?:/|of)\s*)(?P<all>\d+)(?!\d)")


def marked(body: str, names: Sequence[str], said: Said, left: Collection[str]) -> str:
    """An intent in which these sections are done, or blocked with the reason. Names that are gone are left out."""
    lines = split(body)
    within = statuses.outline(body)
    added: list[tuple[int, str]] = []
    mine = [section for section in find(body) if section.name in names]
    if not said.done:  # what was done before is still there when doing it again fails
        mine = [section for section in mine if section.status != "done"]
    for section in mine:
        _marks(lines, section, said)
        _cells(lines, section, said)
        added += _status(lines, within, section, said)
        if said.done and not section.alone:
            statuses.move_marks(lines, within, left, section.line, section.end - 1)
    if said.done:
        statuses.move_cells(lines, left, [(section.line, section.end - 1) for section in mine if not section.alone])
    newline = newline_of(body)
    for at, status in sorted(added, reverse=True):
        _add(lines, at, status, newline)
    if mine:
        _count(lines, said)
    return "".join(lines)


def _marks(lines: list[str], section: Found, said: Said) -> None:
    """The mark before its name: in lists, where it is put if nothing says how far it is, and in its own heading."""
    for entry in section.entries:
        signed = any(mark.line == entry for mark in section.marks)
        if signed or not section.marks:
            lines[entry - 1] = _entry(lines[entry - 1], said)
    for mark in section.marks:
        if mark.place == "heading":
            content, end = parted(lines[mark.line - 1])
            if re.search(SIGN, content):
                lines[mark.line - 1] = re.sub(SIGN, said.sign, content, count=1) + end
            else:
                lines[mark.line - 1] = re.sub(r"\[[ xX]\]", "[x]" if said.done else "[ ]", content, count=1) + end


def _entry(line: str, said: Said) -> str:
    """`### ○ 01-cart` -> `### ✓ 01-cart (2026-02-04)`; a box is ticked or emptied, items of lists get no date."""
    content, end = parted(line)
    found = _BEFORE_NAME.match(content)
    if found is None:
        return line
    box = (found["mark"] or "").startswith("[")
    sign = ("[x]" if said.done else "[ ]") if box else said.sign
    rest = content[found.end() :]
    if said.done and found["before"].lstrip(" >").startswith("#"):
        closing = re.search(r"\s+#+\s*$", rest)
        name, tail = (rest[: closing.start()], closing.group()) if closing else (rest.rstrip(), "")
        rest = f"{_DATE.sub('', name)} ({said.date}){tail}"
    return f"{found['before']}{sign} {rest}{end}"


def _cells(lines: list[str], section: Found, said: Said) -> None:
    """Its row in a table of parts."""
    at = {mark.line for mark in section.marks if mark.place == "cell"}
    for table in blocks("".join(lines)) if at else ():
        if not isinstance(table, Table):
            continue
        column = next((n for n, cell in enumerate(table.header) if _STATUS_COLUMN.match(cell)), None)
        for row in table.rows:
            if row.line in at and column is not None and column < len(row.cells):
                words = statuses.changed_words(row.cells[column], said).replace("|", "/")
                lines[row.line - 1] = statuses.replaced_cell(lines[row.line - 1], row, column, words)


def _status(lines: list[str], within: statuses.Outline, section: Found, said: Said) -> Iterable[tuple[int, str]]:
    """Its status lines; one is added where nothing else says it, or where a reason has to stand somewhere."""
    head = next((at for at in within.headings if at >= section.line), len(lines))
    own = None if section.alone else statuses.status_line(lines, within, section.line, min(head, section.end - 1))
    at = {mark.line - 1 for mark in section.marks if mark.place == "status"} | ({own} if own is not None else set())
    for line in at:
        words = statuses.said_in(lines[line])
        statuses.set_status(lines, line, said.words if _plain(words) else said.line)
    silent = not section.marks and not section.entries
    if at or not (silent or not said.done):
        return []
    under = section.line
    if not parted(lines[section.line - 1])[0].lstrip().startswith("#") and not section.alone:
        under += 1  # a heading underlined with `---`
    if not section.alone:
        return [(under, f"**Status:** {said.line}")]
    content = parted(lines[section.line - 1])[0]
    indent = len(content) - len(content.lstrip()) + 2
    return [(under, f"- Status: {said.words}" if section.level else f"{' ' * indent}- Status: {said.words}")]


def _plain(words: str) -> bool:
    """Whether a status is said in words, without a mark."""
    return bool(words) and re.match(SIGN, words) is None and status_of(words) is not None


def _add(lines: list[str], at: int, status: str, newline: str) -> None:
    if not status.lstrip().startswith("-"):
        statuses.add_status(lines, at, status, newline)
        return
    if at and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += newline
    lines.insert(at, status + newline)


def _count(lines: list[str], said: Said) -> None:
    """`**Status:** 1/3 parts complete` under the title counts anew; something else there becomes done with the last.
    What says done already is of the feature before its extensions, and keeps its words and its day."""
    body = "".join(lines)
    at = statuses.head_line(lines, statuses.outline(body))
    if at is None:
        return
    sections = find(body)
    words = statuses.said_in(lines[at])
    if found := _COUNTED.search(words):
        parts = [section for section in sections if section.kind == "part"] or list(sections)
        counted = list(sections) if int(found["all"]) == len(sections) else parts
        done = sum(section.status == "done" for section in counted)
        new = f"{words[: found.start()]}{done}{found['between']}{len(counted)}{words[found.end() :]}"
        statuses.set_status(lines, at, new)
    elif said.done and status_of(words) != "done" and all(section.status == "done" for section in sections):
        statuses.set_status(lines, at, said.line)
