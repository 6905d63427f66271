"""Templates (`*.html`, string.Template) filled with escaped values. Nothing else makes HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Template

FOLDER = Path(__file__).parent


class Markup(str):
    """HTML that is ready: it is not escaped again."""


def render(name: str, values: Mapping[str, object]) -> Markup:
    """Fill the template `name`. A value that the template needs and does not get is a KeyError."""
    return Markup(_template(name).substitute({key: _escaped(value) for key, value in values.items()}))


def each(name: str, rows: Iterable[Mapping[str, object]]) -> Markup:
    return Markup("".join(render(name, row) for row in rows))


def page(name: str, *, title: str, **values: object) -> str:
    return render("layout", {"title": title, "content": render(name, {"title": title, **values})})


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _escaped(value: object) -> str:
    return value if isinstance(value, Markup) else html.escape(str(value))


@cache
def _template(name: str) -> Template:
    return Template((FOLDER / f"{name}.html").read_text(encoding="utf-8"))
