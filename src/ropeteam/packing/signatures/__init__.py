"""What a file offers to others, as lines: classes, functions, types, routes. Python by its own parser, others by
tree-sitter where there is a grammar, the rest by lines that look like declarations. Nothing here raises for a file's
contents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ropeteam.core import paths
from ropeteam.core.pack import Signature
from ropeteam.grammars import grammar_of
from ropeteam.packing.signatures import blocks, by_lines, python, ruby, web

LARGEST: Final = 400_000  # bytes; larger files are generated
MOST: Final = 400  # signatures of one file

Finder = Callable[[str, bytes], Iterator[Signature]]
"""(grammar, contents) -> the signatures in their order."""

_FINDERS: Final[Mapping[str, Finder]] = {
    "javascript": web.found,
    "typescript": web.found,
    "tsx": web.found,
    "go": blocks.found,
    "java": blocks.found,
    "php": blocks.found,
    "ruby": ruby.found,
}


def signatures(path: str, content: bytes) -> tuple[Signature, ...]:
    """Of a file. None for what is binary, huge, or of a kind that has none."""
    if not content or len(content) > LARGEST or b"\0" in content[:8000]:
        return ()
    ending = paths.suffix(path)
    found = []
    try:
        for each in _of(path, ending, content):
            found.append(each)
            if len(found) == MOST:
                break
    except RecursionError:  # nested deeper than Python walks: what was found until there
        pass
    return tuple(each for each in found if each.text)


def _of(path: str, ending: str, content: bytes) -> Iterator[Signature]:
    if ending in ("py", "pyi"):
        yield from python.found(content)
    elif ending in ("vue", "svelte", "astro"):
        yield from web.of_component(path, content)
    elif path.endswith(".blade.php"):
        return
    elif grammar := grammar_of("rb" if ending == "rake" else ending):
        nothing = True
        for each in _FINDERS[grammar](grammar, content):
            nothing = False
            yield each
        if nothing:
            yield from by_lines.in_broken(content)
    else:
        yield from by_lines.found(ending, content)
