"""In which line of a TOML file a key stands: for messages only, so a near miss costs nothing but a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def line_of(text: str, parts: Sequence[str]) -> int:
    """The 1-based line where the key `parts` is set, or the first one below it, or else the longest beginning of it.

    0 when there is none.
    """
    best, best_length = 0, 0
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header.group(1))
            path = table
        elif key := _KEY.match(line):
            path = table + _parts(key.group(1))
        else:
            continue
        length = min(len(path), len(parts))
        if length > best_length and path[:length] == list(parts[:length]):
            best, best_length = number, length
    return best


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]
