"""A tree that is taken away for a while, with a plain file in its place: whatever is written to a path in it fails.

Its files lie beside it meanwhile, whole, and an overlay's in the folders it is made of. Nothing is removed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from ropeteam.errors import RopeteamError
from ropeteam.git import mounts
from ropeteam.git.trees import Tree, show

_FIRST = b"ropeteam: the work tree of an attempt that has ended is not here for the moment.\n"
_MORE = b"Others go on from its conversation. Its files are in %s and come back.\n"


def take_away(tree: Tree) -> None:
    """Put a plain file in the tree's place. Again is fine; a tree that is gone gets the file too. Whoever calls this
    has its snapshot under a ref. RopeteamError where it cannot be moved."""
    if _stands_in(tree.path):
        return
    aside = _aside(tree)
    try:
        if tree.noted("overlay"):
            mounts.unmount_below(tree.path)
            with suppress(FileNotFoundError):
                tree.path.rmdir()
        elif tree.path.exists() and not aside.exists():
            tree.path.rename(aside)
        tree.path.parent.mkdir(parents=True, exist_ok=True)
        beside = tree.path.with_name(f".{tree.path.name}.note")
        beside.unlink(missing_ok=True)  # of one that was killed here: nobody may write it
        beside.write_bytes(_FIRST + _MORE % os.fsencode(aside if aside.exists() else "the folders of its overlay"))
        beside.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        beside.rename(tree.path)
    except OSError as error:
        raise RopeteamError(
            f"The work tree {tree.path} could not be taken away: {error}.", where=os.fspath(tree.path)
        ) from error


def bring_back(tree: Tree) -> bool:
    """The tree as it was before `take_away`. Again is fine; nothing for one that was not taken away. False: somebody
    has put something else in its place, which is left there."""
    aside = _aside(tree)
    if _stands_in(tree.path):
        tree.path.unlink()
    elif os.path.lexists(tree.path):
        return not is_displaced(tree)
    if tree.noted("overlay"):
        tree.path.mkdir()
        show(tree)
    elif aside.exists():
        aside.rename(tree.path)
    return True


def is_displaced(tree: Tree) -> bool:
    """Something else than ours stands where the tree was taken away."""
    if not os.path.lexists(tree.path) or _stands_in(tree.path):
        return False
    if not tree.noted("overlay"):
        return _aside(tree).exists()
    if mounts.is_mounted(tree.path):
        return False
    return not tree.path.is_dir() or any(tree.path.iterdir())  # empty: not mounted yet, after a reboot


def _aside(tree: Tree) -> Path:
    return tree.path.with_name(f".{tree.path.name}.away")


def _stands_in(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(_FIRST)) == _FIRST
    except OSError:
        return False
