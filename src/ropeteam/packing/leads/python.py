"""Python: imports right in a module, not inside of anything (a function, an `if`, a `try`)."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from ropeteam import grammars
from ropeteam.core.contract_imports import Lead
from ropeteam.planners.static.base import Base

_MAY_NOT_BE_LOADED: Final = re.compile(r"importorskip|allow_module_level|__package__\s*=|sys\.exit|SystemExit")
"""In a file: what comes after it may not be carried out, or mean something else."""
_LOOKS_ELSEWHERE: Final = re.compile(r"sys\.(path|meta_path|modules)|addsitedir|__path__|extend_path|declare_namespace")
"""In a file or a package on the way: names may come from where nobody can see them."""
_MAKES_NAMES: Final = re.compile(
    r"__getattr__|import\s*\*|globals\(|locals\(|vars\(|setattr\(|\bexec\(|\beval\(|__dict__|sys\.modules|lazy"
    r"|__class__\s*=|global_enum|_convert_\("
)
"""In a module: it may have names that are not written down in it."""
_LINK: Final = re.compile(r"[\w@./-]+")  # what a symbolic link holds
_PROJECT: Final = ("pyproject.toml", "setup.py", "setup.cfg", "manage.py", "Pipfile", "requirements.txt", "tox.ini")
_WORD: Final = re.compile(r"^[ \t]*([A-Za-z0-9][\w.-]*)", re.MULTILINE)  # of a requirement
MOST_NEEDED: Final = 50  # files that say what is to be installed
_NEEDED: Final = re.compile(r"(requirements[\w.-]*\.txt|pyproject\.toml|setup\.(py|cfg)|Pipfile)\Z")


def leads(path: str, content: bytes, base: Base) -> Iterator[Lead]:
    text = content.decode("utf-8", "replace")
    tree = grammars.python(text)
    if tree is None or _MAY_NOT_BE_LOADED.search(text):
        return
    elsewhere = _LOOKS_ELSEWHERE.search(text) is not None
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            if node.module != "__future__" and (node.level or not elsewhere):
                yield from _from(path, node, base)
        elif isinstance(node, ast.Import) and not elsewhere:
            for alias in node.names:
                if roots := _roots(path, alias.name, base):
                    targets = _or_elsewhere(_targets(roots, alias.name), alias.name, base)
                    if not _hidden(targets, base):
                        yield Lead(path=path, line=node.lineno, text=f"import {alias.name}", targets=targets)


def _from(path: str, node: ast.ImportFrom, base: Base) -> Iterator[Lead]:
    module, names = node.module or "", tuple(alias.name for alias in node.names)
    text = f"from {'.' * node.level}{module} import {', '.join(names)}"
    if node.level:
        parts = path.split("/")[:-1]
        if node.level - 1 > len(parts):
            return  # above the repository
        targets = _targets(["/".join(parts[: len(parts) - (node.level - 1)])], module)
    else:
        targets = _or_elsewhere(_targets(_roots(path, module, base), module), module, base)
    if not targets or not all(targets) or _hidden(targets, base):
        return
    found = next((file for target in targets if (file := _file(target, base))), "")
    if names == ("*",) or not found:
        yield Lead(path=path, line=node.lineno, text=text, targets=targets)
        return
    wanted = tuple(name for name in names if not name.startswith("__"))
    known = None
    if wanted and len(targets) == 1:
        known = base.remembered(f"names of {found}", lambda: _known(found, base))
    yield Lead(path=path, line=node.lineno, text=text, targets=targets, names=wanted, module=found, known=known)


def _roots(path: str, module: str, base: Base) -> list[str]:
    """Folders in which the first part of an absolute name is a package or module of this project; none where it may be
    another's."""
    first = module.partition(".")[0]
    if first in sys.stdlib_module_names:
        return []
    above = _above(path)
    tops = ["", *(folder for folder in above if any(f"{folder}/{name}" in base.names for name in _PROJECT))]
    places = [f"{top}/{inner}".strip("/") for top in tops for inner in ("", "src", "lib")]
    own = [place for place in dict.fromkeys(places) if _is_module(place, first, base)]
    if not own or (not all(_is_package(place, first, base) for place in own) and _is_needed(first, base)):
        return []
    if _normal(first) in base.remembered("of others", lambda: _of_others(base)):
        return []  # `alembic/__init__.py` beside what is called so in the environment
    beside = [folder for folder in above if folder not in own and _may_be(folder, first, base)]
    return [*own, *beside]


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name


def _is_module(folder: str, name: str, base: Base) -> bool:
    return f"{_join(folder, name)}.py" in base.names or _is_package(folder, name, base)


def _is_package(folder: str, name: str, base: Base) -> bool:
    return f"{_join(folder, name)}/__init__.py" in base.names


def _may_be(folder: str, name: str, base: Base) -> bool:
    return _join(folder, name) in base.folders or f"{_join(folder, name)}.py" in base.names


def _is_needed(name: str, base: Base) -> bool:
    """Whether the project names something like it among what is to be installed."""
    word = re.compile(rf"(?i)(?<![\w.-]){re.escape(name).replace('_', '[-_.]')}(?![\w])")
    return any(word.search(text) for text in base.remembered("what is to be installed", lambda: _installed(base)))


def _of_others(base: Base) -> frozenset[str]:
    """What pyproject.toml, Pipfile and requirements say is to be installed, but for projects of this repository."""
    named: set[str] = set()
    own: set[str] = set()
    for path, text in zip(_needed(base), _installed(base), strict=True):
        if path.endswith(".txt"):
            named.update(_WORD.findall(text))
        elif path.endswith(("pyproject.toml", "Pipfile")):
            told = _toml(text)
            own.update(str(_in(told, *keys, "name")) for keys in (("project",), ("tool", "poetry")))
            named.update(_dependencies(told))
    return frozenset(map(_normal, named)) - frozenset(map(_normal, own))


def _dependencies(told: Any) -> Iterator[str]:
    groups = (_in(told, "project", "optional-dependencies"), _in(told, "dependency-groups"))
    lists = [_in(told, "project", "dependencies"), *(each for group in groups for each in _values(group))]
    for each in lists:
        yield from (found[1] for one in _values(each) if isinstance(one, str) and (found := _WORD.match(one)))
    poetry = _in(told, "tool", "poetry")
    tables = [_in(poetry, "dependencies"), *(_in(group, "dependencies") for group in _values(_in(poetry, "group")))]
    for table in (*tables, _in(told, "packages"), _in(told, "dev-packages")):
        yield from table if isinstance(table, dict) else ()


def _in(told: Any, *keys: str) -> Any:
    for key in keys:
        told = told.get(key) if isinstance(told, dict) else None
    return told


def _values(told: Any) -> list[Any]:
    return list(told.values()) if isinstance(told, dict) else told if isinstance(told, list) else []


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(base: Base) -> list[str]:
    needed = _needed(base)
    base.load(needed)
    return [base.text(path) for path in needed]


def _needed(base: Base) -> list[str]:
    return [path for path in base.files if _NEEDED.search(path)][:MOST_NEEDED]


def _targets(roots: list[str], module: str) -> tuple[str, ...]:
    return tuple(_join(root, module.replace(".", "/")) for root in roots)


def _or_elsewhere(targets: tuple[str, ...], module: str, base: Base) -> tuple[str, ...]:
    """With the other places where a module of that name is: a `conftest.py`, a setting or an installation of another
    part of the repository may have put one of them on the way."""
    path = module.replace(".", "/")
    last = path.rpartition("/")[2].lower()
    places = (*base.folders_by_name.get(last, ()), *(file[:-3] for file in base.by_name.get(f"{last}.py", ())))
    more = (place for place in places if place.endswith(f"/{path}"))
    return tuple(dict.fromkeys((*targets, *more))) if targets else ()


def _file(target: str, base: Base) -> str:
    """The file of a module, as Python chooses it; empty for none and for a folder without `__init__.py`."""
    return next((file for file in (f"{target}/__init__.py", f"{target}.py") if file in base.names), "")


def _hidden(targets: tuple[str, ...], base: Base) -> bool:
    """A package on the way looks for its modules elsewhere, or makes them up."""
    for target in targets:
        parts = target.split("/")
        for count in range(1, len(parts)):
            package = f"{'/'.join(parts[:count])}/__init__.py"
            if package in base.names and _LOOKS_ELSEWHERE.search(base.text(package)):
                return True
    return False


def _known(file: str, base: Base) -> frozenset[str] | None:
    """The names that a module has once it is loaded; None where they may not all be written down in it."""
    text = base.text(file)
    if (not text and not file.endswith("__init__.py")) or _LINK.fullmatch(text):  # too large; somewhere else
        return None
    tree = grammars.python(text)
    if tree is None or _MAKES_NAMES.search(text) or _LOOKS_ELSEWHERE.search(text):
        return None
    found: set[str] = set()
    for node in ast.walk(tree):  # what is bound in a function is not the module's; to think so is a doubt that passes
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names):
                found.update((each.asname or each.name).partition(".")[0] for each in names)
            case ast.ImportFrom(names=names):
                found.update(each.asname or each.name for each in names)
            case ast.Global(names=words):
                found.update(words)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                found.add(name)
            case _:
                pass
    return frozenset(found)
