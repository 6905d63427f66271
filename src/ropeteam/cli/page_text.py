"""A page in the terminal, through rich. Nothing in it is taken for markup: agents' words are only words."""

from __future__ import annotations

import io
import os
import sys
from typing import Final, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ropeteam.cli.options import print_text
from ropeteam.cli.page_parts import Page, Row, Section

STYLES: Final = {"good": "green", "bad": "red", "calm": "yellow", "dim": "dim", "": ""}
MARKS: Final = {"good": "✓", "bad": "✗", "calm": "●", "dim": "·", "": "·"}
LEAST_WIDTH: Final = 80
MOST_WIDTH: Final = 140
PLAIN_WIDTH: Final = 100
LEAD_SHARE: Final = 0.45
DENSE: Final = 6
"""Columns from which on a table has less room between them."""


def console(stream: TextIO, *, as_it_is: bool = False) -> Console:
    """A console on a stream: as wide as the terminal, between 80 and 140 columns; or exactly as wide as it is at each
    moment, for what is redrawn."""
    return Console(
        file=stream,
        width=None if as_it_is else max(LEAST_WIDTH, min(MOST_WIDTH, _columns(stream))),
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        no_color=True if os.environ.get("NO_COLOR") else None,
    )


def _columns(stream: TextIO) -> int:
    """Of the terminal that the stream is; 100 where it is none. COLUMNS outranks both."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or PLAIN_WIDTH
    except (OSError, ValueError):
        return PLAIN_WIDTH


def show(page: Page) -> None:
    """Print a page on standard output; into a file or a pipe without spaces at the ends of lines."""
    if sys.stdout.isatty():
        console(sys.stdout).print(body(page))
    else:
        print_text(as_text(page, console(sys.stdout).width))


def as_text(page: Page, width: int = 100) -> str:
    """A page as text without colours."""
    out = io.StringIO()
    Console(file=out, width=width, markup=False, highlight=False, emoji=False, color_system=None).print(body(page))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def body(page: Page) -> Group:
    style = STYLES[page.tone]
    parts: list[RenderableType] = [
        _headline(f"{MARKS[page.tone]} ", page.headline, f"bold {style}"),
        *([Padding(Text(page.lead, overflow="fold"), (0, 0, 0, 2))] if page.lead else []),
        Text(f"  {page.below}", style="dim"),
    ]
    for section in page.sections:
        parts += [Text(), Text(section.title, style="bold"), _section(section)]
    if page.next:
        parts += [Text(), Text("Next", style="bold")]
        parts += [_sentence(row) if len(row.cells) == 1 else _rows((row,)) for row in page.next]
    return Group(*parts)


def _headline(mark: str, text: str, style: str) -> RenderableType:
    """Later lines of a long one begin below its first word."""
    grid = Table.grid()
    grid.add_column(width=len(mark))
    grid.add_column()
    grid.add_row(Text(mark, style=style), Text(text, style=style, overflow="fold"))
    return grid


def _section(section: Section) -> RenderableType:
    if section.head:
        return _table(section)
    return _rows(section.rows)


def _sentence(row: Row) -> RenderableType:
    return Padding(Text(row.cells[0], overflow="fold"), (0, 0, 0, 2))


def _rows(rows: tuple[Row, ...]) -> RenderableType:
    """A list: what leads in a column of its own, unless one of them is so long that it has a line of its own."""
    if all(len(row.cells) == 1 for row in rows):
        return Group(*(Padding(Text(row.cells[0], overflow="fold"), (0, 0, 0, 2)) for row in rows))
    return _Listed(rows)


class _Listed:
    """Rows whose first column is as wide as it must be, up to a share of the width; longer ones get a line alone."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: object):  # type: ignore[no-untyped-def]
        most = int(console.width * LEAD_SHARE)
        leads = [Text(row.cells[0]).cell_len for row in self._rows]
        width = max((n for n in leads if n <= most), default=0)
        for row, length in zip(self._rows, leads, strict=True):
            style = STYLES[row.tone] or ("cyan" if row.code else "")
            lead = Text(row.cells[0], style=style, overflow="fold")
            rest = [Text(cell, overflow="fold") for cell in row.cells[1:] if cell]
            if length > width or not rest:
                yield Padding(lead, (0, 0, 0, 2))
                yield from (Padding(cell, (0, 0, 0, 4 + width if length <= width else 6)) for cell in rest)
                continue
            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(width=width)
            grid.add_column()
            grid.add_row(lead, Group(rest[0], *(Text(c.plain, style="dim", overflow="fold") for c in rest[1:])))
            yield Padding(grid, (0, 0, 0, 2))


def _table(section: Section) -> RenderableType:
    room = 1 if len(section.head) >= DENSE else 2
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, room, 0, 0))
    for i, name in enumerate(section.head):
        table.add_column(Text(name), justify="left" if i < section.left else "right", overflow="fold")
    for row in section.rows:
        table.add_row(*(Text(cell, style=STYLES[row.tone] if i == 0 else "") for i, cell in enumerate(row.cells)))
    return Padding(table, (0, 0, 0, 2))
