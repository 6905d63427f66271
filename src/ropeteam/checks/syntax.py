"""A cheap look at a merged commit, about 1 ms a file: does every changed file still parse, are markers left in it.

The differential rule: a fault counts when the merged file has it and every parent that has the file is free of it.
A file that is wrong by itself (a template, a dialect) is no news. Nothing of the project is run.
"""

from __future__ import annotations

import json
import re
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ropeteam.core.model import Finding
from ropeteam.core.paths import is_fixture, suffix
from ropeteam.grammars import GRAMMARS, grammar_of, parsed

if TYPE_CHECKING:
    from tree_sitter import Node

Confirm = Callable[[str, bytes], bool | None]
"""Asks the language's own checker about (path, contents): True it is wrong, False it is fine, None nobody can say."""

_MOST_BYTES = 1_000_000  # a larger file is generated or bundled, and slow to parse
_BINARY_LOOK = 8000
_WITH_COMMENTS = re.compile(r"(^|/)(\.vscode/|\.devcontainer/|[tj]sconfig[^/]*\.json$|\.[\w.-]+$|devcontainer\.json$)")
_TEMPLATE = re.compile(r"\{\{|\}\}|\{%|\.(tmpl|tpl|template|j2|jinja2?|erb|ejs|stub)(\.|$)|\.blade\.php$")
_DECLARATIONS = re.compile(r"\.d\.([\w-]+\.)?[cm]?ts$")  # no code; 2 % of whole ones are beyond the grammar
_FLOW = re.compile(rb"^\s*(//|/?\*+)\s*@flow", re.MULTILINE)
_SCRIPT = re.compile(rb"<script\b((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_LINK = re.compile(rb"(\.{1,2}/)*[\w@.-]+(/[\w@.-]+)*\.\w+")  # what a symbolic link holds: a path, without a newline

# What the TypeScript grammar does not know, and something like it that it does: used only after it found an error.
_UNKNOWN_TO_TYPESCRIPT = (
    (re.compile(rb"\bexport type \*"), rb"export *"),
    (re.compile(rb"\btypeof import\(\s*(['\"])[^'\"\n]*\1,?\s*\)"), rb"any"),
    (re.compile(rb"^(\s*)global \{", re.MULTILINE), rb"\1namespace global {"),
)
_MARKER = re.compile(rb"^(<{7}|>{7})(?: [^\n]*)?\r?$|^(={7})\r?$", re.MULTILINE)
_MOST_TOML_LINE = 20_000  # tomllib takes the square of a key's parts


class _Fault(msgspec.Struct, frozen=True, kw_only=True):
    line: int
    message: str


def inspect(
    changed: Mapping[str, bytes], parents: Mapping[str, Sequence[bytes]], *, confirm: Confirm | None = None
) -> tuple[Finding, ...]:
    """Faults that a merge brought in.

    changed: the changed files' contents in the merged commit (deleted ones left out). parents: of each, its contents
    in every parent that has it; none for a new file. confirm: is asked before a syntax error counts.
    """
    findings = []
    for path, content in changed.items():
        before = parents.get(path, ())
        if _binary(content):
            continue
        line = _marker(content)
        if line and not any(_marker(one) for one in before):
            findings.append(Finding(path=path, line=line, message="conflict markers are left in it", check="markers"))
            continue
        fault = _fault(path, content)
        if fault is None or any(_fault(path, one) is not None for one in before):
            continue
        if confirm is None or confirm(path, content) is not False:
            findings.append(Finding(path=path, line=fault.line, message=fault.message))
    return tuple(findings)


def _binary(content: bytes) -> bool:
    return b"\0" in content[:_BINARY_LOOK]


def _marker(content: bytes) -> int:
    """The line of the first conflict: all its markers, in their order, at line starts. 0: there is none."""
    if b"<<<<<<<" not in content or b">>>>>>>" not in content:
        return 0
    began, divided = -1, False
    for found in _MARKER.finditer(content):
        if found[2]:
            divided = began >= 0
        elif found[1].startswith(b"<"):
            began, divided = found.start(), False
        elif divided:
            return content.count(b"\n", 0, began) + 1
        else:
            began = -1
    return 0


# ---- syntax


def _fault(path: str, content: bytes) -> _Fault | None:
    """The first syntax error; None for none, and for what cannot or should not be parsed."""
    if len(content) > _MOST_BYTES or not content.strip() or _LINK.fullmatch(content):
        return None
    if is_fixture(path) or _TEMPLATE.search(path) or _DECLARATIONS.search(path):
        return None
    kind = suffix(path)
    if kind in ("py", "pyi"):
        return _python(path, content)
    if kind == "json":
        return None if _WITH_COMMENTS.search(path) else _json(content)
    if kind == "toml":
        return _toml(content)
    if kind == "vue":
        return _component(content)
    grammar = grammar_of(kind)
    return _grammar(grammar, content) if grammar else None


def _python(path: str, content: bytes) -> _Fault | None:
    """Compiled, not run: that also finds a `return` outside a function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(content, path.encode("utf-8", "replace").decode(), "exec", dont_inherit=True)
    except SyntaxError as error:
        return _Fault(line=error.lineno or 0, message=f"does not parse: {error.msg}")
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return None
    return None


def _json(content: bytes) -> _Fault | None:
    try:
        text = content.decode("utf-8-sig")
        json.loads(text)
    except json.JSONDecodeError as error:
        if _json_without_comments(text):
            return None
        return _Fault(line=error.lineno, message=f"does not parse: {error.msg}")
    except (UnicodeDecodeError, RecursionError, ValueError):
        return None
    return None


_JSON_TOKEN = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_JSON_COMMA = re.compile(r'("(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])')


def _json_without_comments(text: str) -> bool:
    """Whether it is whole once comments and trailing commas are gone, and it has such."""
    plain = _JSON_TOKEN.sub(lambda found: found[1] or " ", text)
    if plain == text:
        return False  # a trailing comma alone is the usual slip of a merge
    try:
        json.loads(_JSON_COMMA.sub(lambda found: found[1] or "", plain))
    except (ValueError, RecursionError):
        return False
    return True


def _toml(content: bytes) -> _Fault | None:
    if max(map(len, content.splitlines())) > _MOST_TOML_LINE:
        return None
    try:
        tomllib.loads(content.decode("utf-8"))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        return _Fault(line=int(found[1]) if found else 0, message=f"does not parse: {error}")
    except (UnicodeDecodeError, RecursionError):
        return None
    return None


def _component(content: bytes) -> _Fault | None:
    """A Vue single-file component: its scripts, each with the lines it has in the file."""
    for found in _SCRIPT.finditer(content):
        language = re.search(rb"\blang=[\"']?(\w+)", found[1])
        kind = language[1].decode() if language else "js"
        if kind not in GRAMMARS:
            continue
        fault = _grammar(GRAMMARS[kind], found[2])
        if fault:
            line = fault.line + content.count(b"\n", 0, found.start(2))
            return _Fault(line=line, message=fault.message)
    return None


def _grammar(grammar: str, content: bytes) -> _Fault | None:
    """By tree-sitter. Where a grammar is known to refuse good code, what it refuses is tried in another way."""
    if grammar == "javascript" and _FLOW.search(content[:2000]):
        return None
    fault = _parsed(grammar, content)
    if fault and grammar == "javascript" and _parsed("tsx", content) is None:
        return None  # JSX with an attribute named like a keyword (`class`)
    if fault and grammar in ("typescript", "tsx"):
        plain = content
        for pattern, known in _UNKNOWN_TO_TYPESCRIPT:
            plain = pattern.sub(known, plain)
        return _parsed(grammar, plain) if plain != content else fault
    return fault


def _parsed(grammar: str, content: bytes) -> _Fault | None:
    root = parsed(grammar, content).root_node
    if not root.has_error:
        return None
    node = _first_error(root)
    what = f"{node.type} is missing" if node.is_missing else "invalid syntax"
    return _Fault(line=node.start_point[0] + 1, message=f"does not parse: {what}")


def _first_error(node: Node) -> Node:
    """The first place that is wrong, in the order of the file."""
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error or child.is_error or child.is_missing), None)
        if inner is None:
            return node
        node = inner
    return node
