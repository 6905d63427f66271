"""JavaScript, TypeScript, Vue, Svelte, Astro: relative paths, tsconfig paths, packages of the same workspace."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ropeteam.core import paths
from ropeteam.grammars import GRAMMARS
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports.parsing import captured

_QUERY: Final = """
(import_statement source: (string (string_fragment) @from))
(export_statement source: (string (string_fragment) @again))
(call_expression function: (import) arguments: (arguments . (string (string_fragment) @from)))
(call_expression function: (identifier) @require arguments: (arguments . (string (string_fragment) @from))
  (#any-of? @require "require" "lazy" "mock"))
(call_expression function: (member_expression) @mock arguments: (arguments . (string (string_fragment) @from))
  (#any-of? @mock "jest.mock" "vi.mock" "jest.requireActual" "require.resolve"))
"""
_TYPED: Final = _QUERY + "(import_require_clause source: (string (string_fragment) @from))\n"
_ENDINGS: Final = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".vue", ".svelte", ".astro", ".json")
_SCRIPT: Final = re.compile(rb"<script\b([^>]*)>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
_FRONT: Final = re.compile(rb"\A---\s*\n(.*?)\n---", re.DOTALL)
_STYLE: Final = re.compile(rb"@(?:import|use|forward)\s+['\"]([^'\"]+)['\"]")
_COMMENTS: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_INDEX: Final = re.compile(r"(?:.*/)?index\.[cm]?[jt]sx?")
_EXPORT: Final = re.compile(rb"^\s*export\s+(?:default\s+)?([^=({\n]*|\{[^}]*\})", re.MULTILINE)
MOST_PACKAGES: Final = 200
_CONFIGS: Final = ("tsconfig.json", "jsconfig.json", "tsconfig.app.json", "tsconfig.base.json")
_ALIASES: Final = ("@/", "~/", "~~/", "@@/", "src/", "#/")


def imported(path: str, content: bytes, base: Base, wanted: frozenset[str]) -> set[str]:
    """Files that it imports; of an index file that only hands on, those behind it that have what is taken."""
    found: set[str] = set()
    for name, _ in _specifiers(path, content):
        target = resolve(name, path, base)
        if target is None:
            continue
        behind = _behind(target, _taken(content, name), base, wanted) if _INDEX.fullmatch(target) else set()
        found |= behind or {target}
    return found & wanted


def _taken(content: bytes, name: str) -> set[bytes]:
    """What a file takes by name from the module that it calls `name`."""
    lists = re.findall(rb"\{([^{}]*)\}\s*from\s*['\"]" + re.escape(name.encode()) + rb"['\"]", content)
    return {
        word
        for one in lists
        for part in one.split(b",")
        if (word := part.replace(b"type ", b"").split(b" as ")[0].strip())
    }


def _behind(index: str, names: set[bytes], base: Base, wanted: frozenset[str]) -> set[str]:
    """Of the files that an index hands on, those wanted ones that have these names in what they export."""
    if not names:
        return set()
    again = {
        target for name, on in _specifiers(index, base.content(index)) if on and (target := resolve(name, index, base))
    }
    exports = {target: b"\n".join(_EXPORT.findall(base.content(target))) for target in again & wanted}
    return {target for target, text in exports.items() if names & set(re.findall(rb"[\w$]+", text))}


def _specifiers(path: str, content: bytes) -> Iterator[tuple[str, bool]]:
    """What stands behind `from`, in `import()` and `require()`; and whether it is handed on (`export ... from`)."""
    for grammar, script in scripts(path, content):
        found = captured(grammar, script, _QUERY if grammar == "javascript" else _TYPED)
        yield from ((name, False) for name in found.get("from", ()))
        yield from ((name, True) for name in found.get("again", ()))


def scripts(path: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """What of a file is JavaScript or TypeScript, with the grammar for it."""
    ending = paths.suffix(path)
    if ending == "astro":
        if front := _FRONT.search(content):
            yield "typescript", front[1]
    elif ending in ("vue", "svelte"):
        for found in _SCRIPT.finditer(content):
            yield ("tsx" if b"tsx" in found[1] else "typescript" if b"ts" in found[1] else "javascript"), found[2]
    elif grammar := GRAMMARS.get(ending):
        yield grammar, content


def resolve(name: str, path: str, base: Base) -> str | None:
    """The file that an import in `path` means; None for a package from outside and for what is not there."""
    name = name.split("?")[0]
    folder = path.rpartition("/")[0]
    if name.startswith("."):
        joined = posixpath.normpath(posixpath.join(folder, name))
        return None if joined.startswith("..") else _file(joined, base)
    if name.startswith("/"):
        return _file(name.lstrip("/"), base)
    return _by_config(name, folder, base) or _by_package(name, base) or _by_custom(name, folder, base)


def _file(start: str, base: Base) -> str | None:
    if start in base.names:
        return start
    bare = re.sub(r"\.[cm]?jsx?$", "", start)
    for stem in dict.fromkeys((start, bare)):
        for ending in _ENDINGS:
            if stem + ending in base.names:
                return stem + ending
    for ending in _ENDINGS:
        if f"{start}/index{ending}" in base.names:
            return f"{start}/index{ending}"
    return None


# ---- tsconfig and jsconfig


def _by_config(name: str, folder: str, base: Base) -> str | None:
    for place in _above(folder):
        for config in _CONFIGS:
            known = f"{place}/{config}" if place else config
            if known in base.names and (found := _by_paths(name, _options(known, base, 0), base)):
                return found
    return None


def _above(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def mapped(name: str, path: str, base: Base) -> list[str]:
    """What the `paths` of the configurations above a file make of a name: where it may lead, there or not."""
    found = []
    for place in _above(path.rpartition("/")[0]):
        for config in _CONFIGS:
            known = f"{place}/{config}" if place else config
            if known in base.names:
                found += list(_mapped(name, _options(known, base, 0)))
    return found


def _by_paths(name: str, options: tuple[str, Mapping[str, list[str]]], base: Base) -> str | None:
    for target in _mapped(name, options):
        if found := _file(target, base):
            return found
    root = options[0]
    base_url = root.rpartition("|")[2]
    return _file(posixpath.normpath(posixpath.join(base_url, name)), base) if "|" in root else None


def _mapped(name: str, options: tuple[str, Mapping[str, list[str]]]) -> Iterator[str]:
    root, mapping = options
    for pattern, targets in mapping.items():
        start, star, end = pattern.partition("*")
        if (
            name == pattern
            if not star
            else name.startswith(start) and name.endswith(end) and len(name) >= len(pattern) - 1
        ):
            inner = name[len(start) : len(name) - len(end)] if star else ""
            for target in targets:
                joined = posixpath.normpath(posixpath.join(root.rpartition("|")[0], target.replace("*", inner)))
                yield joined.removeprefix("./")


_NO_OPTIONS: Final[tuple[str, Mapping[str, list[str]]]] = ("", {})


def _options(config: str, base: Base, depth: int) -> tuple[str, Mapping[str, list[str]]]:
    """(`folder of paths|baseUrl`, paths) of a configuration, of those that it extends, and of its references."""
    known: dict[str, tuple[str, Mapping[str, list[str]]]] = base.remembered("tsconfig", dict)
    if config in known:
        return known[config]
    known[config] = _NO_OPTIONS
    data = _json(base.text(config))
    folder = config.rpartition("/")[0]
    options = data.get("compilerOptions")
    options = options if isinstance(options, dict) else {}
    base_url = options.get("baseUrl")
    mapping = options.get("paths")
    found = _NO_OPTIONS
    if isinstance(mapping, dict) or isinstance(base_url, str):
        from_here = posixpath.normpath(posixpath.join(folder, base_url)) if isinstance(base_url, str) else folder
        from_here = "" if from_here == "." else from_here
        clean = {k: [t for t in v if isinstance(t, str)] for k, v in (mapping or {}).items() if isinstance(v, list)}
        found = (f"{from_here}|{from_here}" if isinstance(base_url, str) else f"{from_here}|\0", clean)
    elif depth < 4:
        for other in _other_configs(data, folder):
            target = (
                other
                if other in base.names
                else f"{other}.json"
                if f"{other}.json" in base.names
                else f"{other}/tsconfig.json"
            )
            if target in base.names and (inherited := _options(target, base, depth + 1)) != _NO_OPTIONS:
                found = inherited
                break
    known[config] = found
    return found


def _other_configs(data: Mapping[str, Any], folder: str) -> Iterator[str]:
    extends = data.get("extends")
    references = data.get("references")
    named = [*(extends if isinstance(extends, list) else [extends])]
    named += (
        [entry.get("path") for entry in references if isinstance(entry, dict)] if isinstance(references, list) else []
    )
    for name in named:
        if isinstance(name, str) and name.startswith("."):
            yield posixpath.normpath(posixpath.join(folder, name))


# ---- packages of the workspace, and aliases that only a bundler knows


def _by_package(name: str, base: Base) -> str | None:
    known: dict[str, str] = base.remembered("packages", lambda: _packages(base))
    parts = name.split("/")
    package = "/".join(parts[:2]) if name.startswith("@") else parts[0]
    if package not in known:
        return None
    folder, rest = known[package], "/".join(parts[2:] if name.startswith("@") else parts[1:])
    starts = [f"{folder}/{rest}", f"{folder}/src/{rest}"] if rest else [f"{folder}/src", f"{folder}/src/main", folder]
    return next((found for start in starts if (found := _file(start.lstrip("/"), base))), None)


def _packages(base: Base) -> dict[str, str]:
    """Names of the repository's own packages, with their folders."""
    manifests = [path for path in base.by_name.get("package.json", []) if "node_modules/" not in path]
    manifests = sorted(manifests, key=lambda path: (path.count("/"), path))[:MOST_PACKAGES]
    base.load(manifests)
    found: dict[str, str] = {}
    for path in manifests:
        name = _json(base.text(path)).get("name")
        if isinstance(name, str) and "/" in path:
            found.setdefault(name, path.rpartition("/")[0])
    return found


def _by_custom(name: str, folder: str, base: Base) -> str | None:
    """`@/x` and `~/x` where no configuration says what they stand for."""
    alias = next((alias for alias in _ALIASES if name.startswith(alias)), None)
    if alias is None:
        return None
    rest = name[len(alias) :]
    for place in _above(folder):
        for inner in ("src", "app", "resources/js", "client/src", ""):
            start = "/".join(part for part in (place, inner, rest) if part)
            if found := _file(start, base):
                return found
    return None


def _json(text: str) -> dict[str, Any]:
    """JSON as people write it in configurations: with comments and commas too many. Empty when it is none."""
    plain = _COMMENTS.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    plain = re.sub(r",(\s*[}\]])", r"\1", plain)
    try:
        data = json.loads(plain)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
