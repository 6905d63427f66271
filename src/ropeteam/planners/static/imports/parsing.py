"""Nodes of a syntax tree by a tree-sitter query, as text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ropeteam.grammars import language, parsed

if TYPE_CHECKING:
    from tree_sitter import Query


@cache
def _query(grammar: str, source: str) -> Query:
    from tree_sitter import Query

    return Query(language(grammar), source)


def captured(grammar: str, content: bytes, source: str) -> dict[str, list[str]]:
    """Texts of what each capture (`@name`) of the query found, in no particular order."""
    from tree_sitter import QueryCursor

    found = QueryCursor(_query(grammar, source)).captures(parsed(grammar, content).root_node)
    return {name: [(node.text or b"").decode("utf-8", "replace") for node in nodes] for name, nodes in found.items()}


def statements(grammar: str, content: bytes) -> list[tuple[int, str, str]]:
    """(line, kind, text) of each statement of a file that stands in no other, in their order. Lines count from 1."""
    found = []
    for node in parsed(grammar, content).root_node.named_children:
        text = (node.text or b"").decode("utf-8", "replace")
        found.append((node.start_point[0] + 1, node.type, text))
    return found
