"""PHP: `use` and class names through the PSR-4 map of composer.json; Blade templates and Inertia pages by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports.parsing import captured

_QUERY: Final = """
(namespace_definition name: (namespace_name) @namespace)
(namespace_use_declaration) @use
(qualified_name) @qualified
(named_type (name) @name)
(object_creation_expression (name) @name)
(class_constant_access_expression . (name) @name)
(scoped_call_expression scope: (name) @name)
(scoped_property_access_expression scope: (name) @name)
(base_clause (name) @name)
(class_interface_clause (name) @name)
(use_declaration (name) @name)
(attribute (name) @name)
"""
_VIEW: Final = re.compile(
    rb"""(?:\bview|View::make|->view|markdown|@include(?:If|When|Unless|First)?|@extends|@component|@each|->layout|->extends)\(\s*(?:view:\s*)?['"]([\w.:/-]+)['"]"""
)
_VIEW_NAMED: Final = re.compile(rb"""\b(?:view|markdown|html|text):\s*['"]([\w.:/-]+)['"]""")
_TAG: Final = re.compile(rb"<x-([\w.:-]+)|<livewire:([\w.:-]+)|@livewire\(\s*['\"]([\w.:-]+)['\"]")
_PAGE: Final = re.compile(rb"""(?:Inertia::render|inertia)\(\s*['"]([\w./-]+)['"]""")
_REQUIRED: Final = re.compile(
    rb"""\b(?:require|include)(?:_once)?\s*\(?\s*(?:__DIR__\s*\.\s*)?['"]/?([\w./-]+\.php)['"]"""
)
MOST_MANIFESTS: Final = 50


def imported(path: str, content: bytes, base: Base, wanted: frozenset[str]) -> set[str]:
    found = {target for name in _names(path, content) for target in _class_files(name, base)}
    found |= _templates(content, wanted)
    folder = path.rpartition("/")[0]
    for name in _REQUIRED.findall(content):
        relative = name.decode()
        found |= {p for p in (relative, f"{folder}/{relative}") if p in base.names}
    return found & wanted


def _names(path: str, content: bytes) -> Iterator[str]:
    """Full names of the classes that it names."""
    if path.endswith(".blade.php"):
        yield from (found.decode() for found in re.findall(rb"\\?([A-Z]\w*(?:\\[A-Z]\w*)+)", content))
        return
    found = captured("php", content, _QUERY)
    namespace = next(iter(found.get("namespace", [])), "")
    uses = [name for text in found.get("use", []) for name in used(text)]
    yield from uses
    yield from (name.lstrip("\\") for name in found.get("qualified", []))
    short = {name.rpartition("\\")[2] for name in uses}
    if namespace:
        yield from (f"{namespace}\\{name}" for name in set(found.get("name", [])) - short)


def used(text: str) -> Iterator[str]:
    """`use A\\B, C\\{D, E as F};` as full names."""
    inner = re.sub(r"^use\s+(?:function\s+|const\s+)?", "", text.strip()).rstrip(";").strip()
    if group := re.fullmatch(r"(.*)\\\{(.*)\}", inner, re.DOTALL):
        inner = ",".join(f"{group[1]}\\{part.strip()}" for part in group[2].split(",") if part.strip())
    for part in inner.split(","):
        name = re.split(r"\s+as\s+", part.strip(), flags=re.IGNORECASE)[0].strip().lstrip("\\")
        if name:
            yield name


def _class_files(name: str, base: Base) -> Iterator[str]:
    for prefix, folder in base.remembered("psr-4", lambda: _prefixes(base)):
        if name.startswith(prefix):
            path = "/".join(part for part in (folder, name[len(prefix) :].replace("\\", "/") + ".php") if part)
            if path in base.names:
                yield path
                return


def _prefixes(base: Base) -> list[tuple[str, str]]:
    """(namespace with its last `\\`, folder) of every composer.json, the longest first; Laravel's own too."""
    laravels = [("App\\", "app"), ("Tests\\", "tests"), ("Database\\Factories\\", "database/factories")]
    return sorted(dict.fromkeys((*declared(base), *laravels)), key=lambda pair: -len(pair[0]))


def declared(base: Base) -> list[tuple[str, str]]:
    """(namespace with its last `\\`, folder) of every composer.json."""
    manifests = [p for p in base.by_name.get("composer.json", []) if "vendor/" not in p and "node_modules/" not in p]
    manifests = sorted(manifests, key=lambda path: (path.count("/"), path))[:MOST_MANIFESTS]
    base.load(manifests)
    found: list[tuple[str, str]] = []
    for manifest in manifests:
        try:
            data = json.loads(base.text(manifest))
        except (ValueError, RecursionError):
            continue
        root = manifest.rpartition("/")[0]
        for section in ("autoload", "autoload-dev"):
            mapping = (
                data.get(section, {}).get("psr-4", {})
                if isinstance(data, dict) and isinstance(data.get(section, {}), dict)
                else {}
            )
            for prefix, folders in mapping.items() if isinstance(mapping, dict) else ():
                for folder in folders if isinstance(folders, list) else [folders]:
                    if isinstance(folder, str):
                        found.append((prefix, "/".join(part for part in (root, folder.strip("/")) if part)))
    return found


def _templates(content: bytes, wanted: frozenset[str]) -> set[str]:
    """Blade templates and pages of the front end that it renders or includes, of those that are wanted."""
    names = {n.decode().replace(".", "/") for n in (*_VIEW.findall(content), *_VIEW_NAMED.findall(content))}
    for component, livewire, called in _TAG.findall(content):
        if component:
            names.add("components/" + component.decode().replace(".", "/"))
        else:
            names.add("livewire/" + (livewire or called).decode().replace(".", "/"))
    pages = {name.decode() for name in _PAGE.findall(content)}
    return {
        path
        for path in wanted
        if any(
            path.endswith(f"views/{name}.blade.php") or path.endswith(f"templates/{name}.html.twig") for name in names
        )
        or any(re.search(rf"(?i:/pages)/{re.escape(page)}\.\w+$", path) for page in pages)
    }
