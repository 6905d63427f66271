"""The pages of the documentation, as tests look at them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guide"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*/*.md")])


@dataclass(frozen=True)
class Block:
    """A fenced block. language, name: the words behind the fence. line: where it begins, 1-based."""

    language: str
    name: str
    text: str
    line: int


def blocks(page: Path, language: str = "", name: str | None = None) -> list[Block]:
    """The fenced blocks of a page, of one language and name where those are given."""
    found = []
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "fence":
            first, _, rest = token.info.strip().partition(" ")
            found.append(Block(first, rest.strip(), token.content, (token.map or [0])[0] + 1))
    return [b for b in found if language in ("", b.language) and name in (None, b.name)]


def block(page: Path, language: str, name: str) -> Block:
    (only,) = blocks(page, language, name)
    return only


def commands(page: Path) -> list[tuple[int, str]]:
    """(line, command) of every `ropeteam …` that a reader could type: in console blocks and between backticks."""
    text = page.read_text(encoding="utf-8")
    found = []
    in_console = in_block = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("```"):
            in_block, in_console = not in_block, not in_block and line.startswith("```console")
        elif in_console and line.startswith("$ "):
            found += [(number, command) for command in re.findall(r"(?:^|[\s/])(ropeteam\s[^#|<>&]*)", line[2:])]
        elif not in_block:
            found += [(number, span) for span in re.findall(r"`(ropeteam [^`]*)`", line)]
    return found


def anchors(page: Path) -> set[str]:
    """What links can lead to in a page: its headings, as GitHub names them."""
    plain = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", plain, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def links(page: Path) -> list[tuple[int, str]]:
    """(line, target) of every link to a place that is not on the web."""
    plain = page.read_text(encoding="utf-8")
    found = []
    for match in re.finditer(r"\]\(([^)\s]+)\)", plain):
        if not re.match(r"[a-z]+:", match[1]):
            found.append((plain.count("\n", 0, match.start()) + 1, match[1]))
    return found
