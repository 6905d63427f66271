"""Python: `import a.b`, `from a.b import c`, `from . import c`, by the standard library's own parser."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterator

from ropeteam import grammars
from ropeteam.planners.static.base import Base

_STATEMENT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+([\w, \t]+|\()|import[ \t]+([\w., \t]+))", re.MULTILINE
)


def imported(path: str, content: bytes, base: Base, wanted: frozenset[str]) -> set[str]:
    """Modules that it imports. A name taken from a package leads to the package and, where the package itself takes it
    from a module of its own, to that one too."""
    found: set[str] = set()
    for level, module, names in _of(path, content, base):
        for folder in _folders(path, level, module, base):
            target = _module(folder, module, base)
            inner = {name: _module(_joined(folder, module), name, base) for name in names}
            if target is None and not any(inner.values()) and not _is_package(folder, module, base):
                continue
            found.update(each for each in inner.values() if each)
            its_own = {name for name, each in inner.items() if not each}
            if target and (its_own or not names):  # a package of which only modules are taken adds nothing
                found.add(target)
                if target.endswith("__init__.py"):
                    found |= _passed_on(target, its_own, base, wanted)
            break
    return found & wanted


def _of(path: str, content: bytes, base: Base) -> list[tuple[int, str, list[str]]]:
    """Of a file of the base commit, parsed once."""
    found: list[tuple[int, str, list[str]]] = base.remembered(f"python {path}", lambda: list(_statements(content)))
    return found


def _statements(content: bytes) -> Iterator[tuple[int, str, list[str]]]:
    """(level, module, names) of each; `import a` has no names."""
    text = content.decode("utf-8", "replace")
    tree = grammars.python(text)
    if tree is None:
        yield from _loose(text)
        return
    for node in _inside(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name, []


def _inside(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement, however deep. Expressions are passed over: no import stands in one, and they are most of it."""
    left: deque[ast.AST] = deque([tree])
    while left:
        node = left.popleft()
        yield node
        for part in ("body", "handlers", "cases", "orelse", "finalbody"):
            inner = getattr(node, part, None)
            if isinstance(inner, list):  # a lambda's body is an expression
                left.extend(inner)


def _loose(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """The same of a file that does not parse (another version of Python)."""
    for found in _STATEMENT.finditer(text):
        if found[3]:
            for name in found[3].split(","):
                yield 0, name.split()[0] if name.split() else "", []
        else:
            module = found[1].lstrip(".")
            yield len(found[1]) - len(module), module, [n.split()[0] for n in found[2].split(",") if n.split()]


def _folders(path: str, level: int, module: str, base: Base) -> Iterator[str]:
    """Where a module may begin: for a relative import one folder; else the folders above the file and usual roots."""
    parts = path.split("/")[:-1]
    if level:
        if level - 1 <= len(parts):
            yield "/".join(parts[: len(parts) - (level - 1)])
        return
    above = ["/".join(parts[:count]) for count in range(len(parts) + 1)]
    first = module.partition(".")[0]
    for folder in (*above, *(_joined(root, "src").replace(".", "/") for root in above), "src", "lib"):
        if _joined(folder, first) in base.folders or f"{_joined(folder, first)}.py" in base.names:
            yield folder


def _joined(folder: str, module: str) -> str:
    inner = module.replace(".", "/")
    return f"{folder}/{inner}" if folder and inner else folder or inner


def _module(folder: str, module: str, base: Base) -> str | None:
    start = _joined(folder, module)
    for candidate in (f"{start}.py", f"{start}/__init__.py", f"{start}.pyi"):
        if candidate in base.names:
            return candidate
    return None


def _is_package(folder: str, module: str, base: Base) -> bool:
    return _joined(folder, module) in base.folders


def _passed_on(package: str, names: set[str], base: Base, wanted: frozenset[str]) -> set[str]:
    """Modules from which a package takes these names, to hand them on."""
    if not names or not any(path.startswith(package.rpartition("/")[0] + "/") for path in wanted):
        return set()
    found = set()
    folder = package.rpartition("/")[0]
    for level, module, taken in _of(package, base.content(package), base):
        if level == 1 and (names & set(taken) or "*" in taken) and (target := _module(folder, module, base)):
            found.add(target)
    return found
