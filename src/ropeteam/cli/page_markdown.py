"""A page as Markdown, and as HTML made from that."""

from __future__ import annotations

import re
from typing import Final

from ropeteam.cli.page_parts import Page, Row, Section

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~&])")


def markdown(page: Page) -> str:
    """Words of agents and names of files stay what they are: nothing in them is taken for Markdown."""
    parts = [f"# {_safe(page.headline)}", *([_safe(page.lead)] if page.lead else []), _safe(page.below)]
    for section in page.sections:
        parts += [f"## {_safe(section.title)}", _table(section) if section.head else _list(section.rows)]
    if page.next:
        parts += ["## Next", _list(page.next)]
    return "\n\n".join(parts) + "\n"


def _list(rows: tuple[Row, ...]) -> str:
    return "\n".join("- " + _joined(_cells(row)) for row in rows)


def _joined(cells: list[str]) -> str:
    """Cells in a row as a sentence: a colon after a name, nothing after what ends by itself."""
    text = cells[0]
    for cell in cells[1:]:
        text += f" {cell}" if text.endswith((".", "!", "?", ":")) else f": {cell}"
    return text


def _cells(row: Row) -> list[str]:
    lead = _code(row.cells[0]) if row.code else _safe(row.cells[0])
    return [lead, *(_safe(cell) for cell in row.cells[1:] if cell)]


def _table(section: Section) -> str:
    sides = ("---",) * len(section.head)
    if section.left > 1:
        sides = tuple(":---" if i < section.left else "---:" for i in range(len(section.head)))
    lines = [section.head, sides, *(tuple(_safe(c) for c in r.cells) for r in section.rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _safe(text: str) -> str:
    text = _SPECIAL.sub(r"\\\1", text)
    return re.sub(r"^(\s*)([-+=]|\d+[.)])", r"\1\\\2", text) if re.match(r"\s*[-+=]", text) else text


def _code(text: str) -> str:
    """Code in as many backticks as it needs. A pipe cannot stand in a table's code, so code is used in lists only."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{room}{text}{room}{fence}"


STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2024; background: #fff; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
code { font: 0.9em ui-monospace, monospace; background: #eef1f4; padding: 0.1em 0.3em; border-radius: 3px;
       overflow-wrap: anywhere; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 0.2rem 1rem 0.2rem 0; }
td + td, th + th { text-align: right; } thead { border-bottom: 1px solid #c5ccd3; }
figure { margin: 1.5rem 0 0; }
li { margin: 0.2rem 0; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { color: #e3e6e9; background: #15181b; } code { background: #252a2f; } thead { border-color: #4a525a; }
}
"""


def html(page: Page, title: str, chart: str = "") -> str:
    """One self-contained file, light or dark as the reader prefers. No script, nothing loaded from elsewhere.

    chart: an SVG element that stands before the first section.
    """
    from html import escape

    from markdown_it import MarkdownIt

    text = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown(page))
    if chart:
        head, section, rest = text.partition("<h2>")
        text = f"{head}<figure>\n{chart}\n</figure>\n{section}{rest}"
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{text}</body>\n</html>\n"
    )
