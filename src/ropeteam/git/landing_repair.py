"""How far an interrupted landing came, and how to bring its files to one side or the other.

Every path that the landing changes must be as it was before or as it will be; one at most may be half written. Then
only those paths are written again, never the rest of the checkout: the user may have gone on working.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ropeteam.core.model import RepoFacts
from ropeteam.errors import GitFailed, LandingStopped
from ropeteam.git.calls import Git, failure, joined, no_space
from ropeteam.git.landing_view import (
    ABSENT,
    Change,
    Progress,
    in_the_way,
    landing_git,
    refreshed,
    shown,
    silent,
)
from ropeteam.git.repository import Repo, copy_index
from ropeteam.git.store import Store

LOCK_SECONDS = 2.0  # a lock that nobody has open and that stays so long belongs to a dead git


@dataclass(slots=True)
class State:
    """How far the landing came. Paths by what they are now; index: entries that are neither side's."""

    before: list[Change] = field(default_factory=list)
    after: list[Change] = field(default_factory=list)
    torn: list[Change] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    index_before: bool = True

    @property
    def untouched(self) -> bool:
        return not (self.after or self.torn or self.foreign) and self.index_before


def take_back(store: Store, *, onto: str, head: str, differences: Sequence[Change], facts: RepoFacts) -> None:
    """Bring the files of a landing that failed in the middle back to `onto`. LandingStopped when that cannot be."""
    git = landing_git(store, facts)
    clear_lock(store.repo)
    state = look(store, git, differences, onto, head, facts)
    if state.untouched:
        return
    check(store.repo, state, head)
    back = [Change(c.path, c.new_mode, c.old_mode, c.new, c.old) for c in differences]
    try:
        settle(store, git, back, facts, head, silent)
    except GitFailed as error:
        raise stopped(store.repo, head, f"The files could not be taken back: {error.message}") from error


def check(repo: Repo, state: State, head: str) -> None:
    if state.foreign:
        raise stopped(repo, head, f"Changed since then: {shown(state.foreign)}.")


def stopped(repo: Repo, head: str, why: str) -> LandingStopped:
    return LandingStopped(
        f"The landing was interrupted, and finishing it could overwrite work of yours. {why}",
        where=os.fspath(repo.top),
        hint=f"Nothing was touched. The result is the commit {head}: compare with `git diff {head[:12]}`, put your own "
        f"changes aside, and take it with `git merge --ff-only {head[:12]}`.",
    )


# ---- how far it came


def look(store: Store, git: Git, differences: Sequence[Change], onto: str, head: str, facts: RepoFacts) -> State:
    state = State()
    filemode = facts.checkout_config.get("core.filemode", "true").lower() != "false"
    with tempfile.TemporaryDirectory(prefix="ropeteam-") as folder:
        clean = _look_at_index(git, differences, state, Path(folder) / "index")
        old = _show(git, onto, [c.path for c in differences if c.old_mode != ABSENT], Path(folder) / "old")
        new = _show(git, head, [c.path for c in differences if c.new_mode != ABSENT], Path(folder) / "new")
        seen = _Seen(store.repo.top, old, new, clean, filemode)
        links = {c.path for c in differences if "120000" in (c.old_mode, c.new_mode)}
        for change in differences:
            _sort(state, change, seen, links)
    return state


@dataclass(frozen=True, slots=True)
class _Seen:
    """old, new: folders with the files as a checkout shows them. clean: index entries of files that git knows to be
    what the index says, which may be otherwise written than a checkout would (line ends)."""

    top: Path
    old: Path
    new: Path
    clean: dict[str, str]
    filemode: bool


def _entry(mode: str, name: str) -> str:
    return f"{mode} {name} 0" if mode != ABSENT else ""


def _look_at_index(git: Git, differences: Sequence[Change], state: State, copy: Path) -> dict[str, str]:
    if git.index is not None:
        copy_index(git.index, copy)
    own = replace(git, index=copy)
    entries: dict[str, str] = {}
    for line in own.names("ls-files", "-s", "-z"):
        about, _, path = line.partition("\t")
        entries[path] = about if path not in entries else "unmerged"
    for change in differences:
        there = entries.get(change.path, "")
        if there not in (_entry(change.old_mode, change.old), _entry(change.new_mode, change.new)):
            state.foreign.append(change.path)
        state.index_before &= there == _entry(change.old_mode, change.old)
    own.call("update-index", "-q", "--refresh", ok=(0, 1))
    for path in own.names("diff-files", "--name-only", "-z", "--ignore-submodules=dirty"):
        entries.pop(path, None)
    return entries


def _show(git: Git, commit: str, paths: Sequence[str], folder: Path) -> Path:
    """Some files of a commit, as a checkout of the user's shows them, in `folder`."""
    folder.mkdir()
    wanted = set(paths)
    entries = [
        entry
        for entry in git.names("ls-tree", "-r", "-z", "--full-tree", commit)
        if (path := entry.partition("\t")[2]) in wanted or path.rpartition("/")[2] == ".gitattributes"
    ]
    index = folder.with_name(f"{folder.name}.index")
    # Trees made here are of no use later: they go beside, not into the user's objects.
    objects = folder.with_name(f"{folder.name}.objects")
    objects.mkdir()
    lone = replace(git, work_tree=folder, index=index, objects=objects, alternates=tuple(filter(None, (git.objects,))))
    lone.call("update-index", "--add", "-z", "--index-info", input=joined(entries))
    tree = lone.text("write-tree")
    index.unlink()
    # A filter of the user's that fails for a file failed for it in the landing too, which then got no further: git goes
    # through the files in one order. What is missing here is known as not landed.
    done = lone.call("read-tree", "-m", "-u", tree, ok=range(256))
    if no_space(done.stderr):
        raise failure(("read-tree", commit), done)
    return folder


def _sort(state: State, change: Change, seen: _Seen, links: set[str]) -> None:
    path = change.path
    link = _linked_parent(seen.top, path)
    if link is not None and link not in links:
        state.foreign.append(path)
        return
    actual = seen.top / path
    there = link is None and os.path.lexists(actual) and (actual.is_symlink() or not actual.is_dir())

    def shows(mode: str, name: str, folder: Path) -> bool:
        if mode == ABSENT or not there:
            return mode == ABSENT and not there
        return seen.clean.get(path) == _entry(mode, name) or _is(actual, folder / path, seen.filemode)

    if shows(change.old_mode, change.old, seen.old):
        state.before.append(change)
    elif shows(change.new_mode, change.new, seen.new):
        state.after.append(change)
    elif not there or _is_torn(actual, seen.new / path):
        state.torn.append(change)
    else:
        state.foreign.append(path)


def _linked_parent(top: Path, path: str) -> str | None:
    parts = path.split("/")
    parents = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return next((parent for parent in parents if (top / parent).is_symlink()), None)


def _is(actual: Path, wanted: Path, filemode: bool) -> bool:
    if not os.path.lexists(wanted):
        return False
    if actual.is_symlink() or wanted.is_symlink():
        return actual.is_symlink() and wanted.is_symlink() and actual.readlink() == wanted.readlink()
    if not actual.is_file():
        return False
    one, other = actual.stat(), wanted.stat()
    if filemode and (one.st_mode ^ other.st_mode) & 0o100:
        return False
    return one.st_size == other.st_size and actual.read_bytes() == wanted.read_bytes()


def _is_torn(actual: Path, wanted: Path) -> bool:
    """Whether this is the beginning of a file that git was writing."""
    if actual.is_symlink() or not actual.is_file() or wanted.is_symlink() or not wanted.is_file():
        return False
    size = actual.stat().st_size
    with wanted.open("rb") as file:
        return size < wanted.stat().st_size and file.read(size) == actual.read_bytes()


# ---- finishing


def settle(
    store: Store, git: Git, differences: Sequence[Change], facts: RepoFacts, head: str, progress: Progress
) -> None:
    """Bring index and files to the new side of `differences`, and no other path."""
    top = store.repo.top
    going = [c for c in differences if c.new_mode == ABSENT]
    coming = [c for c in differences if c.new_mode != ABSENT]
    lines = [f"0 {c.old}\t{c.path}" for c in going] + [f"{c.new_mode} {c.new} 0\t{c.path}" for c in coming]
    for change in going:
        _remove(top, change.path)
    progress("removed")
    absent = [c for c in coming if c.old_mode == ABSENT and not _is_file(top / c.path)]
    obstacle = in_the_way(top, absent, facts)
    if obstacle is not None:
        raise stopped(store.repo, head, obstacle.detail)
    git.call("update-index", "--add", "--replace", "-z", "--index-info", input=joined(lines))
    progress("index")
    # Attributes decide how the others look: they come first.
    first = [c.path for c in coming if c.path.rpartition("/")[2] == ".gitattributes"]
    for paths in (first, [c.path for c in coming if c.path not in set(first)]):
        if paths:
            git.call("checkout-index", "-f", "-u", "-z", "--stdin", input=joined(paths))
    progress("written")
    refreshed(git)


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _remove(top: Path, path: str) -> None:
    if _linked_parent(top, path) is not None:
        return  # what is there is not this file: its folder has become a link
    place = top / path
    if _is_file(place):
        place.unlink()
    for parent in place.parents:
        if parent == top:
            break
        try:
            parent.rmdir()
        except OSError:
            break


def clear_lock(repo: Repo) -> None:
    """Remove the index lock that our killed git left: one that nobody has open and that stays."""
    lock = repo.index.with_name("index.lock")
    until = time.monotonic() + LOCK_SECONDS
    while lock.exists():
        held = _is_open(lock)
        if held is False or (held is None and time.monotonic() > until):
            lock.unlink(missing_ok=True)
            return
        if held and time.monotonic() > until:
            return  # a living git of the user's: what comes next waits for it and says so
        time.sleep(0.05)


def _is_open(path: Path) -> bool | None:
    """Whether a process has this file open; None where that cannot be seen."""
    proc = Path("/proc")
    if not (proc / "self" / "fd").is_dir():
        return None
    try:
        wanted = path.stat()
    except OSError:
        return False
    for folder in proc.glob("[0-9]*/fd"):
        with suppress(OSError):
            for link in folder.iterdir():
                with suppress(OSError):
                    found = link.stat()
                    if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                        return True
    return False
