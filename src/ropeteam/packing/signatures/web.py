"""JavaScript and TypeScript, and the scripts of Vue, Svelte and Astro: what is exported, classes, routes.

A file without an export is taken as a script or a CommonJS module: all its functions and classes count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from ropeteam.core.pack import Signature
from ropeteam.grammars import parsed
from ropeteam.packing.signatures.nodes import DEEPEST, field, head, named, plain, said, text, without
from ropeteam.planners.static.imports.web import scripts

if TYPE_CHECKING:
    from tree_sitter import Node

_AT_END: Final = re.compile(r"(?<=[\w)\]}>'\"?])[ \t]*\r?\n\s*(?=[\w\['\"(])")  # of a member without a semicolon
_WHOLE: Final = frozenset({"interface_declaration", "type_alias_declaration", "enum_declaration", "function_signature"})
_CLASSES: Final = frozenset({"class_declaration", "abstract_class_declaration", "class"})
_FUNCTIONS: Final = frozenset({"function_declaration", "generator_function_declaration"})
_VALUES: Final = frozenset({"arrow_function", "function_expression", "generator_function"})
_ROUTES: Final = frozenset({"get", "post", "put", "patch", "delete", "use", "all", "route", "head", "options"})
_MACROS: Final = frozenset({"defineProps", "defineEmits", "withDefaults", "defineModel", "defineExpose"})


def of_component(path: str, content: bytes) -> Iterator[Signature]:
    """Of the scripts in a component, with the lines that they have in it."""
    for grammar, script in scripts(path, content):
        before = content.count(b"\n", 0, max(content.find(script), 0))
        for each in found(grammar, script):
            yield msgspec.structs.replace(each, line=each.line + before)


def found(grammar: str, content: bytes) -> Iterator[Signature]:
    root = parsed(grammar, content).root_node
    exports = any(node.type == "export_statement" for node in root.named_children)
    for node in named(root):
        yield from _top(content, node, 0, everything=not exports)


def _top(content: bytes, node: Node, depth: int, *, everything: bool) -> Iterator[Signature]:
    match node.type:
        case "export_statement":
            yield from _exported(content, node, depth)
        case "ambient_declaration":
            for inner in named(node):
                yield from _declared(content, inner, node, depth)
        case "expression_statement":
            yield from _expression(content, node, depth)
        case kind if everything or kind in _WHOLE:
            yield from _declared(content, node, node, depth)
        case _:
            pass


def _exported(content: bytes, node: Node, depth: int) -> Iterator[Signature]:
    declared = field(node, "declaration")
    if declared is not None:
        yield from _declared(content, declared, node, depth)
        return
    value = field(node, "value")
    if value is not None and value.type in (*_CLASSES, *_VALUES):
        yield from _declared(content, value, node, depth)
    elif value is not None and value.type in ("object", "call_expression"):
        yield said(node, text(content, node, value.start_byte) + _short(content, value), depth)
    else:
        yield said(node, text(content, node).rstrip(";"), depth)


def _declared(content: bytes, node: Node, outer: Node, depth: int) -> Iterator[Signature]:
    """outer: the statement that it stands in, whose words come first (`export default`)."""
    kind = node.type
    body = field(node, "body")
    if kind in _WHOLE:
        yield said(outer, _AT_END.sub("; ", plain(text(content, outer))).rstrip("; "), depth)
    elif kind in _FUNCTIONS or kind in _VALUES:
        yield said(outer, head(content, outer, body).removesuffix("=>"), depth)
    elif kind in _CLASSES:
        decorators = [one for one in (*outer.children, *node.children) if one.type == "decorator"]
        told = "".join(f"  @{_short(content, one.named_children[0])}" for one in decorators if one.named_children)
        yield said(node, without(content, outer, body, decorators).split("  @")[0] + told, depth)
        if body is not None and depth < DEEPEST:
            yield from _members(content, body, depth + 1)
    elif kind in ("lexical_declaration", "variable_declaration"):
        yield from _variables(content, node, outer, depth)
    elif kind in ("internal_module", "module") and body is not None:
        yield said(outer, head(content, outer, body), depth)
        if depth < DEEPEST:
            for inner in named(body):
                yield from _top(content, inner, depth + 1, everything=True)
    elif kind == "expression_statement":  # a namespace is one
        for inner in named(node):
            yield from _declared(content, inner, outer, depth)


def _variables(content: bytes, node: Node, outer: Node, depth: int) -> Iterator[Signature]:
    """Functions that have a name by a constant, and what is exported; values are not shown."""
    word = text(content, outer, node.start_byte) + text(content, node).split(maxsplit=1)[0]
    for one in named(node):
        value = field(one, "value")
        name = field(one, "name")
        if one.type != "variable_declarator" or name is None:
            continue
        if value is not None and value.type in _VALUES:
            yield said(one, f"{word} {head(content, one, field(value, 'body')).rstrip().removesuffix('=>')}", depth)
        elif value is not None and value.type == "call_expression" and _called(content, value) in _MACROS:
            yield said(one, f"{word} {text(content, one)}", depth)
        elif outer is not node:
            kind = field(one, "type")
            call = ""
            if value is not None and value.type in ("call_expression", "object"):
                call = f" = {_short(content, value)}" if value.type == "object" else f" = {_called(content, value)}(…)"
            yield said(
                one, f"{word} {text(content, name)}{text(content, kind) if kind else ''}{call}", depth, minor=True
            )


def _members(content: bytes, body: Node, depth: int) -> Iterator[Signature]:
    decorators: list[str] = []
    for node in named(body):
        if node.type == "decorator":
            decorators.append(text(content, node))
            continue
        before, decorators = "".join(f"{one} " for one in decorators), []
        name = field(node, "name") or field(node, "property")
        if name is None or name.type == "private_property_identifier" or _is_private(content, node):
            continue
        if node.type in ("method_definition", "abstract_method_signature", "method_signature"):
            yield said(node, before + head(content, node, field(node, "body")), depth)
        elif node.type in ("public_field_definition", "field_definition"):
            value = field(node, "value")
            if value is not None and value.type in _VALUES:
                yield said(node, before + head(content, node, field(value, "body")).removesuffix("=>"), depth)
            else:
                yield said(node, before + head(content, node, value, " \t\r\n="), depth)


def _is_private(content: bytes, node: Node) -> bool:
    return any(one.type == "accessibility_modifier" and text(content, one) == "private" for one in node.children)


def _expression(content: bytes, node: Node, depth: int) -> Iterator[Signature]:
    """`module.exports = …`, `exports.x = …`, `router.get("/x", …)`, `defineProps<…>()`."""
    inner = node.named_children[0] if node.named_children else None
    if inner is None:
        return
    if inner.type == "internal_module":
        yield from _declared(content, inner, node, depth)
    elif inner.type == "assignment_expression":
        left, right = field(inner, "left"), field(inner, "right")
        name = text(content, left) if left is not None else ""
        if right is not None and (name.startswith("exports.") or name.startswith("module.exports")):
            yield said(node, f"{name} = {_short(content, right)}", depth)
    elif inner.type == "call_expression":
        function = field(inner, "function")
        member = field(function, "property") if function is not None else None
        if member is not None and text(content, member) in _ROUTES and _is_route(inner):
            yield said(node, _short(content, inner), depth)
        elif _called(content, inner) in _MACROS:
            yield said(node, text(content, inner), depth)


def _is_route(call: Node) -> bool:
    given = field(call, "arguments")
    first = given.named_children[0] if given is not None and given.named_children else None
    return first is not None and first.type in ("string", "template_string")


def _called(content: bytes, call: Node) -> str:
    function = field(call, "function")
    return text(content, function) if function is not None else ""


def _short(content: bytes, node: Node) -> str:
    """A value without the bodies of functions in it; of an object its keys."""
    if node.type == "call_expression":
        given = field(node, "arguments")
        arguments = list(named(given)) if given is not None else []
        return f"{_called(content, node)}({', '.join(_short(content, one) for one in arguments)})"
    if node.type == "object":
        keys = []
        for one in named(node):
            key = field(one, "key") or field(one, "name") or (one if one.type.startswith("shorthand") else None)
            keys.append(text(content, key) if key is not None else "…")
        return "{ " + ", ".join(keys) + " }"
    if node.type in _VALUES or node.type == "class":
        return "…"
    return text(content, node)
