"""JavaScript and TypeScript: `import` and `export … from` right in a file, and `const x = require()`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from ropeteam.core import paths
from ropeteam.core.contract_imports import Lead
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports.parsing import statements
from ropeteam.planners.static.imports.web import mapped, resolve, scripts

_FROM: Final = re.compile(
    r"""\A(?:import|export)\b[^'"`;()]*?\bfrom\s*(['"])(?P<name>[^'"\n]+)\1|\Aimport\s*(['"])(?P<bare>[^'"\n]+)\3"""
)
_REQUIRED: Final = re.compile(
    r"""\A(?:const|let|var)\s+[\w$\s{},:]+=\s*require\(\s*(['"])(?P<name>[^'"\n]+)\1\s*\)\s*;?\Z"""
)
_FOR_TYPES: Final = re.compile(
    r"\A(?:import|export)\s+(?:type|typeof)\b|\A(?:import|export)\s*\{(?:\s*type\s[^,}]*+,?)+\s*\}"
)
_ASSET: Final = frozenset(
    """css scss sass less styl pcss svg png jpg jpeg gif webp avif ico bmp woff woff2 ttf otf eot mp3 mp4 webm wav ogg
    pdf txt md mdx html htm graphql gql wasm glsl vert frag yaml yml toml csv tsv xml bin node sql proto""".split()  # noqa: SIM905
)
"""Brought by a bundler, and often replaced in tests: whether one is needed nobody can say."""
_ODD: Final = frozenset("!*$`{}:%")
_NO_PACKAGE: Final = ("@/", "~/", "@@/", "~~/")
"""What no package's name can begin with: such a name is an alias of the project."""


def leads(path: str, content: bytes, base: Base) -> Iterator[Lead]:
    made_up = re.search(rb"virtual:\s*true", content)  # a test says what it is to get instead
    if made_up or re.search(r"\.d\.[cm]?ts$", path) or _has_several_roots(path, base):
        return
    for grammar, script in scripts(path, content):
        above = content.count(b"\n", 0, max(0, content.find(script)))
        for line, kind, text in statements(grammar, script):
            name = _named(kind, text)
            if name and (targets := _targets(name, path, base)):
                yield Lead(path=path, line=above + line, text=text, targets=targets)


def _named(kind: str, text: str) -> str:
    """The name that a statement imports; empty for none, and for what is there for types alone."""
    if kind in ("import_statement", "export_statement") and not _FOR_TYPES.search(text):
        found = _FROM.search(text)
        return (found["name"] or found["bare"]) if found else ""
    if kind in ("lexical_declaration", "variable_declaration"):
        found = _REQUIRED.search(text)
        return found["name"] if found else ""
    return ""


def _targets(name: str, path: str, base: Base) -> tuple[str, ...]:
    name = re.split(r"[?#]", name)[0] if not name.startswith("#") else ""
    if not name or _ODD & set(name) or paths.suffix(name) in _ASSET:
        return ()
    if name.startswith("."):
        start = posixpath.normpath(posixpath.join(path.rpartition("/")[0], name))
        return () if start.startswith("..") or start == "." else _spelled(start)
    if not name.startswith(_NO_PACKAGE) or resolve(name, path, base):
        return ()
    meant = mapped(name, path, base)
    if any(target.startswith("..") or "node_modules" in target for target in meant):
        return ()
    return tuple(form for target in meant for form in _spelled(target))


def _spelled(start: str) -> tuple[str, ...]:
    """As it is written, and without the `.js` that may mean a `.ts`."""
    return tuple(dict.fromkeys((re.sub(r"\.[cm]?jsx?$", "", start), start)))


def _has_several_roots(path: str, base: Base) -> bool:
    """`rootDirs` lays folders over each other: what is beside a file may be anywhere."""
    folders = path.split("/")[:-1]
    above = ["", *("/".join(folders[:count]) + "/" for count in range(1, len(folders) + 1))]
    configs = [f"{folder}tsconfig{more}.json" for folder in above for more in ("", ".app", ".base")]
    configs = [config for config in configs if config in base.names]
    base.load(configs)
    return any("rootDirs" in base.text(config) for config in configs)
