"""What landing and its repair share: the user's checkout as landing sees it, and what it looks at before it acts."""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ropeteam.core.model import LandedReason, RepoFacts
from ropeteam.git.calls import Git, failure
from ropeteam.git.repository import Repo, commit_of
from ropeteam.git.repository import branch as checked_out
from ropeteam.git.store import Store

LOCK_SECONDS = 3.0  # how long another git may hold the index before we give up
SHOWN = 5  # paths named in a sentence
GITLINK = "160000"
ABSENT = "000000"

Progress = Callable[[str], None]


def silent(_step: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class LandResult:
    """reason: why it was refused, None: landed. detail: a sentence with the paths or the branch in question."""

    reason: LandedReason | None
    detail: str = ""

    @property
    def landed(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Change:
    """One path of the difference onto..head. Modes as git writes them, `ABSENT` for a side that has no such file."""

    path: str
    old_mode: str
    new_mode: str
    old: str
    new: str


def landing_git(store: Store, facts: RepoFacts) -> Git:
    """P's configuration, U's objects, files and index, and the user's own way of checking files out."""
    repo = store.repo
    git = replace(store.git, work_tree=repo.top, index=repo.index, objects=repo.objects)
    return git.having(facts.checkout_config, {"GIT_LFS_SKIP_SMUDGE": "0"})


def wrong_place(repo: Repo, head: str, onto: str, branch: str) -> LandResult | None:
    """Landed already, or not on `branch` at `onto`; None: go on."""
    now = checked_out(repo)
    tip = commit_of(repo.git, f"refs/heads/{branch}")
    if now != branch:
        where = f"the branch {now}" if now else "no branch (HEAD is detached)"
        return LandResult("other_branch", f"Your checkout is on {where}, not on {branch}.")
    if tip == head:
        return LandResult(None, f"{branch} is at {head[:12]} already.")
    if tip != onto:
        return LandResult("moved", f"{branch} has moved from {onto[:12]} to {(tip or 'nothing')[:12]}.")
    if repo.git.call("merge-base", "--is-ancestor", onto, head, ok=(0, 1)).returncode:
        return LandResult("moved", f"{head[:12]} is not on top of {onto[:12]}: it cannot be fast-forwarded.")
    return None


def read_changes(git: Git, onto: str, head: str) -> list[Change]:
    parts = git.names("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", onto, head)
    found = []
    for about, path in zip(parts[0::2], parts[1::2], strict=True):
        old_mode, new_mode, old, new, _ = about.removeprefix(":").split(" ")
        found.append(Change(path, old_mode, new_mode, old, new))
    return found


def same_case(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def refreshed(git: Git) -> bool:
    """Bring the times in the index up to date; False: another git holds it for longer than we wait."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        done = git.call("update-index", "-q", "--refresh", ok=(0, 1, 128))
        if done.returncode != 128:
            return True
        if done.stderr and b".lock'" not in done.stderr:  # `-q` says nothing of the lock
            raise failure(("update-index", "--refresh"), done)
        if time.monotonic() > until:
            return False
        time.sleep(0.1)


def in_the_way(top: Path, differences: Sequence[Change], facts: RepoFacts) -> LandResult | None:
    """Anything, ignored files included, where the result adds a file."""
    going = {change.path for change in differences if change.new_mode == ABSENT}
    folded = {same_case(path) for path in going} if facts.checkout_config.get("core.ignorecase") == "true" else set()
    found: set[str] = set()
    for change in differences:
        if change.old_mode == ABSENT and same_case(change.path) not in folded:
            found.update(_obstacles(top, change.path, going))
    return LandResult("in_the_way", f"Already there: {shown(found)}.") if found else None


def _obstacles(top: Path, path: str, going: set[str]) -> list[str]:
    parts = path.split("/")
    for count in range(1, len(parts)):
        parent = "/".join(parts[:count])
        place = top / parent
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            return [] if parent in going else [parent]
    place = top / path
    if not os.path.lexists(place):
        return []
    if place.is_symlink() or not place.is_dir():
        return [path]
    inside = [Path(folder, name) for folder, folders, names in os.walk(place) for name in (*folders, *names)]
    leaves = [path.relative_to(top).as_posix() for path in inside if path.is_symlink() or not path.is_dir()]
    return [name for name in leaves if name not in going]


def shown(paths: Iterable[str]) -> str:
    """Some paths for a sentence."""
    names = sorted(os.fsencode(path).decode(errors="backslashreplace") for path in paths)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
