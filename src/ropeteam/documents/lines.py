"""Lines of documents: their ends, and words of others as one line."""

from __future__ import annotations

import re

BOM = "\ufeff"


def one_line(words: str) -> str:
    """Somebody's words on one line, in which no comment (so no marker of ours) can begin or end."""
    clean = words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(clean.split()).replace("<!--", "<! --").replace("-->", "-- >")


def newline_of(existing: str) -> str:
    """The line end a text uses most."""
    return "\r\n" if existing.count("\r\n") * 2 > existing.count("\n") else "\n"


def split(body: str) -> list[str]:
    """The lines of a text, each with its end."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", body)


def parted(line: str) -> tuple[str, str]:
    """A line and its end."""
    content = line.rstrip("\r\n")
    return content, line[len(content) :]
