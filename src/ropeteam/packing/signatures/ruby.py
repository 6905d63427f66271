"""Ruby: modules, classes, public methods, and the calls that make a class what it is (associations, routes)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ropeteam.core.pack import Signature
from ropeteam.grammars import parsed
from ropeteam.packing.signatures.nodes import DEEPEST, field, head, named, said, text

if TYPE_CHECKING:
    from tree_sitter import Node

_CALLS: Final = frozenset(
    """include extend prepend attr_accessor attr_reader attr_writer belongs_to has_one has_many
    has_and_belongs_to_many scope enum validates delegate before_action resources resource namespace root mount get
    post put patch delete concern""".split()  # noqa: SIM905
)
MOST_BLOCKS: Final = 4


def found(grammar: str, content: bytes) -> Iterator[Signature]:
    yield from _body(content, parsed(grammar, content).root_node, 0)


def _body(content: bytes, body: Node, depth: int) -> Iterator[Signature]:
    """What is public in it, until a `private` on a line of its own."""
    for node in named(body):
        if node.type == "identifier" and text(content, node) in ("private", "protected"):
            return
        yield from _one(content, node, depth)


def _one(content: bytes, node: Node, depth: int) -> Iterator[Signature]:
    match node.type:
        case "module" | "class" | "singleton_class":
            last = field(node, "superclass") or field(node, "name")
            yield said(node, text(content, node, last.end_byte) if last is not None else "class << self", depth)
            body = field(node, "body")
            if body is not None and depth < DEEPEST:
                yield from _body(content, body, depth + 1)
        case "method" | "singleton_method":
            last = field(node, "parameters") or field(node, "name")
            if last is not None:
                yield said(node, text(content, node, last.end_byte), depth)
        case "assignment":
            left = field(node, "left")
            if left is not None and left.type == "constant":
                yield said(node, text(content, left), depth, minor=True)
        case "call":
            yield from _call(content, node, depth)
        case _:
            pass


def _call(content: bytes, node: Node, depth: int) -> Iterator[Signature]:
    method = field(node, "method")
    block = field(node, "block")
    inner = field(block, "body") if block is not None else None
    if field(node, "receiver") is None and method is not None and text(content, method) in _CALLS:
        yield said(node, head(content, node, block), depth)
        depth += 1
    elif method is None or text(content, method) not in ("draw", "class_eval", "included", "class_methods", "scope"):
        return
    if inner is not None and depth <= MOST_BLOCKS:
        yield from _body(content, inner, depth)
