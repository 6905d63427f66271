"""The base commit as the survey looks at it: its paths, and contents, read in few calls where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Final

from ropeteam.git import list_files, read_files
from ropeteam.git.repository import HasGit

LARGEST: Final = 400_000  # bytes of one file that is looked at; larger ones are generated


class Base:
    """Paths are relative to the repository. Contents are kept, so that each file is read once."""

    def __init__(self, place: HasGit, commit: str) -> None:
        self.place = place
        self.commit = commit
        self.files: Sequence[str] = list_files(place, commit)
        self.names = frozenset(self.files)
        self._contents: dict[str, bytes] = {}
        self._remembered: dict[str, Any] = {}

    def remembered(self, key: str, make: Callable[[], Any]) -> Any:
        """What was worked out of the commit once: the first `make` for a key counts."""
        if key not in self._remembered:
            self._remembered[key] = make()
        return self._remembered[key]

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder, without `/` at its end."""
        found: set[str] = set()
        for path in self.files:
            folder = path.rpartition("/")[0]
            while folder and folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(found)

    @cached_property
    def by_lower(self) -> dict[str, list[str]]:
        """Paths of files by their lower-case form."""
        return _grouped((path.lower(), path) for path in self.files)

    @cached_property
    def folders_by_lower(self) -> dict[str, list[str]]:
        return _grouped((path.lower(), path) for path in sorted(self.folders))

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Paths of files by their own name in lower case."""
        return _grouped((path.rpartition("/")[2].lower(), path) for path in self.files)

    @cached_property
    def folders_by_name(self) -> dict[str, list[str]]:
        return _grouped((path.rpartition("/")[2].lower(), path) for path in sorted(self.folders))

    @cached_property
    def inside(self) -> dict[str, list[str]]:
        """Files right inside each folder; the empty name is the root."""
        return _grouped((path.rpartition("/")[0], path) for path in self.files)

    def load(self, paths: Iterable[str]) -> None:
        """Read these files, all at once, so that `text` has them. Large ones are left empty."""
        wanted = [
            path
            for path in dict.fromkeys(paths)
            if path in self.names and path not in self._contents and "\n" not in path
        ]
        if not wanted:
            return
        sizes = self._sizes(wanted)
        small = [path for path in wanted if sizes.get(path, 0) <= LARGEST]
        found = read_files(self.place, self.commit, small)
        for path in wanted:
            self._contents[path] = found.get(path, b"")

    def _sizes(self, paths: Sequence[str]) -> dict[str, int]:
        asked = b"".join(f"{self.commit}:{path}\n".encode("utf-8", "surrogateescape") for path in paths)
        answer = self.place.git.call("cat-file", "--batch-check=%(objecttype) %(objectsize)", input=asked).stdout
        sizes = {}
        for path, line in zip(paths, answer.split(b"\n"), strict=False):
            kind, _, size = line.partition(b" ")
            sizes[path] = int(size) if kind == b"blob" and size.isdigit() else LARGEST + 1
        return sizes

    def content(self, path: str) -> bytes:
        """Of a file; empty when there is none or it is large."""
        self.load([path])
        return self._contents.get(path, b"")

    def text(self, path: str) -> str:
        return self.content(path).decode("utf-8", "replace")

    def lines(self, path: str) -> int:
        content = self.content(path)
        return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found
