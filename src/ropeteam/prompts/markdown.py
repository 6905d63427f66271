"""Putting texts together: templates from the `.md` files, and words of others so that they cannot pass for ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib import resources
from string import Template

LONGEST_ITEM = 2_000  # characters that one thing said by a plan or an agent may take in a list


def text(name: str) -> str:
    """A text of ours, as it stands in its file."""
    return resources.files("ropeteam.prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")


def fill(name: str, /, **values: str) -> str:
    """A text of ours with its places filled in. Paragraphs that have nothing in them then are left out."""
    paragraphs = (Template(part).substitute(values) for part in text(name).strip("\n").split("\n\n"))
    return "\n\n".join(part.strip("\n").rstrip() for part in paragraphs if part.strip())


def fenced(words: str, language: str) -> str:
    """Between two lines of backticks, more of them than any run of backticks in the text: nothing in it can end it."""
    words = words.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    fence = "`" * max(4, _longest_run(words) + 1)
    return f"{fence}{language}\n{words}\n{fence}"


def code(name: str) -> str:
    """A path, pattern or id as code on one line, whatever characters it has."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    around = "`" * (_longest_run(plain) + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{around}{space}{plain}{space}{around}"


def codes(names: Sequence[str], most: int) -> str:
    """Several of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(code(name) for name in names[:most]) + more


def writable(words: str) -> str:
    """With escapes for what UTF-8 cannot hold: names of files come with surrogates."""
    return words.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(words: str) -> str:
    return " ".join(words.split())


def item(head: str, words: str) -> str:
    """An item of a list. Words of several lines are fenced off; what is longer than can be told is cut."""
    words = words.strip()
    if len(words) > LONGEST_ITEM:
        words = f"{words[:LONGEST_ITEM]} […]"
    if "\n" in words:
        return f"- {head}:\n\n{_indented(fenced(words, 'text'))}"
    return f"- {head}: {one_line(words)}" if words else f"- {head}"


def _indented(words: str) -> str:
    """As part of an item. Lines are those of Markdown: others that Python knows (U+001E, U+2028) end none there, and
    one of them at the beginning of a line must not keep it from being part of the item."""
    return "\n".join(f"  {line}" if line else "" for line in words.split("\n"))


def items(lines: Iterable[str], most: int) -> str:
    """A list of items, and how many more there are."""
    every = list(lines)
    more = [f"- and {len(every) - most} more"] if len(every) > most else []
    return "\n".join([*every[:most], *more])


def _longest_run(words: str) -> int:
    return max((len(run) for run in re.findall(r"`+", words)), default=0)
