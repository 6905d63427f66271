"""The project's files as the finders look at them: names and contents at one commit, and the programs at hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property

_MOST_BYTES = 2_000_000  # of one file that is looked at; what describes a project is small


class Repository:
    """read: contents of a file at the commit, None when it is not there. which: the path of a program, or None.
    venvs: virtual environments that will be in the tree, relative to it."""

    def __init__(
        self,
        files: Sequence[str],
        read: Callable[[str], bytes | None],
        which: Callable[[str], str | None],
        venvs: Sequence[str] = (),
    ) -> None:
        self.files = tuple(files)
        self.which = which
        self.venvs = tuple(venv.rstrip("/") for venv in venvs)
        self._read = read
        self._texts: dict[str, str] = {}

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(self.files)

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """The folders right below the root, sorted; hidden ones and those of foreign code left out."""
        first = {path.split("/", 1)[0] for path in self.files if "/" in path}
        return tuple(sorted(name for name in first if name not in _FOREIGN and not name.startswith(".")))

    def has(self, folder: str, name: str) -> bool:
        return join(folder, name) in self.names

    def text(self, path: str) -> str:
        """The file's text, empty when there is none."""
        if path not in self.names:
            return ""
        if path not in self._texts:
            self._texts[path] = (self._read(path) or b"")[:_MOST_BYTES].decode("utf-8", "replace")
        return self._texts[path]

    def below(self, folder: str) -> list[str]:
        """Paths below a folder, relative to it, foreign code left out."""
        start = f"{folder}/" if folder else ""
        inside = (path[len(start) :] for path in self.files if path.startswith(start))
        return [path for path in inside if not _FOREIGN.intersection(path.split("/")[:-1])]

    def mentions(self, folder: str, names: Sequence[str], pattern: str) -> bool:
        """Whether a word (regular expression) stands in one of these files of the folder."""
        return any(re.search(pattern, self.text(join(folder, name))) for name in names)


_FOREIGN = frozenset({"node_modules", "vendor", "third_party", "site-packages", "bower_components"})


def join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
