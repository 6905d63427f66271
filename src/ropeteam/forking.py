"""An attempt that goes on from a copy of another's conversation: what it needs of that one, and what it must not reach.

That conversation names the folder in which it was held, in everything it read and did. In the sandbox all attempts of a
run see their tree at one path (`RunContext.seen`), so that each of those paths is the fork's own. Without one, the tree
of the other is taken away while anybody goes on from it: a write to a path in it fails instead of landing there.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from ropeteam import git
from ropeteam.context import RunContext
from ropeteam.core.reading import chain, used_by
from ropeteam.core.state import AttemptState, RunState
from ropeteam.errors import RopeteamError
from ropeteam.ports import Fork


def fork_of(state: RunState, attempt: str) -> Fork | None:
    """The conversation of that attempt, to go on from; None for no attempt."""
    if not attempt:
        return None
    scout = state.attempt(attempt)
    return Fork(
        session=scout.result.session,
        tree=Path(scout.at_path or scout.tree),
        folder=Path(scout.folder),
        usage=used_by(state, attempt),
    )


def carry(fork: Fork, patterns: Sequence[str], folder: Path) -> bool:
    """Copy what the patterns name of the other attempt's folder to the same place in this one's. Again is fine.

    False: nothing was found. Only plain files, below real folders: the other agent could write there, and a link would
    lead out of its sandbox.
    """
    found = False
    for name in _kept(fork.folder) if patterns else ():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(fork.folder / name, target, follow_symlinks=False)
            found = True
    return found


def _kept(folder: Path) -> Iterator[str]:
    for part in ("home", "io"):
        for above, _, names in os.walk(folder / part):
            for path in (Path(above, name) for name in names):
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path.relative_to(folder).as_posix()


class Absent:
    """Whose trees are taken away, and for whom. Safe between threads, in one process at a time."""

    def __init__(self, context: RunContext) -> None:
        self._c = context
        self._lock = threading.Lock()
        self._for: dict[str, tuple[AttemptState, ...]] = {}
        self._done: set[str] = set()

    def need(self, attempt: str, scout: str, state: RunState) -> None:
        """From now on `attempt` goes on from `scout`: no tree that its conversation names may be there. RopeteamError
        where one cannot be taken away, or where its snapshot is not under its ref."""
        if self._c.has_sandbox:
            return
        with self._lock:
            for a in state.attempts:  # after a restart all of them live: the first that ends must not bring a tree back
                if a.stage == "running" and a.fork and a.id not in self._done:
                    self._for.setdefault(a.id, chain(state, a.fork))
            self._for[attempt] = others = chain(state, scout)
            for other in others:
                self._must_be_kept(other)
                git.take_away(_tree(other))

    def done(self, attempt: str) -> list[str]:
        """`attempt` has ended, with everything it started. Trees that nobody else must miss come back. A sentence for
        each that could not, since something else stands in its place."""
        with self._lock:
            self._done.add(attempt)
            others = self._for.pop(attempt, ())
            missed = {a.id for kept in self._for.values() for a in kept}
            back = [(other, git.bring_back(_tree(other))) for other in others if other.id not in missed]
        return [
            f"Something was written in place of the work tree of {other.id}, which was not there: {other.tree}."
            " It is in nobody's work; `ropeteam clean` keeps it under a ref."
            for other, came in back
            if not came
        ]

    def _must_be_kept(self, other: AttemptState) -> None:
        found = other.result
        if not found.commit or git.refs(self._c.repo, found.ref).get(found.ref) != found.commit:
            raise RopeteamError(
                f"The work tree of {other.id} was not taken away: no ref holds its snapshot ({found.ref}).",
                where=other.tree,
            )


def _tree(a: AttemptState) -> git.Tree:
    return git.Tree(Path(a.tree), Path(a.folder) / "index")
