"""How languages are parsed: Python by itself, others by tree-sitter grammars, loaded with the first file of each."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from ropeteam.core.paths import suffix

if TYPE_CHECKING:
    from tree_sitter import Language, Tree

GRAMMARS: Final = {
    **dict.fromkeys(("js", "mjs", "cjs", "jsx"), "javascript"),
    **dict.fromkeys(("ts", "mts", "cts"), "typescript"),
    "tsx": "tsx",
    "php": "php",
    "go": "go",
    "java": "java",
    "rb": "ruby",
}
"""The grammar for a file's ending (lower case, without the dot)."""

EXTRAS: Final = {"ruby": ("Ruby", "ruby")}
"""Grammars that ropeteam does not bring with it: the language's name, and the extra that installs it."""


def grammar_of(ending: str) -> str | None:
    """The grammar for a file's ending, where it is installed."""
    grammar = GRAMMARS.get(ending)
    return grammar if grammar is not None and has(grammar) else None


@cache
def has(grammar: str) -> bool:
    """Whether it is installed. Only those of EXTRAS may be missing."""
    if grammar not in EXTRAS:
        return True
    try:
        language(grammar)
    except ImportError:
        return False
    return True


def missing(paths: Iterable[str]) -> dict[str, int]:
    """Grammars that these files would want and that are not installed, with the number of files."""
    wanted = Counter(GRAMMARS.get(suffix(path), "") for path in paths)
    return {grammar: wanted[grammar] for grammar in EXTRAS if wanted[grammar] and not has(grammar)}


def told(grammar: str, files: int) -> tuple[str, str]:
    """That a grammar is missing, for the user: what it means, and what to do."""
    name, extra = EXTRAS[grammar]
    some = f"{files:,} files are" if files > 1 else "One file is"
    return (
        f"{some} in {name}, whose grammar is not installed: what is merged is not looked at for syntax errors in "
        f"{name}, and what such a file declares and uses is read from its lines.",
        f"Install it beside ropeteam: pip install 'ropeteam[{extra}]'.",
    )


def notices(paths: Iterable[str]) -> Iterator[str]:
    """The same in one text, of each that these files want."""
    for grammar, files in missing(paths).items():
        yield " ".join(told(grammar, files))


def python(text: str) -> ast.Module | None:
    """The tree of a Python file by Python's own parser; None where it makes nothing of it. It never raises, and warns
    of nothing that stands in the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@cache
def language(grammar: str) -> Language:
    """Raises ImportError for one of EXTRAS that is not installed."""
    from tree_sitter import Language

    module = import_module("tree_sitter_typescript" if grammar == "tsx" else f"tree_sitter_{grammar}")
    entry = {"typescript": "language_typescript", "tsx": "language_tsx", "php": "language_php"}.get(grammar, "language")
    return Language(getattr(module, entry)())


def parsed(grammar: str, content: bytes) -> Tree:
    """The tree of a file; faults in it are nodes of it."""
    from tree_sitter import Parser

    return Parser(language(grammar)).parse(content)
