"""Whether what the contract's files import is there: the units that build on it could not even be loaded otherwise.

A doubt passes: a false alarm takes the contract out and ends the work of several agents. So only imports count that are
carried out whenever their file is loaded and can mean nothing but a file of the project (`ropeteam.packing.leads` finds
them); and what is ignored by git, generated, put beside the commit, or led nowhere before is no fault.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from ropeteam.core.model import Finding, Value
from ropeteam.core.patterns import owns

LONGEST_TEXT: Final = 120
_GENERATED: Final = re.compile(
    r"""(?ix) (^|[./_-]) (generated|codegen|autogen) ([./_-]|$)
    | (^|/) (gen|dist|build|target|vendor|node_modules|site-packages) /
    | [._-]gen ([./]|$)
    | (^|/) (\.[^/]+|_version|__version__) (/|$)
    | [._]pb (2|2_grpc)? (/|$)"""
)
"""Names of what tools write: it may be made where the project is built, and be in no commit. So may what begins with a
dot (`.svelte-kit`) and `_version`."""
_DOUBLE: Final = re.compile(r"\.(d|ios|android|native|web|server|client|cpython-[\w-]+|abi3)$")
"""What may stand between a module's name and the ending: `x.d.ts`, `x.ios.tsx`, `x.cpython-311-x86_64-linux-gnu.so`."""


class Lead(Value, frozen=True, kw_only=True):
    """An import as it is written in a file, and where it leads within the project.

    path, line, text: where and how it is written. targets: paths with or without their endings; one must be there as a
    file or a folder. names: what it takes by name of the module. module: the file it leads to; known: the names which
    that has, None where nobody can say.
    """

    path: str
    line: int
    text: str
    targets: tuple[str, ...]
    names: tuple[str, ...] = ()
    module: str = ""
    known: frozenset[str] | None = None


class Tree:
    """The paths of a commit, as imports lead to them.

    names: its files. beside: what is put into every tree beside them (`trees.copy`), a folder with or without its `/`.
    ignores: the lines of its `.gitignore` files by their folder.
    """

    def __init__(
        self, names: Iterable[str], beside: Iterable[str] = (), ignores: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._there: set[str] = set()
        self._files = frozenset(names)
        for name in self._files:
            self._there.update(_forms(name))
            folder = name.rpartition("/")[0]
            while folder and folder not in self._there:
                self._there.add(folder)
                folder = folder.rpartition("/")[0]
        self._beside = tuple(path.rstrip("/") for path in beside)
        self._ignored = tuple(pattern for folder, text in ignores for pattern in _patterns(folder, text))

    def has(self, target: str) -> bool:
        return target in self._there

    def may_have(self, target: str) -> bool:
        """It is there, or may be where the project is built; or nobody can say, because what looks like a folder on its
        way is a file here: a symbolic link, a repository of its own."""
        if self.has(target) or _GENERATED.search(target):
            return True
        parts = target.split("/")
        if any("/".join(parts[:count]) in self._files for count in range(1, len(parts))):
            return True
        if any(
            target == b or target.startswith(f"{b}/") or b.startswith((f"{target}.", f"{target}/"))
            for b in self._beside
        ):
            return True
        return any(owns(self._ignored, form) for form in (target, *(f"{target}{ending}" for ending in _ENDINGS)))


_ENDINGS: Final = (".py", ".ts", ".tsx", ".js", ".mjs", ".json", ".php", ".go", ".rb", "/x")


def faults(leads: Sequence[Lead], tree: Tree) -> tuple[Finding, ...]:
    """What leads nowhere, in the order in which it is given."""
    found = []
    for lead in leads:
        if lead.names and all(_GENERATED.search(f"{lead.targets[0]}/{name}") for name in lead.names):
            continue
        if not any(tree.may_have(target) for target in lead.targets):
            found.append(_fault(lead, f"leads to {lead.targets[0]}, which is not there"))
            continue
        missing = [name for name in lead.names if not _has_name(lead, name, tree)]
        if missing:
            which = ", ".join(missing)
            found.append(_fault(lead, f"takes {which} from {lead.module}, which has no such name"))
    return tuple(found)


def brought_in(
    now: Sequence[Finding], before: Collection[Finding], others: Collection[Finding] = ()
) -> tuple[Finding, ...]:
    """Those of `now` that the same file did not have before: what was wrong by itself is no news. On other lines they
    are the same. others: of other files, before: what led nowhere from there as well comes from where nobody can see
    it (it is built, or what puts it there ignores it by itself)."""
    known = {(each.path, each.message) for each in before}
    unseen = {_where(each) for each in others}
    return tuple(each for each in now if (each.path, each.message) not in known and _where(each) not in unseen)


def _where(fault: Finding) -> str:
    """Of its message what is not how it is written there."""
    return fault.message.rpartition("` ")[2]


def _has_name(lead: Lead, name: str, tree: Tree) -> bool:
    if lead.known is None or name in lead.known:
        return True
    return any(tree.may_have(f"{target}/{name}") for target in lead.targets)  # a module of a package


def _fault(lead: Lead, what: str) -> Finding:
    text = " ".join(lead.text.split())
    text = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return Finding(path=lead.path, line=lead.line, message=f"`{text}` {what}", check="imports")


def _forms(name: str) -> Iterable[str]:
    """How a file may be called by what imports it: `a/x.d.ts` is `a/x.d.ts`, `a/x.d` and `a/x`."""
    folder, slash, last = name.rpartition("/")
    yield name
    stem, dot, _ = last.rpartition(".")
    if dot and stem:
        yield f"{folder}{slash}{stem}"
        while shorter := _DOUBLE.sub("", stem):
            if shorter == stem:
                break
            stem = shorter
            yield f"{folder}{slash}{stem}"


def _patterns(folder: str, text: str) -> Iterable[str]:
    """The lines of a `.gitignore`, as they are seen from the root. What is taken back (`!`) stays ignored here: a
    doubt."""
    for line in text.splitlines():
        line = line.rstrip()
        if not line or line.startswith(("#", "!")):
            continue
        if not folder:
            yield line
        elif "/" in line.rstrip("/"):
            yield f"{folder}/{line.lstrip('/')}"
        else:
            yield f"{folder}/**/{line}"
