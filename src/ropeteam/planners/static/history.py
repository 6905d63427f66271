"""What the newest commits say of files: how often each was touched, and which were touched together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from ropeteam.git.repository import HasGit

COMMITS: Final = 500
LARGE_COMMIT: Final = 30  # files; what touches more (a formatter, a release) says nothing of what belongs together


@dataclass(frozen=True)
class History:
    """Of the newest `commits` commits, merges left out: how many touched a path, and how many two of them together."""

    commits: int = 0
    touched: Counter[str] = field(default_factory=Counter)
    together: Counter[tuple[str, str]] = field(default_factory=Counter)

    def hot(self, path: str) -> float:
        """Share of those commits that touched it."""
        return round(self.touched[path] / self.commits, 4) if self.commits else 0.0

    def share(self, path: str, other: str) -> tuple[int, float]:
        """How many commits touched both, and their share of those that touched `path`."""
        pair = (path, other) if path < other else (other, path)
        both = self.together[pair]
        return both, both / self.touched[path] if self.touched[path] else 0.0


def history(place: HasGit, commit: str, paths: frozenset[str]) -> History:
    """The newest commits before and including `commit`; pairs are counted among `paths` only."""
    output = place.git.call(
        "log", f"-{COMMITS}", "--no-merges", "--no-renames", "--name-only", "-z", "--format=%x01", commit
    ).stdout.decode("utf-8", "surrogateescape")
    touched: Counter[str] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    commits = 0
    for entry in output.split("\x01")[1:]:
        commits += 1
        names = [name.strip("\n") for name in entry.split("\0")]
        named = [name for name in names if name]
        touched.update(name for name in named if name in paths)
        if len(named) <= LARGE_COMMIT:
            together.update(combinations(sorted(name for name in named if name in paths), 2))
    return History(commits, touched, together)
