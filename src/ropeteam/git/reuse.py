"""A tree that is no longer needed, brought to another commit: what is as we once wrote it stays, the rest is made anew.

Whoever worked in it may have changed everything, `.git` included. So nothing in it is asked what changed. What we know
is our own index from when the tree was made, which has every file's number, times and size. No program can set a file's
change time: a file that has the very same one is the file that we wrote. Everything else is removed, `.git` always;
then git writes what is missing.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ropeteam import process
from ropeteam.core.model import RepoFacts
from ropeteam.errors import RopeteamError
from ropeteam.git import mounts
from ropeteam.git.calls import full_disk, joined, split
from ropeteam.git.store import Store, changed
from ropeteam.git.trees import Tree, fill, forget_index, gitlinks_after, make_repository, placed, remove_folder, whole

MARGIN_NS = 50_000_000
"""The clock of file times ticks every 1 to 10 ms: a change so soon before the tree was sealed might not be told."""

STATED = struct.Struct(">8I")
STATED_BYTES = 40  # in an index: ctime, its ns, mtime, its ns, device, number, mode, owner, group, size, 4 bytes each
SECOND = 1_000_000_000
NAME_BITS = 0xFFF
EXTENDED = 0x4000
REST = 0xFFFFFFFF


class Doubtful(Exception):
    """Something about the old tree is not as expected: a new one is made instead."""


def reuse_tree(store: Store, old: Tree, path: Path, commit: str, facts: RepoFacts, *, index: Path) -> Tree:
    """Make the tree `path` showing `commit` out of `old`, which is gone then, and with it our files for it.

    Doubtful: it was not done, and nothing is at `path`; `old` is as it was, or gone. Only for a tree whose work is
    kept, and in which nothing is at work any more.
    """
    tree = Tree(path, index)
    if whole(tree):
        return tree
    try:
        known = _known(store, old, commit)
        if process.works_in(old.path):  # a shell of the user's, a viewer: the tree must not be drawn from under it
            raise Doubtful("something is at work in it")
        if mounts.foreign_below(old.path):
            raise Doubtful("something is mounted in it")
        with full_disk(), placed(tree) as beside:
            old.path.rename(beside)
            _Clearing(known, beside).clear()
            make_repository(store, beside, commit, facts, tree, submodules=())
            _settle(old)
            fill(store, tree, beside, commit, known=old.made, reset=True)
    except Doubtful:
        raise
    except (OSError, RopeteamError, RecursionError, struct.error, IndexError, ValueError) as error:
        raise Doubtful(f"it cannot be cleared: {error}") from error
    finally:
        if not old.path.exists():
            with suppress(RopeteamError):
                forget_index(old)
    return tree


def _settle(old: Tree) -> None:
    """What is left was compared to the nanosecond: git need not read it again because the index is as young."""
    later = old.sealed_at() + 2_000_000_000
    os.utime(old.made, ns=(later, later))


@dataclass(frozen=True)
class _Known:
    """files: what `lstat` must say of each path. folders: paths. mode: of folders. before: change times from here on
    are in doubt, in nanoseconds."""

    files: dict[str, bytes]
    folders: frozenset[str]
    mode: int
    before: int


def _known(store: Store, old: Tree, commit: str) -> _Known:
    """What the old tree had when it was made. Doubtful."""
    sealed = old.noted("sealed")
    if not sys.platform.startswith("linux") or not process.HAVE_PROC:
        raise Doubtful("what still works in it cannot be told")
    if len(sealed) != 2 or old.noted("overlay") or old.noted("unkept") or not old.path.is_dir():
        raise Doubtful("it is no plain tree that was made to its end")
    before, mode = sealed[0], int(sealed[1], 8)
    copied = [path.rstrip("/") for path in old.noted("copied")]
    if copied:  # what the repository does not ignore in them may be an agent's work, and is in no snapshot
        asked = ("check-ignore", "-z", "--no-index", "--stdin")
        ignored = old.git(store).call(*asked, input=joined(copied), ok=(0, 1))
        if set(copied) - {path.rstrip("/") for path in split(ignored.stdout)}:
            raise Doubtful("what was copied into it may hold work")
    if old.noted("gitlinks") or gitlinks_after(store, before, (), commit):
        raise Doubtful("there are submodules")
    if any(path.rpartition("/")[2] == ".gitattributes" for _, path in changed(store.git, before, commit)):
        raise Doubtful("the same content may look different in a checkout now")
    files = dict(_entries(old.made.read_bytes(), 32 if store.repo.object_format == "sha256" else 20))
    if files and not any(stated[4:8].strip(b"\0") for stated in files.values()):
        raise Doubtful("times are whole seconds here")
    folders: set[str] = set()
    for name in files:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return _Known(files, frozenset(folders), mode, old.sealed_at() - MARGIN_NS)


def _entries(index: bytes, oid: int) -> Iterator[tuple[str, bytes]]:
    """(path, what `_stated` says) of each entry of an index as git writes it, version 2."""
    signature, version, count = struct.unpack_from(">4sII", index)
    if signature != b"DIRC" or version != 2:
        raise Doubtful("its index has another format")
    at = 12
    flags_after = STATED_BYTES + oid
    for _ in range(count):
        flags_at = at + flags_after
        flags = index[flags_at] << 8 | index[flags_at + 1]
        if flags & EXTENDED:
            raise Doubtful("its index has another format")
        name_at, length = flags_at + 2, flags & NAME_BITS
        end = index.index(b"\0", name_at) if length == NAME_BITS else name_at + length
        yield os.fsdecode(index[name_at:end]), index[at : at + 16] + index[at + 20 : at + 24] + index[at + 28 : at + 40]
        at += (end - at + 8) & ~7


def _stated(found: os.stat_result) -> bytes:
    """Change time, modification time (seconds and nanoseconds), number, owner, group, size, cut as in an index."""
    return STATED.pack(
        found.st_ctime_ns // SECOND & REST,
        found.st_ctime_ns % SECOND,
        found.st_mtime_ns // SECOND & REST,
        found.st_mtime_ns % SECOND,
        found.st_ino & REST,
        found.st_uid & REST,
        found.st_gid & REST,
        found.st_size & REST,
    )


class _Clearing:
    """Removes from a tree what is not as it was made. Links are never followed."""

    def __init__(self, known: _Known, top: Path) -> None:
        self._known = known
        self._top = top
        self._device = top.lstat().st_dev
        above = top.parent.lstat()
        self._owner = (os.geteuid(), above.st_gid if above.st_mode & stat.S_ISGID else os.getegid())

    def clear(self) -> None:
        probe = self._top.with_name(f"{self._top.name}.probe")
        probe.mkdir()
        mode = stat.S_IMODE(probe.lstat().st_mode)
        probe.rmdir()
        if mode != self._known.mode:
            raise Doubtful("new folders have another mode now")
        self._folder(os.fspath(self._top), "")

    def _folder(self, place: str, relative: str) -> bool:
        """Clear a folder; whether anything is left in it. relative: its path in the tree and a slash."""
        self._as_a_new_one(place)
        left = False
        with os.scandir(place) as found:
            entries = list(found)
        for entry in entries:
            name = relative + entry.name
            if entry.is_dir(follow_symlinks=False):
                if name in self._known.folders and self._folder(entry.path, f"{name}/"):
                    left = True
                else:
                    remove_folder(Path(entry.path))
            elif self._as_made(name, entry):
                left = True
            else:
                Path(entry.path).unlink()
        return left

    def _as_a_new_one(self, folder: str) -> None:
        found = os.lstat(folder)
        if found.st_dev != self._device:
            raise Doubtful("something is mounted in it")
        if (found.st_uid, found.st_gid) != self._owner or any(_odd(name) for name in os.listxattr(folder)):
            raise Doubtful("a folder has another owner, or rights of its own")
        if stat.S_IMODE(found.st_mode) != self._known.mode:
            Path(folder).chmod(self._known.mode)

    def _as_made(self, name: str, entry: os.DirEntry[str]) -> bool:
        wanted = self._known.files.get(name)
        if wanted is None:
            return False
        found = entry.stat(follow_symlinks=False)
        return found.st_nlink == 1 and found.st_ctime_ns < self._known.before and _stated(found) == wanted


def _odd(attribute: str) -> bool:
    """Whether a folder's attribute could change what is made in it: access lists, not the labels of a system."""
    return not attribute.startswith("security.")
