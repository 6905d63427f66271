"""Go, Java and PHP: declarations that end where their body begins. What is private is left out, and fields' values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ropeteam.core.pack import Signature
from ropeteam.grammars import parsed
from ropeteam.packing.signatures.nodes import DEEPEST, field, head, named, plain, said, text, without

if TYPE_CHECKING:
    from tree_sitter import Node

_CONTAINERS: Final = frozenset(
    """class_declaration interface_declaration trait_declaration enum_declaration record_declaration
    annotation_type_declaration""".split()  # noqa: SIM905
)
_FUNCTIONS: Final = frozenset(
    """function_declaration method_declaration constructor_declaration function_definition""".split()  # noqa: SIM905
)
_CONSTANTS: Final = frozenset({"const_declaration", "field_declaration", "property_declaration"})
_PHP_ROUTE: Final = re.compile(rb"^\s*(?:Route|Router|\$(?:app|router|group|r|routes))(?:::|->)\w+\(")
_GROUP: Final = re.compile(rb"\b(?:static\s+)?(?:function|fn)\s*\(")
_HIDDEN: Final = re.compile(r"\bprivate\b")
MOST_ROUTES_DEEP: Final = 4


def found(grammar: str, content: bytes) -> Iterator[Signature]:
    for node in named(parsed(grammar, content).root_node):
        yield from _declared(grammar, content, node, 0)


def _declared(grammar: str, content: bytes, node: Node, depth: int) -> Iterator[Signature]:
    kind = node.type
    body = field(node, "body")
    if grammar == "go":
        yield from _go(content, node, body)
    elif kind in _CONTAINERS:
        yield said(node, without(content, node, body, _annotations(node)), depth)
        if body is not None and depth < DEEPEST:
            yield from _members(grammar, content, body, depth + 1)
    elif kind in _FUNCTIONS:
        words = without(content, node, body, _annotations(node))
        if not _HIDDEN.search(words.split("(")[0]):
            yield said(node, words, depth)
    elif kind in _CONSTANTS:
        words = text(content, node).rstrip(";")
        if depth and re.search(r"\b(?:public|protected|const|static)\b", words) and not _HIDDEN.search(words):
            yield said(node, re.split(r"\s*=(?!>)", words)[0], depth, minor=True)
    elif kind == "namespace_definition" and body is not None:
        for inner in named(body):
            yield from _declared(grammar, content, inner, depth)
    elif kind in ("compound_statement", "if_statement"):  # functions behind `if (! function_exists(…))`
        for inner in named(node):
            if inner.type in ("compound_statement", "function_definition"):
                yield from _declared(grammar, content, inner, depth)
    elif kind == "expression_statement":
        yield from _routes(content, node, depth)


def _annotations(node: Node) -> list[Node]:
    """Java's stand among the modifiers, PHP's before them."""
    each = [*node.children, *(inner for one in node.children if one.type == "modifiers" for inner in one.children)]
    return [one for one in each if one.type in ("annotation", "marker_annotation", "attribute_list")]


def _members(grammar: str, content: bytes, body: Node, depth: int) -> Iterator[Signature]:
    cases = []
    for node in named(body):
        if node.type in ("enum_case", "enum_constant"):
            name = field(node, "name")
            cases.append(text(content, name) if name is not None else "")
        elif node.type == "enum_body_declarations":
            yield from _members(grammar, content, node, depth)
        elif node.type == "use_declaration":
            yield said(node, text(content, node).rstrip(";"), depth, minor=True)
        else:
            yield from _declared(grammar, content, node, depth)
    if cases:
        yield said(body, "cases: " + ", ".join(cases), depth)


def _go(content: bytes, node: Node, body: Node | None) -> Iterator[Signature]:
    """Exported and own names alike: a package is one space of names. Of a structure its fields, without their tags."""
    match node.type:
        case "function_declaration" | "method_declaration":
            yield said(node, head(content, node, body), 0)
        case "type_declaration":
            for one in named(node):
                if one.type in ("type_spec", "type_alias"):
                    yield said(one, "type " + _fields(text(content, one)), 0)
        case "const_declaration" | "var_declaration":
            word = node.type.partition("_")[0]
            names = []
            specs = [one for each in named(node) for one in ([each] if each.type != "var_spec_list" else named(each))]
            for one in specs:
                names += [text(content, name) for name in one.children_by_field_name("name") if name.is_named]
            if exported := [name for name in names if name[:1].isupper()]:
                yield said(node, f"{word} {', '.join(exported)}", 0, minor=True)
        case _:
            pass


def _fields(words: str) -> str:
    """On one line, without tags and comments."""
    plain = re.sub(r"`[^`]*`|//[^\n]*", "", words)
    plain = re.sub(r"\{\s*\n\s*", "{ ", plain)
    return re.sub(r";?\s*\}", " }", re.sub(r"[ \t]*\n\s*(?!\})", "; ", plain))


def _routes(content: bytes, node: Node, depth: int) -> Iterator[Signature]:
    """PHP: `Route::get('/x', …)`; of a group what stands before its function, then what is in it."""
    words = content[node.start_byte : node.end_byte]
    if not _PHP_ROUTE.match(words):
        return
    group = _GROUP.search(words)
    if group is None:
        yield said(node, text(content, node).rstrip(";"), depth)
        return
    yield said(node, plain(words[: group.start()].decode("utf-8", "replace")).rstrip(" ,") + " …", depth)
    for inner in _statements(node, MOST_ROUTES_DEEP * 4):
        if depth < MOST_ROUTES_DEEP:
            yield from _routes(content, inner, depth + 1)


def _statements(node: Node, deep: int) -> Iterator[Node]:
    """The statements of the functions that are right inside."""
    for inner in named(node):
        if inner.type == "expression_statement":
            yield inner
        elif deep:
            yield from _statements(inner, deep - 1)
