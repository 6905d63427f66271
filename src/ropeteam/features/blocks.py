"""Markdown as a flat list of headings, lines of text and table rows, each with its line number.

markdown-it does the parsing (so what stands in code is not mistaken for a heading or a table); inline marks are left
as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

_NEWLINE = re.compile(r"\r\n?|\n")
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?:[^\n]*\n){0,60}?---[ \t]*(?:\n|\Z)")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


@dataclass(frozen=True)
class Heading:
    level: int
    text: str
    line: int


@dataclass(frozen=True)
class Line:
    """One source line of a paragraph or list item. first: whether its paragraph begins here."""

    text: str
    line: int
    first: bool


@dataclass(frozen=True)
class Row:
    cells: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Table:
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    line: int


Block = Heading | Line | Table


def prepared(text: str) -> str:
    """The text without byte order mark and front matter, its lines as many as before and ended by newlines."""
    plain = "\n".join(lines_of(text))
    return _FRONT_MATTER.sub(lambda found: "\n" * found.group().count("\n"), plain)


def blocks(text: str) -> list[Block]:
    """What stands in the text, in order. Line numbers are 1-based and count as an editor does."""
    return list(_read(tokens_of(text), prepared(text).split("\n")))


@lru_cache(maxsize=8)  # several readers look at the same text, and parsing is most of their work
def tokens_of(text: str) -> tuple[Token, ...]:
    """What markdown-it makes of the text, inline marks left as they are written. Not to be changed."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.disable("inline")
    return tuple(parser.parse(prepared(text)))


def lines_of(text: str) -> list[str]:
    """The lines of a text as they are counted here, without their ends."""
    return _NEWLINE.split(text.removeprefix("\ufeff"))


def _read(tokens: Sequence[Token], source: list[str]) -> Iterator[Block]:
    at = 0
    while at < len(tokens):
        token = tokens[at]
        start = token.map[0] if token.map else 0
        if token.type == "table_open":
            end = next(i for i in range(at, len(tokens)) if tokens[i].type == "table_close")
            yield _table(tokens[at:end], source, start)
            at = end
        elif token.type == "heading_open":
            yield Heading(int(token.tag[1:]), plain(tokens[at + 1].content), start + 1)
            at += 1
        elif token.type == "inline":
            for offset, text in enumerate(token.content.split("\n")):
                yield Line(text, start + offset + 1, offset == 0)
        at += 1


def _table(tokens: Sequence[Token], source: list[str], start: int) -> Table:
    header = _cells(source[start], 0)
    lines = [token.map[0] for token in tokens if token.type == "tr_open" and token.map]
    rows = [Row(_cells(source[line], len(header)), line + 1) for line in lines if line > start]
    return Table(header, tuple(rows), start + 1)


def _cells(line: str, expected: int) -> tuple[str, ...]:
    """The cells of a row. Where an unescaped `|` in code makes too many, code is kept together."""
    cells = _split(line)
    if expected and len(cells) > expected:
        cells = _split(_CODE.sub(lambda found: re.sub(r"(?<!\\)\|", r"\\|", found.group()), line))
    return tuple(cell.replace("\\|", "|").strip() for cell in cells)


def _split(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip().lstrip(">").strip())
    if len(cells) > 1 and not cells[0].strip():
        cells = cells[1:]
    if len(cells) > 1 and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def plain(text: str) -> str:
    """Without bold and italic marks, links reduced to their words, white space made single."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|\*)(?=\S)(.+?)(?<=\S)\1", r"\2", text)
    return " ".join(text.split())
