"""Go: a package is a folder, so it is its names that tell which of a package's files are meant."""

from __future__ import annotations

import re
from typing import Final

from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports.parsing import captured

_QUERY: Final = """
(import_spec path: (interpreted_string_literal) @path)
(selector_expression operand: (identifier) @package field: (field_identifier) @name)
(qualified_type package: (package_identifier) @package name: (type_identifier) @name)
(identifier) @own
(type_identifier) @own
"""
_DEFINED: Final = re.compile(
    rb"^(?:func(?:\s*\([^)]*\))?\s+(\w+)|type\s+(\w+)|(?:var|const)\s+(\w+)|\t(\w+)(?:\s+[\w.\[\]*]+)?\s*=)",
    re.MULTILINE,
)
_METHOD: Final = re.compile(rb"^func\s*\([^)]*\)\s+(\w+)", re.MULTILINE)


def imported(path: str, content: bytes, base: Base, wanted: frozenset[str]) -> set[str]:
    """Files of imported packages, and of its own, that define a name it uses."""
    goes = [other for other in wanted if other.endswith(".go") and other in base.names and other != path]
    if not goes:
        return set()
    found = captured("go", content, _QUERY)
    folders = {folder for name in found.get("path", []) if (folder := _folder(name.strip('"'), base)) is not None}
    used = set(found.get("name", []))
    own = set(found.get("own", [])) - _defined(content)
    here = path.rpartition("/")[0]
    result = set()
    for other in goes:
        folder = other.rpartition("/")[0]
        if other.endswith("_test.go") and not (folder == here and path.endswith("_test.go")):
            continue
        if (folder in folders and used & _names(other, base)[0]) or (folder == here and own & _names(other, base)[1]):
            result.add(other)
    return result


def _names(path: str, base: Base) -> tuple[set[str], set[str]]:
    """What a file of the base commit defines, and what of it is used bare; looked at once."""
    names: tuple[set[str], set[str]] = base.remembered(
        f"go {path}", lambda: (_defined(base.content(path)), _plain(base.content(path)))
    )
    return names


def _folder(name: str, base: Base) -> str | None:
    """The folder of an imported package of this repository."""
    for module, root in base.remembered("go modules", lambda: modules(base)):
        if name == module or name.startswith(module + "/"):
            inner = name[len(module) + 1 :]
            return "/".join(part for part in (root, inner) if part)
    return None


def modules(base: Base) -> list[tuple[str, str]]:
    """(module, folder) of every go.mod, the longest first."""
    found = []
    for path in [p for p in base.by_name.get("go.mod", []) if "vendor/" not in p][:100]:
        if said := re.search(r"^module\s+(\S+)", base.text(path), re.MULTILINE):
            found.append((said[1], path.rpartition("/")[0]))
    return sorted(found, key=lambda pair: -len(pair[0]))


def _defined(content: bytes) -> set[str]:
    """Names that a file defines, methods included."""
    return {name.decode("utf-8", "replace") for groups in _DEFINED.findall(content) for name in groups if name}


def _plain(content: bytes) -> set[str]:
    """Names that other files of the package use bare: all but methods."""
    return (
        _defined(content)
        - {name.decode("utf-8", "replace") for name in _METHOD.findall(content)}
        - {"init", "main", "err", "_"}
    )
