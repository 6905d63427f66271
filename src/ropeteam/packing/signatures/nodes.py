"""Small things that all tree-sitter languages need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ropeteam.core.pack import Signature, signature

if TYPE_CHECKING:
    from tree_sitter import Node

_BORING: Final = ("@Override", "@Test", "#[Override]")
DEEPEST: Final = 3  # members of a class in a class in a namespace
LONGEST: Final = 2_000  # bytes that are looked at of one signature
_COMMENT: Final = re.compile(r"(?:(?<=\s)|^)//[^\n]*|/\*.*?\*/", re.DOTALL)


def text(content: bytes, node: Node, end: int | None = None) -> str:
    """From the beginning of a node to its end, or to the byte `end`."""
    start = node.start_byte
    stop = node.end_byte if end is None else max(start, end)
    return content[start : min(stop, start + LONGEST)].decode("utf-8", "replace")


def head(content: bytes, node: Node, body: Node | None, strip: str = " \t\r\n{") -> str:
    """What stands before the body, without comments."""
    words = text(content, node, body.start_byte if body is not None else None)
    return plain(words).rstrip(strip).rstrip(";")


def plain(words: str) -> str:
    """Without comments."""
    return _COMMENT.sub("", words)


def without(content: bytes, node: Node, body: Node | None, parts: Sequence[Node]) -> str:
    """The same without these parts of it (annotations), which then stand behind it: the name must not be cut off."""
    start = node.start_byte
    words = bytearray(content[start : body.start_byte if body is not None else node.end_byte])
    for part in parts:
        words[part.start_byte - start : part.end_byte - start] = b" " * (part.end_byte - part.start_byte)
    told = [said for part in parts if (said := text(content, part)) not in _BORING]
    rest = plain(bytes(words[:LONGEST]).decode("utf-8", "replace")).strip(" \t\r\n{;")
    return f"{rest}  {' '.join(told)}" if told else rest


def said(node: Node, words: str, depth: int, *, minor: bool = False) -> Signature:
    return signature(node.start_point[0] + 1, words, depth, minor=minor)


def named(node: Node) -> Iterator[Node]:
    yield from node.named_children


def field(node: Node, name: str) -> Node | None:
    return node.child_by_field_name(name)
