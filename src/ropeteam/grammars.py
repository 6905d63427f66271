"""The tree-sitter grammars: by name, loaded when the first file of a language is parsed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

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


@cache
def language(grammar: str) -> Language:
    from tree_sitter import Language

    module = import_module("tree_sitter_typescript" if grammar == "tsx" else f"tree_sitter_{grammar}")
    entry = {"typescript": "language_typescript", "tsx": "language_tsx", "php": "language_php"}.get(grammar, "language")
    return Language(getattr(module, entry)())


def parsed(grammar: str, content: bytes) -> Tree:
    """The tree of a file; faults in it are nodes of it."""
    from tree_sitter import Parser

    return Parser(language(grammar)).parse(content)
