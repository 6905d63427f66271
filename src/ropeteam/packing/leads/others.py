"""PHP, Go and Ruby: classes by the PSR-4 map of composer.json, packages of the module, files beside the file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final

from ropeteam.core.contract_imports import Lead
from ropeteam.core.model import Finding
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports import go, php
from ropeteam.planners.static.imports.parsing import statements

_BY_NAME_ALONE: Final = re.compile(r"\s*::\s*class\b")
_PHP_COMMENTS: Final = re.compile(r"/\*.*?\*/|(?://|#(?!\[))[^\n]*", re.DOTALL)
_MADE_BY_MAGENTO: Final = re.compile(r"(Factory|\\Proxy|\\Interceptor|Extension(Interface)?)\Z")
"""Classes that Magento writes when they are first asked for. Its modules have a `registration.php`."""
_IN_GO: Final = re.compile(r'"([^"\s]+)"')
_BESIDE: Final = re.compile(rb"""^require_relative\s*\(?\s*(['"])([\w./-]+)\1""", re.MULTILINE)


# ---- PHP


def php_leads(path: str, content: bytes, base: Base) -> Iterator[Lead]:
    """`use` of classes in the project's own namespaces. What is only named (`Order::class`) is not loaded."""
    text = _PHP_COMMENTS.sub(" ", content.decode("utf-8", "replace"))
    for line, kind, said in statements("php", content):
        if kind != "namespace_use_declaration" or re.match(r"use\s+(function|const)\b", said):
            continue
        for name, called in _classes(said):
            if _is_only_named(called, said, text):
                continue
            if targets := _php_targets(name, base):
                yield Lead(path=path, line=line, text=f"use {name}", targets=targets)


def _classes(said: str) -> Iterator[tuple[str, str]]:
    """(full name, what it is called in the file)."""
    called = dict(re.findall(r"([\w\\]+)\s+as\s+(\w+)", said, re.IGNORECASE))
    for name in php.used(said):
        last = name.rpartition("\\")[2]
        alias = next(
            (word for full, word in called.items() if name == full.lstrip("\\") or name.endswith("\\" + full)), last
        )
        yield name, alias


def _is_only_named(called: str, said: str, text: str) -> bool:
    rest = text.replace(said, "", 1)
    found = list(re.finditer(rf"(?<![\w\\$>]){re.escape(called)}\b", rest))
    return all(_BY_NAME_ALONE.match(rest, one.end()) for one in found)


def _php_targets(name: str, base: Base) -> tuple[str, ...]:
    """Where composer's map puts it, where that is surely the project's: its folder is there, or all of `App` is its."""
    if _MADE_BY_MAGENTO.search(name) and "registration.php" in base.by_name:
        return ()
    mapping: list[tuple[str, str]] = base.remembered("psr-4 as declared", lambda: php.declared(base))
    found = []
    for prefix, folder in mapping:
        if prefix and name.startswith(prefix):
            inner = name[len(prefix) :].replace("\\", "/")
            target = f"{folder}/{inner}" if folder else inner
            if prefix != "App\\" and target.rpartition("/")[0] not in base.folders:
                return ()
            found.append(target)
    return tuple(found)


def is_declared(fault: Finding, leads: Sequence[Lead], base: Base) -> bool:
    """Whether a class that is not where it belongs stands in another file."""
    if not fault.path.endswith(".php"):
        return False
    names = [lead.text.rpartition("\\")[2] for lead in leads if (lead.path, lead.line) == (fault.path, fault.line)]
    pattern = "|".join(
        rf"(class|interface|trait|enum)[[:space:]]+{name}|class_alias.*{name}" for name in set(names) if name
    )
    options = ("-q", "-I", "-E", "-w", "--no-textconv", "--no-color")
    done = base.place.git.call("grep", *options, "-e", pattern, base.commit, "--", "*.php", ok=(0, 1, 2, 128))
    return done.returncode != 1


# ---- Go


def go_leads(path: str, content: bytes, base: Base) -> Iterator[Lead]:
    """Packages of the modules in this repository; a folder is one."""
    modules: list[tuple[str, str]] = base.remembered("go modules", lambda: go.modules(base))
    text = content.decode("utf-8", "replace")
    if not modules or re.search(r"^//go:build\s", text, re.MULTILINE):
        return
    needed = {word for _, root in modules for word in _required(root, base)}
    for line, kind, said in statements("go", content):
        if kind != "import_declaration":
            continue
        for count, row in enumerate(said.splitlines()):
            found = _IN_GO.search(row.partition("//")[0])
            target = _go_target(found[1], modules, needed) if found else ""
            if target:
                yield Lead(path=path, line=line + count, text=row.strip(), targets=(target,))


def _go_target(name: str, modules: list[tuple[str, str]], needed: set[str]) -> str:
    """Empty for what is of another module, or may be."""
    for module, root in modules:
        if name.startswith(module + "/"):
            inner = name[len(module) + 1 :]
            other = any(name == word or name.startswith(word + "/") for word in needed if len(word) > len(module))
            return "" if other or re.match(r"v\d+(/|$)", inner) else "/".join(part for part in (root, inner) if part)
    return ""


def _required(root: str, base: Base) -> list[str]:
    text = base.text(f"{root}/go.mod" if root else "go.mod")
    return re.findall(r"^\s*(?:require\s+|replace\s+)?([\w.-]+\.[\w.-]+/[\w./~-]+)\s+(?:v\d|=>)", text, re.MULTILINE)


# ---- Ruby


def ruby_leads(path: str, content: bytes, base: Base) -> Iterator[Lead]:
    """`require_relative` at the start of a line: what is inside of something is indented. A gem that compiles a part of
    itself takes that in so, too."""
    if "extconf.rb" in base.by_name:
        return
    for found in _BESIDE.finditer(content):
        start = posixpath.normpath(posixpath.join(path.rpartition("/")[0], found[2].decode().removesuffix(".rb")))
        if not start.startswith("..") and start != ".":
            line = content.count(b"\n", 0, found.start()) + 1
            yield Lead(path=path, line=line, text=found[0].decode("utf-8", "replace"), targets=(start,))
