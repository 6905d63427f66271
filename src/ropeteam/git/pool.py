"""The trees of one run: how they are made here, and which of them may be used once more.

A tree is used once more when nobody needs it as it is. Of an attempt that is when its work is in a checkpoint (the
tree of one that failed may still be looked at by a person); of a validation, when its checks have ended.
"""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ropeteam.core.model import RepoFacts
from ropeteam.errors import RopeteamError
from ropeteam.git import mounts
from ropeteam.git.mounts import NotMounted
from ropeteam.git.overlays import Pristine, create_overlay, pristine
from ropeteam.git.repository import list_files, refs_of
from ropeteam.git.reuse import Doubtful, reuse_tree
from ropeteam.git.store import Store
from ropeteam.git.trees import Tree, create_tree, erase

Method = Literal["plain", "overlay"]

MANY_FILES = 5_000
"""From here on a checkout takes a second and more, and an overlay is worth being one."""

FEW_FILES = 1_000
"""With less than that a new tree is made as quickly as an old one is looked through."""


@dataclass(frozen=True, slots=True)
class _Spare:
    """ref, commit: what must hold its work; empty where there is none."""

    tree: Tree
    ref: str = ""
    commit: str = ""


class Pool:
    """folder: of the run; a folder for what is shared is made in it. wanted: the setting `trees.method`. few: trees
    with fewer files are not used once more.

    Its functions may be called by several threads, in one process at a time.
    """

    def __init__(
        self,
        store: Store,
        folder: Path,
        facts: RepoFacts,
        wanted: Literal["auto", "plain", "overlay"],
        *,
        few: int = FEW_FILES,
    ) -> None:
        self._store = store
        self._folder = folder
        self._facts = facts
        self._wanted = wanted
        self._few = few
        self._files = 0
        self._lock = threading.Lock()
        self._method: Method | None = None
        self._below: Pristine | None = None
        self._spares: list[_Spare] | None = None
        self._given: set[Path] = set()

    def make(self, path: Path, commit: str, *, index: Path) -> Tree:
        """The tree `path` showing `commit`, made in the quickest way that is possible and safe. Again is fine."""
        if self.method() == "overlay":
            with suppress(NotMounted):
                return self._overlay(path, commit, index)
        while (spare := self._take()) is not None:
            try:
                return reuse_tree(self._store, spare.tree, path, commit, self._facts, index=index)
            except Doubtful:
                pass
            finally:
                if not spare.ref:
                    self._erase(spare.tree)
        return create_tree(self._store, path, commit, self._facts, index=index)

    def method(self) -> Method:
        """How trees are made here. Found out once."""
        with self._lock:
            if self._method is None:
                self._files = len(list_files(self._store, self._facts.base))
                many = self._wanted == "overlay" or (self._wanted == "auto" and self._files >= MANY_FILES)
                self._folder.mkdir(parents=True, exist_ok=True)
                self._method = "overlay" if many and not mounts.problem(self._folder) else "plain"
            return self._method

    def _overlay(self, path: Path, commit: str, index: Path) -> Tree:
        with self._lock:
            if self._below is None:
                self._below = pristine(self._store, self._folder / "pristine", self._facts.base)
        return create_overlay(self._store, path, commit, self._facts, index=index, below=self._below)

    # ---- trees that nobody needs any more

    def give_up(self, tree: Tree, *, ref: str, commit: str) -> None:
        """The tree of an attempt that is done with. `ref` of U must be at `commit`, its snapshot, when it is used."""
        with self._lock:
            if tree.path not in self._given:
                self._given.add(tree.path)
                self._found().append(_Spare(tree, ref, commit))

    def give_back(self, tree: Tree) -> None:
        """The tree of a validation that has ended: nothing in it is anybody's work. One is kept, at another place."""
        with self._lock:
            wanted = self._files >= self._few and not any(not spare.ref for spare in self._found())
        if not wanted or tree.noted("overlay") or not tree.noted("sealed"):
            return self._erase(tree)
        place = self._place() / secrets.token_hex(4)
        kept = Tree(place / "tree", place / "index")
        try:
            place.mkdir(parents=True)
            for file in tree.index.parent.glob(f"{tree.index.name}*"):
                file.rename(place / f"index{file.name.removeprefix(tree.index.name)}")
            tree.path.rename(kept.path)
        except OSError:
            return self._erase(tree)
        with self._lock:
            self._found().append(_Spare(kept))
        return None

    def close(self) -> None:
        """Remove what is nobody's."""
        with self._lock, suppress(RopeteamError):
            self._spares = None
            erase(self._place())

    def _place(self) -> Path:
        return self._folder / "spare"

    def _found(self) -> list[_Spare]:
        """Those that are known; at first what an orchestrator before this one kept."""
        if self._spares is None:
            places = sorted(self._place().glob("*"))
            self._spares = [_Spare(Tree(place / "tree", place / "index")) for place in places]
        return self._spares

    def _take(self) -> _Spare | None:
        """One that may be used, and is from now on nobody else's."""
        while True:
            with self._lock:
                found = self._found()
                if not found or self._files < self._few:
                    return None
                spare = found.pop()
            if not spare.ref or refs_of(self._store.repo.git, spare.ref).get(spare.ref) == spare.commit:
                return spare

    def _erase(self, tree: Tree) -> None:
        with suppress(RopeteamError):
            if tree.path.parent.parent == self._place():
                return erase(tree.path.parent)
            erase(tree.path)
        return None


def makers() -> int:
    """How many trees may be made at once: the processors that we may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)
