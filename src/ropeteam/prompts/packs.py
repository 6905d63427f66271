"""The context pack in the words of the prompts: `ropeteam.core.pack`."""

from __future__ import annotations

from collections.abc import Sequence

from ropeteam.core.pack import Excerpt, plain
from ropeteam.prompts.markdown import code, fenced, fill, writable

_PARTS = {"whole": "whole", "outline": "an outline", "start": "its first lines"}


def repository_map(text: str) -> str:
    """The part of the shared prompt that shows the map; empty for an empty map."""
    return writable(fill("repository-map", map=fenced(text, "text"))) if text else ""


def excerpts(those: Sequence[Excerpt]) -> str:
    """The part of an attempt's own prompt that shows what was read for it; empty where nothing was."""
    return fill("excerpts", excerpts="\n\n".join(excerpt(one) for one in those)) if those else ""


def excerpt(one: Excerpt) -> str:
    text = writable(fenced(one.text, one.language))
    return f"{code(one.path)} ({plain(one.why)}; {_PARTS[one.part]}):\n\n{text}"


def map_frame() -> int:
    """Characters around a map: what it may take itself is so much less."""
    return len(repository_map("x")) - 1


def excerpts_frame() -> int:
    return len(fill("excerpts", excerpts="x"))
