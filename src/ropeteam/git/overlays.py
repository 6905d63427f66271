"""Trees as overlays: one folder with the files of a commit, made once and never changed, and for each tree a mount that
shows it and takes the changes elsewhere. Making one takes as long for 60,000 files as for 300.

git's index of the folder below holds in every overlay as it is: files have the same numbers and times there, and a file
that is changed is copied first, which gives it another change time. So nothing is compared less strictly in them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from ropeteam.core.model import RepoFacts
from ropeteam.git import mounts
from ropeteam.git.calls import full_disk
from ropeteam.git.store import Store
from ropeteam.git.trees import (
    Tree,
    erase,
    fill,
    forget_index,
    forget_overlay,
    gitlinks,
    gitlinks_after,
    make_repository,
    whole,
)


@dataclass(frozen=True, slots=True)
class Pristine:
    """files: a folder with the files of `commit`, which nobody may change. index: git's index of it. gitlinks: its
    submodules."""

    commit: str
    files: Path
    index: Path
    gitlinks: tuple[str, ...]


def pristine(store: Store, folder: Path, commit: str) -> Pristine:
    """The one below `folder` for a commit; made when it is not there. Not by two threads at once."""
    place = folder / commit
    if not place.is_dir():
        beside = folder / f".{commit}.{secrets.token_hex(4)}.new"
        with full_disk():
            (beside / "files").mkdir(parents=True)
            try:
                git = replace(store.git, work_tree=beside / "files", index=beside / "index")
                git.call("read-tree", "-m", "-u", commit)
                beside.rename(place)
            finally:
                if beside.exists():
                    erase(beside)
    return Pristine(commit, place / "files", place / "index", tuple(gitlinks(store, commit)))


def create_overlay(store: Store, path: Path, commit: str, facts: RepoFacts, *, index: Path, below: Pristine) -> Tree:
    """Make the tree `path` showing `commit`, over `below`, which may show another. NotMounted: nothing is left of it.

    It counts as made once it is sealed: a mount cannot be renamed into its place.
    """
    tree = Tree(path, index)
    if whole(tree):
        return tree
    over = index.with_name(f"{index.name}.overlay-{secrets.token_hex(4)}")
    upper, work = over / "upper", over / "work"
    with full_disk():
        path.mkdir(parents=True, exist_ok=True)
        path.rmdir()  # anything in it must not be covered
        try:
            for folder in (upper, work, path):
                folder.mkdir(parents=True)
            tree.note("overlay", [str(below.files), str(upper), str(work)])
            links = gitlinks_after(store, below.commit, below.gitlinks, commit)
            make_repository(store, upper, commit, facts, tree, submodules=links)
            mounts.mount(path, below.files, upper, work)
            fill(store, tree, path, commit, known=below.index)
        except BaseException:
            forget_overlay(tree)
            forget_index(tree)
            raise
    return tree
