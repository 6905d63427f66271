"""Where the imports of some files lead, as they are written: for `core.contract_imports`, which says what is a fault.

Only what is carried out whenever its file is loaded, and can mean nothing but a file of the project. Nothing of the
project is run, and nothing here raises for a file's contents.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ropeteam.core import paths
from ropeteam.core.contract_imports import Lead, Tree, brought_in, faults
from ropeteam.core.model import Finding
from ropeteam.git.repository import HasGit
from ropeteam.packing.leads import others, python, web
from ropeteam.planners.static.base import Base

MOST: Final = 500  # files of one contract that are looked at
MOST_OTHERS: Final = 50  # files that may have imported the same before
_TEMPLATE: Final = re.compile(r"(^|/)(templates?|skeletons?|scaffold(s|ing)?|boilerplates?|stubs)/|\{\{|\[\[")

Finder = Callable[[str, bytes, Base], Iterator[Lead]]
"""(path, contents, commit) -> where its imports lead."""

_FINDERS: Final[Mapping[str, Finder]] = {
    "py": python.leads,
    **dict.fromkeys(("js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "vue", "svelte", "astro"), web.leads),
    "php": others.php_leads,
    "go": others.go_leads,
    "rb": others.ruby_leads,
}


def astray(
    place: HasGit, onto: str, commit: str, changed: Sequence[str], beside: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Imports that lead nowhere in `commit`, of these files, and did not in `onto`. beside: as for `Tree`."""
    looked_at = [path for path in changed if paths.suffix(path) in _FINDERS and not _is_elsewhere(path)][:MOST]
    now, found = _faults(Base(place, commit), looked_at, beside)
    if not now:
        return ()
    wrong = list(dict.fromkeys(each.path for each in now))
    base = Base(place, onto)
    same, _ = _faults(base, wrong, beside)
    elsewhere, _ = _faults(base, _that_may_say_so(now, found, base), beside)
    return brought_in(now, same, elsewhere)


def _that_may_say_so(faults: Sequence[Finding], found: Sequence[Lead], base: Base) -> list[str]:
    """Files of the commit that name what these lead to."""
    at = {(fault.path, fault.line) for fault in faults}
    words = {lead.targets[0].rpartition("/")[2] for lead in found if (lead.path, lead.line) in at}
    endings = {paths.suffix(fault.path) for fault in faults}
    asked = [part for word in sorted(words) for part in ("-e", word)]
    options = ("-l", "-z", "-I", "-F", "-w", "--no-textconv", "--no-color")
    where = [f"*.{ending}" for ending in sorted(endings)]
    done = base.place.git.call("grep", *options, *asked, base.commit, "--", *where, ok=(0, 1, 2, 128))
    names = (os.fsdecode(name).removeprefix(f"{base.commit}:") for name in done.stdout.split(b"\0") if name)
    return [name for name in names if name in base.names and not _is_elsewhere(name)][:MOST_OTHERS]


def _is_elsewhere(path: str) -> bool:
    """It is no code of the project as it stands there: broken on purpose, or filled in and put somewhere else."""
    return paths.is_fixture(path) or _TEMPLATE.search(path) is not None


def _faults(
    base: Base, looked_at: Sequence[str], beside: Sequence[str]
) -> tuple[tuple[Finding, ...], tuple[Lead, ...]]:
    """Of these files, and all that they import."""
    base.load(looked_at)
    found = tuple(lead for path in looked_at for lead in _leads(path, base))
    if not found:
        return (), ()
    ignores = base.by_name.get(".gitignore", [])
    base.load(ignores)
    tree = Tree(base.files, beside, [(path.rpartition("/")[0], base.text(path)) for path in ignores])
    return tuple(each for each in faults(found, tree) if not others.is_declared(each, found, base)), found


def _leads(path: str, base: Base) -> Iterator[Lead]:
    content = base.content(path)
    if not content or b"\0" in content[:8000] or path.endswith(".blade.php"):
        return
    yield from _FINDERS[paths.suffix(path)](path, content, base)
