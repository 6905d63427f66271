"""Whether the works under way would conflict: the newest snapshots of attempts are compared while the agents go on.

It decides nothing. What is found is told, so that nobody is surprised when the later one of two meets the earlier.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ropeteam import git
from ropeteam.context import RunContext
from ropeteam.core.events import ConflictForeseen
from ropeteam.core.lock_files import is_lock
from ropeteam.core.paths import is_code

INTEGRATION = "integration"
"""Stands for what is merged already where an attempt would stand (a reserved id)."""


class Lookahead:
    """The newest snapshot of each attempt that runs. Its methods are called from several threads.

    integration: the commit that the next merge goes onto, empty when nothing is merged yet.
    """

    def __init__(self, context: RunContext, integration: Callable[[], str]) -> None:
        self._c = context
        self._integration = integration
        self._lock = threading.Lock()
        self._works: dict[str, git.Work] = {}
        self._compared: dict[tuple[str, str], tuple[str, str]] = {}
        self._merged: dict[str, frozenset[str]] = {}
        self._told: set[tuple[str, str, tuple[str, ...]]] = set()

    def was_told(self, foreseen: Sequence[ConflictForeseen]) -> None:
        """What the journal has already: another orchestrator may have told it."""
        with self._lock:
            self._told |= {(*_pair(one.attempt, one.other), one.paths) for one in foreseen}

    def saw(self, attempt: str, base: str, tip: str) -> None:
        """An attempt that runs has a new snapshot."""
        with self._lock:
            self._works[attempt] = (base, tip)

    def forget(self, attempt: str) -> None:
        """It runs no longer."""
        with self._lock:
            self._works.pop(attempt, None)
            self._merged.pop(attempt, None)

    def look(self, attempt: str) -> tuple[ConflictForeseen, ...]:
        """Conflicts of its newest snapshot with the other newest ones and with what is merged, that were not told yet.

        Only what has changed since it was compared is compared. GitFailed, OSError: nothing is known this time.
        """
        with self._lock:
            asked = self._due(attempt)
        found = git.conflicts_between(self._c.store, [(mine, theirs) for _, mine, theirs in asked])
        foreseen = []
        for (other, mine, theirs), raw in zip(asked, found, strict=True):
            paths = self._lasting(raw)
            with self._lock:
                if other == INTEGRATION:
                    self._merged[attempt] = frozenset(paths)
                elif mine[0] != theirs[0]:  # one of them began on what is merged already: that is not the other's
                    known = self._merged.get(attempt, frozenset()) | self._merged.get(other, frozenset())
                    paths = tuple(path for path in paths if path not in known)
                self._compared[_pair(attempt, other)] = _tips(attempt, mine, other, theirs)
                told = (*_pair(attempt, other), paths)
                if paths and told not in self._told:
                    self._told.add(told)
                    foreseen.append(ConflictForeseen(attempt=attempt, other=other, paths=paths))
        return tuple(foreseen)

    def _due(self, attempt: str) -> list[tuple[str, git.Work, git.Work]]:
        mine = self._works.get(attempt)
        if mine is None:
            return []
        others = {other: work for other, work in self._works.items() if other != attempt}
        tip = self._integration()
        # First, so that what is in conflict with it is known when the others are looked at.
        merged = {INTEGRATION: (mine[0], tip)} if tip and tip != mine[0] else {}
        return [
            (other, mine, theirs)
            for other, theirs in {**merged, **others}.items()
            if self._compared.get(_pair(attempt, other)) != _tips(attempt, mine, other, theirs)
        ]

    def _lasting(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Without those that the merge resolves by itself."""
        settings = self._c.started.settings.merge
        left = [path for path in paths if not is_lock(path, settings.locks)]
        lists = git.matching(self._c.store.git, [path for path in left if not is_code(path)], settings.union)
        return tuple(path for path in left if path not in lists)


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def _tips(one: str, work: git.Work, other: str, others: git.Work) -> tuple[str, str]:
    return (work[1], others[1]) if one < other else (others[1], work[1])
