"""Java (and, by the same lines, Kotlin): imports by package and class, classes of the same package by their names."""

from __future__ import annotations

import re
from typing import Final

from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports.parsing import captured

_QUERY: Final = "(type_identifier) @type (identifier) @type"
_IMPORT: Final = re.compile(rb"^\s*import\s+(?:static\s+)?([\w.]+?)(\.\*)?\s*;?\s*$", re.MULTILINE)
_PACKAGE: Final = re.compile(rb"^\s*package\s+([\w.]+)", re.MULTILINE)
_NAME: Final = re.compile(rb"\b[A-Z]\w*")


def imported(path: str, content: bytes, base: Base, wanted: frozenset[str]) -> set[str]:
    others = [other for other in wanted if other.endswith((".java", ".kt")) and other != path and other in base.names]
    if not others:
        return set()
    exact: set[str] = set()
    whole: set[str] = set()
    for name, star in _IMPORT.findall(content):
        (whole if star else exact).add(name.decode())
    package = _PACKAGE.search(content)
    if package:
        whole.add(package[1].decode())
    used = _types(path, content)
    found = set()
    for other in others:
        full = _class_of(other, base)
        outer, _, simple = full.rpartition(".")
        if full in exact or any(name.startswith(full + ".") for name in exact) or (outer in whole and simple in used):
            found.add(other)
    return found


def _types(path: str, content: bytes) -> set[str]:
    if path.endswith(".java"):
        return set(captured("java", content, _QUERY).get("type", []))
    return {name.decode("utf-8", "replace") for name in _NAME.findall(content)}


def _class_of(path: str, base: Base) -> str:
    """Its full name: the package it declares and its file's name."""
    package = _PACKAGE.search(base.content(path))
    name = path.rpartition("/")[2].rpartition(".")[0]
    return f"{package[1].decode()}.{name}" if package else name
