"""One commit as a pack is made of it: its files with their blobs and sizes, read through git, never from a checkout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from ropeteam.core import pack_paths, paths
from ropeteam.core.pack import Signature
from ropeteam.git.repository import HasGit
from ropeteam.packing.signatures import signatures
from ropeteam.planners.static.base import LARGEST, Base

_FILES: Final = ("100644", "100755")  # no symbolic links, no repositories in the repository

Remembered = dict[str, tuple[Signature, ...]]
"""Signatures by blob and ending: the files of several commits are mostly the same."""


class Commit:
    """blobs: object name of each plain file; sizes: its bytes. Contents are read in few calls and kept."""

    def __init__(self, place: HasGit, commit: str, remembered: Remembered) -> None:
        self.place = place
        self.commit = commit
        self.blobs: dict[str, str] = {}
        self._remembered = remembered
        for entry in place.git.names("ls-tree", "-r", "-z", "--full-tree", commit):
            facts, _, path = entry.partition("\t")
            mode, _, blob = facts.split()
            if mode in _FILES:
                self.blobs[path] = blob
        self.sizes = dict(zip(self.blobs, _sizes(place, list(self.blobs.values())), strict=True))

    @cached_property
    def base(self) -> Base:
        return Base(self.place, self.commit)

    @cached_property
    def every(self) -> list[str]:
        return sorted(self.blobs)

    @cached_property
    def code(self) -> list[str]:
        """Files that the map can show with signatures."""
        return [path for path in self.every if self.may_show(path) and (paths.is_code(path) or _declares(path))]

    def may_show(self, path: str) -> bool:
        """Whether what is in it may be given to an agent. `Base` reads no file with a line break in its name."""
        return 0 < self.sizes.get(path, 0) <= LARGEST and "\n" not in path and pack_paths.is_shown(path)

    def load(self, those: Iterable[str]) -> None:
        self.base.load(those)

    def text(self, path: str) -> str:
        """Empty for what is no text."""
        content = self.base.content(path)
        return "" if b"\0" in content[:8000] else content.decode("utf-8", "replace")

    def lines(self, path: str) -> int:
        return self.base.lines(path)

    def signatures(self, path: str) -> tuple[Signature, ...]:
        key = f"{self.blobs.get(path, '')}{path[path.rfind('.') :]}"
        if key not in self._remembered:
            self._remembered[key] = signatures(path, self.base.content(path))
        return self._remembered[key]


def _sizes(place: HasGit, blobs: Sequence[str]) -> list[int]:
    """In bytes. All 0 in a partial clone that lacks some of them: git ends there, as nothing is fetched, and so the
    pack is made of the paths alone."""
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    done = place.git.call("cat-file", "--batch-check=%(objectsize)", input=asked, ok=(0, 128))
    if done.returncode != 0:
        return [0] * len(blobs)
    return [int(line) if line.isdigit() else 0 for line in done.stdout.splitlines()]


def _declares(path: str) -> bool:
    return paths.suffix(path) in ("prisma", "graphql", "gql", "proto", "sql", "astro", "rake")
