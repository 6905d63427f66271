"""Small things that all tree-sitter languages need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ropeteam.core.pack import Signature, signature

if TYPE_CHECKING:
    from tree_sitter import Node

DEEPEST: Final = 3  # members of a class in a class in a namespace
LONGEST: Final = 2_000  # bytes that are looked at of one signature


def text(content: bytes, node: Node, end: int | None = None) -> str:
    """From the beginning of a node to its end, or to the byte `end`."""
    start = node.start_byte
    stop = node.end_byte if end is None else max(start, end)
    return content[start : min(stop, start + LONGEST)].decode("utf-8", "replace")


def head(content: bytes, node: Node, body: Node | None, strip: str = " \t\r\n{") -> str:
    """What stands before the body."""
    return text(content, node, body.start_byte if body is not None else None).rstrip(strip).rstrip(";")


def said(node: Node, words: str, depth: int, *, minor: bool = False) -> Signature:
    return signature(node.start_point[0] + 1, words, depth, minor=minor)


def named(node: Node) -> Iterator[Node]:
    yield from node.named_children


def field(node: Node, name: str) -> Node | None:
    return node.child_by_field_name(name)
