"""Merges: the work of an attempt as one linear commit, its lists by union, its lock files made anew by their tool.

Everything else that conflicts stays a conflict. What was resolved is told, a sentence each, and is validated like the
rest.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ropeteam import git, process
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.lock_files import command_for, is_lock
from ropeteam.core.model import CheckRun
from ropeteam.core.settings import CheckCommand
from ropeteam.errors import RopeteamError
from ropeteam.finishing import in_thread, side_by_side
from ropeteam.ports import Place
from ropeteam.validation import CHECK_SLOT, Validation

TOOL_SECONDS = 600.0
"""A tool that makes a lock file anew without installing anything takes seconds; one that waits for a network that is
not there would hold up all that is to be merged."""

# What to tell of a tool's output: npm, for one, ends with where its log is.
_FAULT = re.compile(r"\b(error|err!|fatal|failed)(?!\w)", re.IGNORECASE)

# A tool that thinks it runs in CI refuses to change a lock file (pnpm, yarn), and checks are told that they do.
_ENVIRONMENT = {"CI": "false"}


@dataclass(frozen=True)
class _Anew:
    """What came of the tools. contents: of lock files that were made. problems: why the others were not, by path."""

    contents: Mapping[str, bytes]
    problems: Mapping[str, str]


class Merging:
    """Carries out `Merge` for one run."""

    def __init__(self, context: RunContext, validation: Validation) -> None:
        self._c = context
        self._validation = validation

    async def merge(self, command: ev.Merge) -> ev.AnyEvent:
        """One linear commit in our own repository, kept under a ref in the user's, then looked at cheaply.

        Repeated, it is the same commit: what a tool wrote the first time is taken from under that ref.
        """
        plain, locks = await side_by_side(
            asyncio.to_thread(self._merge, command, {}), asyncio.to_thread(self._locks, command)
        )
        left = tuple(path for path in plain.conflicts if path not in locks)
        if left:
            return ev.MergeConflicted(attempt=command.attempt, onto=command.onto, paths=left)
        if not locks:
            return await self._answer(command, plain, ())
        made = await asyncio.to_thread(self._made_before, command, locks)
        if made is None:
            made = await self._anew(command, locks)
        merged, said = await asyncio.to_thread(self._with_locks, command, plain, locks, made)
        return merged if isinstance(merged, ev.MergeConflicted) else await self._answer(command, merged, said)

    def _merge(self, command: ev.Merge, given: Mapping[str, bytes]) -> git.Merge:
        c = self._c
        return git.merge(
            c.store,
            onto=command.onto,
            tip=command.commit,
            base=command.base,
            message=command.message,
            at=command.at,
            facts=c.started.repo,
            union=c.started.settings.merge.union,
            given=given,
        )

    def _ref(self, command: ev.Merge) -> str:
        return self._c.ref(f"{command.attempt}-merged")

    async def _answer(self, command: ev.Merge, merged: git.Merge, said: Sequence[str]) -> ev.AnyEvent:
        assert merged.commit is not None
        _, findings = await side_by_side(
            asyncio.to_thread(git.keep, self._c.store, merged.commit, self._ref(command)),
            asyncio.to_thread(self._validation.inspect, command.onto, merged.commit, declares=command.declares),
        )
        lists = [f"{path} is a list that both changed: the lines of both are kept." for path in merged.united]
        return ev.Merged(
            attempt=command.attempt,
            onto=command.onto,
            commit=merged.commit,
            findings=findings,
            resolved=(*lists, *said),
        )

    # ---- lock files

    def _locks(self, command: ev.Merge) -> dict[str, bytes]:
        """Lock files that both sides changed, each in another way, with what `onto` has."""
        store, configured = self._c.store, self._c.started.settings.merge.locks
        theirs = {change.path for change in git.changes(store, command.base, command.commit)}
        theirs = {path for path in theirs if is_lock(path, configured)}
        if not theirs:
            return {}
        both = sorted(theirs & {change.path for change in git.changes(store, command.base, command.onto)})
        old, new = (git.read_files(store, commit, both) for commit in (command.onto, command.commit))
        return {path: old[path] for path in both if path in old and path in new and old[path] != new[path]}

    def _made_before(self, command: ev.Merge, locks: Mapping[str, bytes]) -> _Anew | None:
        """What the tools wrote when this very merge was made before a crash."""
        c, ref = self._c, self._ref(command)
        commit = git.refs(c.repo, ref).get(ref)
        if commit is None:
            return None
        contents = git.read_files(c.store, commit, list(locks))
        if contents.keys() != locks.keys() or self._merge(command, contents).commit != commit:
            return None
        return _Anew(contents, {})

    async def _anew(self, command: ev.Merge, locks: Mapping[str, bytes]) -> _Anew:
        """Each lock file by its tool, beginning with that of `onto`: what is in it already keeps its version."""
        start = await asyncio.to_thread(self._merge, command, locks)
        if start.commit is None:
            return _Anew({}, dict.fromkeys(start.conflicts, "one side removed or replaced it"))
        contents: dict[str, bytes] = {}
        problems: dict[str, str] = {}
        async with self._tree(command, start.commit) as (tree, place):
            for path, before in locks.items():
                problem = await self._run(command.attempt, path, before, place)
                after = None if problem else await asyncio.to_thread(git.content, self._c.store, tree, path)
                if after is None:
                    problems[path] = problem or "the tool left no plain file"
                else:
                    contents[path] = after
        return _Anew(contents, problems)

    async def _run(self, attempt: str, path: str, before: bytes, place: Place) -> str:
        """Empty, or why the tool did not do it."""
        c = self._c
        argv = command_for(path, before, c.started.settings.merge.locks)
        c.tell(attempt, f"making {path} anew: {' '.join(argv)}")
        check = c.checks(CheckCommand(name=argv[0], argv=argv, cwd=path.rpartition("/")[0], env=dict(_ENVIRONMENT)))
        return _problem(argv[0], await check.run(place, argv[0]))

    def _with_locks(
        self, command: ev.Merge, plain: git.Merge, locks: Mapping[str, bytes], made: _Anew
    ) -> tuple[git.Merge | ev.MergeConflicted, tuple[str, ...]]:
        """What came of it, and what to tell of the lock files."""
        left = tuple(path for path in plain.conflicts if path not in made.contents)
        merged = plain if left else self._merge(command, made.contents)
        if left or merged.commit is None:
            paths = left or merged.conflicts
            conflicted = ev.MergeConflicted(
                attempt=command.attempt,
                onto=command.onto,
                paths=paths,
                reasons=tuple(f"{path} could not be made anew: {why}." for path, why in made.problems.items()),
            )
            return conflicted, ()
        configured = self._c.started.settings.merge.locks
        said = []
        for path, before in locks.items():
            if path in made.contents:
                tool = command_for(path, before, configured)[0]
                said.append(f"{path} was changed by both: it was made anew with {tool}.")
            else:
                said.append(
                    f"{path} was changed by both and merged line by line: it could not be made anew"
                    f" ({made.problems[path]})."
                )
        return merged, tuple(said)

    @asynccontextmanager
    async def _tree(self, command: ev.Merge, commit: str) -> AsyncIterator[tuple[git.Tree, Place]]:
        """A tree for the tools, with nothing in it but the commit."""
        folder = self._c.folder / f"merge-{command.attempt.replace('/', '-')}-{command.onto[:12]}"
        if folder.exists():  # of an orchestrator that was killed here
            await asyncio.to_thread(process.sweep_after, folder, *folder.glob("out/*/process"))
            await asyncio.to_thread(_remove, folder)
            if folder.exists():
                folder = folder.with_name(f"{folder.name}-{secrets.token_hex(2)}")
        try:
            yield await in_thread(lambda _left: self._make(commit, folder))
        finally:
            await asyncio.shield(asyncio.to_thread(_remove, folder))

    def _make(self, commit: str, folder: Path) -> tuple[git.Tree, Place]:
        c = self._c
        output = folder / "out"
        output.mkdir(parents=True)
        place = folder / "tree" / c.repo.top.name
        tree = git.create_tree(c.store, place, commit, c.started.repo, index=folder / "index")
        return tree, Place(
            tree=tree.path,
            folder=output,
            env=c.environment(tree.path, CHECK_SLOT, {}, ()),
            prefix=c.sandboxed(tree.path, (output,)),
            lock_fd=c.lock_fd,
            seconds=min(TOOL_SECONDS, c.started.settings.limits.check_seconds),
        )


def _problem(program: str, run: CheckRun) -> str:
    if run.problem:
        return run.problem
    if run.exit_code == 0:
        return ""
    lines = [line.strip() for line in run.output.splitlines() if line.strip()]
    said = [line for line in lines if _FAULT.search(line)][:2] or lines[-1:]
    return f"{program} ended with {run.exit_code}" + (f": {'; '.join(said)[:300].rstrip('. ')}" if said else "")


def _remove(folder: Path) -> None:
    with suppress(RopeteamError):  # what is left is in nobody's way: the next one gets a name of its own
        git.erase(folder)
