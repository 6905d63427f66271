"""Who imports whom, by the planner's resolvers, of a few files in a large commit.

Resolvers look at every file that is asked for, so what cannot be meant is left out before: what a file imports stands
in it by some form of the other's name, and who imports a file is found by `git grep` for its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from ropeteam.core import paths
from ropeteam.core.pack_ranking import nearness
from ropeteam.packing.commits import Commit
from ropeteam.planners.static.imports import Imports

MOST_ASKED: Final = 400  # files that one look at imports may mean
MOST_IMPORTERS: Final = 120  # files that name one of the wanted ones, looked at more closely
MOST_GREPPED: Final = 20_000  # files that are searched for names
MOST_NAMES: Final = 60
SHORTEST_NAME: Final = 3
_WORD: Final = re.compile(rb"[A-Za-z0-9_]{2,80}(?:-[A-Za-z0-9_]+)*")
_FOLDERS_OWN: Final = ("index", "__init__", "mod", "main", "init")


def imported_by(those: Sequence[str], commit: Commit) -> list[str]:
    """What these files import, in the order of the paths."""
    asked = [path for path in those if path in commit.blobs]
    commit.load(asked)
    words = {_bare(word.decode()) for path in asked for word in _WORD.findall(commit.base.content(path))}
    folders = {path.rpartition("/")[0] for path in asked if path.endswith(".go")}
    meant = [
        path
        for path in commit.code
        if _name(path) in words or (path.endswith(".go") and _named_folder(path, words, folders))
    ]
    meant = _nearest(meant, asked, MOST_ASKED)
    commit.load(meant)
    imports = Imports(commit.base, frozenset(meant))
    found = {on for path in asked for on in imports.of(path)}
    return sorted(found - set(asked))


def importers_of(those: Sequence[str], commit: Commit) -> list[str]:
    """What imports these files, in the order of the paths."""
    wanted = frozenset(path for path in those if path in commit.blobs)
    if not wanted:
        return []
    candidates = [path for path in _naming(wanted, commit) if path not in wanted]
    candidates = _nearest(candidates, sorted(wanted), MOST_IMPORTERS)
    commit.load([*candidates, *wanted])
    imports = Imports(commit.base, wanted)
    return sorted(path for path in candidates if imports.of(path))


def among(those: Sequence[str], commit: Commit) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Of these files: what each imports of them, and what imports it."""
    commit.load(those)
    imports = Imports(commit.base, frozenset(those))
    uses: dict[str, list[str]] = {}
    used_by: dict[str, list[str]] = {}
    for path in those:
        for on in sorted(imports.of(path)):
            uses.setdefault(path, []).append(on)
            used_by.setdefault(on, []).append(path)
    return uses, used_by


def _naming(wanted: Iterable[str], commit: Commit) -> list[str]:
    """Code in which the name of one of these files stands."""
    names = sorted({name for path in wanted for name in _spelled(path)})[:MOST_NAMES]
    code = set(commit.code)
    where = _searched(sorted(wanted), commit)
    if not names or where is None:
        return []
    patterns = [part for name in names for part in ("-e", name)]
    options = ("-l", "-z", "-I", "-F", "--no-textconv", "--no-color", "--full-name")
    done = commit.place.git.call("grep", *options, *patterns, commit.commit, "--", *where, ok=(0, 1, 2, 128))
    if done.returncode not in (0, 1):
        return []
    start = f"{commit.commit}:"
    found = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return [path for each in found if (path := each.removeprefix(start)) in code]


def _searched(wanted: Sequence[str], commit: Commit) -> tuple[str, ...] | None:
    """Where importers are looked for: everywhere, in a very large repository only in the wanted files' top folders;
    None where even that is too much."""
    if len(commit.blobs) <= MOST_GREPPED:
        return (".",)
    tops = sorted({path.partition("/")[0] for path in wanted if "/" in path})
    inside = sum(path.partition("/")[0] in tops for path in commit.blobs)
    return tuple(f":(top,literal){top}" for top in tops) if tops and inside <= MOST_GREPPED else None


def _spelled(path: str) -> list[str]:
    """How other files may call it: its name, its folder's for an index, in Ruby its constant."""
    folder, _, name = path.rpartition("/")
    stem = name.partition(".")[0]
    forms = [stem.lstrip("_")]
    if stem.lower() in _FOLDERS_OWN or path.endswith(".go"):
        forms.append(folder.rpartition("/")[2])
    if path.endswith(".rb"):
        forms.append("".join(part[:1].upper() + part[1:] for part in stem.split("_")))
    if path.endswith(".go"):
        forms.remove(forms[0])
    return [form for form in forms if len(form) >= SHORTEST_NAME and form.lower() not in _FOLDERS_OWN]


def _name(path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = name.partition(".")[0]
    return _bare(folder.rpartition("/")[2] if stem.lower() in _FOLDERS_OWN and folder else stem)


def _bare(word: str) -> str:
    """`OrderService`, `order_service` and `order-service` are one name."""
    return word.replace("_", "").replace("-", "").lower()


def _named_folder(path: str, words: set[str], own: set[str]) -> bool:
    folder = path.rpartition("/")[0]
    return folder in own or _bare(folder.rpartition("/")[2]) in words


def _nearest(those: Sequence[str], to: Sequence[str], most: int) -> list[str]:
    if len(those) <= most:
        return list(those)
    folders = {path.rpartition("/")[0] for path in to}
    near = {folder: nearness(f"{folder}/x", folders) for folder in {path.rpartition("/")[0] for path in those}}
    order = sorted(those, key=lambda path: (-near[path.rpartition("/")[0]], paths.is_test(path), path))
    return order[:most]
