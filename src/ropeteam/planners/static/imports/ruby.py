"""Ruby: `require_relative`, `require`, constants by Rails' autoloading rules, associations, partials."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from ropeteam.grammars import has
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports.parsing import captured
from ropeteam.planners.static.kinds import singular

_QUERY: Final = """
(scope_resolution) @constant
(constant) @constant
"""
_CONSTANT: Final = re.compile(rb"(?<![\w.@$])(?:::)?[A-Z]\w*(?:::[A-Z]\w*)*")
_COMMENT: Final = re.compile(rb"^[ \t]*#[^\n]*|^=begin\b.*?^=end\b", re.MULTILINE | re.DOTALL)
_REQUIRE: Final = re.compile(rb"""^\s*require(_relative)?\s*\(?\s*['"]([\w./-]+)['"]""", re.MULTILINE)
_RELATION: Final = re.compile(rb"\b(?:has_many|has_one|belongs_to|has_and_belongs_to_many)\s*\(?\s*:(\w+)")
_CLASS_NAME: Final = re.compile(rb"""class_name:\s*['"]([\w:]+)['"]""")
_PARTIAL: Final = re.compile(rb"""\brender\s*\(?\s*(?:partial:\s*|template:\s*)?['"]([\w/]+)['"]""")
_ROUTED: Final = re.compile(rb"\b(?:\w+_)?resources?\s*\(?\s*:(\w+)")
MOST_NESTED: Final = 6
_ROOT: Final = re.compile(r"(?:^|/)(?:app/(?:[a-z_]+)(?:/concerns)?|lib)/(?=.)")
_MODULE: Final = re.compile(rb"^\s*(?:module|class)\s+([A-Z][\w:]*)", re.MULTILINE)


def imported(path: str, content: bytes, base: Base, wanted: frozenset[str]) -> set[str]:
    found = _required(path, content, base)
    names = _constants(content)
    names |= {_camel(singular(name.decode())) for name in _RELATION.findall(content)}
    names |= {name.decode() for name in _CLASS_NAME.findall(content)}
    names = {name.lstrip(":") for name in names}
    opened = [name.decode() for name in _MODULE.findall(content)][:MOST_NESTED]
    spaces = {"::".join(opened[:count]) for count in range(1, len(opened) + 1)} | set(opened)
    for other in wanted:
        if other.endswith(".rb") and (full := _constant_of(other)) and _means(names, spaces, full):
            found.add(other)
    if path.endswith("routes.rb"):
        routed = {name.decode() for name in _ROUTED.findall(content)}
        found |= {other for other in wanted if other.rpartition("/")[2].removesuffix("_controller.rb") in routed}
    partials = [name.decode() for name in _PARTIAL.findall(content)]
    found |= {other for other in wanted if any(_is_partial(other, name) for name in partials)}
    return found & wanted


def _constants(content: bytes) -> set[str]:
    """Constants that a file names, whole and in parts. Without the grammar those that its strings name as well."""
    if has("ruby"):
        return set(captured("ruby", content, _QUERY).get("constant", []))
    whole = {name.decode() for name in _CONSTANT.findall(_COMMENT.sub(b"", content))}
    return whole.union(*(name.split("::") for name in whole))


def _required(path: str, content: bytes, base: Base) -> set[str]:
    found = set()
    for relative, name in _REQUIRE.findall(content):
        target = name.decode().removesuffix(".rb")
        if relative:
            starts = [posixpath.normpath(posixpath.join(path.rpartition("/")[0], target))]
        else:
            starts = [f"lib/{target}", f"app/{target}", target]
            starts += [f"{root}lib/{target}" for root in _gem_roots(path)]
        found |= {f"{start}.rb" for start in starts if f"{start}.rb" in base.names}
    return found


def _gem_roots(path: str) -> list[str]:
    """Folders above a file that hold a `lib`, as gems inside a repository do."""
    parts = path.split("/")
    return ["/".join(parts[:n]) + "/" for n in range(1, len(parts)) if parts[n] in ("lib", "app", "spec", "test")]


def _constant_of(path: str) -> str:
    """`app/models/spree/line_item.rb` -> `Spree::LineItem`; empty outside of the folders that are autoloaded."""
    root = _ROOT.search(path)
    if root is None:
        return ""
    return "::".join(_camel(part) for part in path[root.end() :].removesuffix(".rb").split("/"))


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _means(names: set[str], spaces: set[str], full: str) -> bool:
    """Whether one of the constants is this one: by its full name, or by the rest of it inside of a namespace."""
    if full in names:
        return True
    return any(full.startswith(space + "::") and full[len(space) + 2 :] in names for space in spaces)


def _is_partial(path: str, name: str) -> bool:
    folder, _, last = name.rpartition("/")
    start = f"{folder}/_{last}." if folder else f"/_{last}."
    return "views/" in path and (f"/{start.lstrip('/')}" in path)
