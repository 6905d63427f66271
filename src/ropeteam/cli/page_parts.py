"""What pages are made of: a headline, sections of rows. Text, Markdown and HTML show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "good", "bad", "calm", "dim"]


@dataclass(frozen=True)
class Row:
    """cells: the first leads, the others explain it. code: the leading cell is a name to be shown letter by letter."""

    cells: tuple[str, ...]
    tone: Tone = ""
    code: bool = False


@dataclass(frozen=True)
class Section:
    """head: names of the columns, where there is a table; without it a list. left: how many of the columns hold words;
    figures stand to the right."""

    title: str
    rows: tuple[Row, ...]
    head: tuple[str, ...] = ()
    left: int = 1


@dataclass(frozen=True)
class Page:
    """headline: the outcome in one line. below: where the run stands in names. next: commands and what each does.
    lead: a sentence or two that belong to the headline."""

    headline: str
    tone: Tone
    below: str
    sections: tuple[Section, ...]
    next: tuple[Row, ...]
    lead: str = ""
