"""The project's checks on a tree of their own: once on the base commit, then on each candidate beside it.

The tree of a validation shows the commit and nothing else, gets the untracked folders that `trees.copy` names and the
project's set-up, as an agent's tree does, and is given back afterwards: whatever ran in it, nothing of that is left
when the next validation has it (`git.Pool`).
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from ropeteam import checks, git, process
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.compare import compare, needs_repeat
from ropeteam.core.model import Baseline, CheckResult, CheckRun, FileChange, Finding
from ropeteam.core.settings import CheckCommand
from ropeteam.core.state import RunState
from ropeteam.engine import Emit
from ropeteam.errors import RopeteamError
from ropeteam.finishing import in_thread
from ropeteam.packing import leads
from ropeteam.ports import Place

CHECK_SLOT = 0
GIVES_WAY = 3
"""How often a canary is put off for a candidate that waits: then it is brought to its end."""
FILES_AT_ONCE = 200  # that are looked at for syntax errors: a call of git each would take 3 ms, all at once the memory


@dataclass(frozen=True)
class _Made:
    """A tree to check in. problem: why it is not as the checks need it, empty when it is."""

    tree: git.Tree
    place: Place
    problem: str


class Validation:
    """Carries out `MeasureBaseline`, `Validate` and the cheap checks of a merge for one run."""

    def __init__(self, context: RunContext) -> None:
        self._c = context
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._canary: asyncio.Task[Baseline] | None = None
        self._found: dict[str, tuple[CheckCommand, ...]] = {}

    async def baseline(self, command: ev.MeasureBaseline, state: RunState, emit: Emit) -> ev.AnyEvent:
        """Every check on `commit`, then each with its canary, while agents may be at work elsewhere.

        With several agents candidates go first: what the checks say is told before the canaries are tried.
        """
        c = self._c
        commands = await self._commands(command.commit)
        found: list[Baseline] = []
        if commands:
            async with self._tree(command.commit, "base") as made:
                files = await asyncio.to_thread(git.list_files, c.repo, command.commit)
                async with self._one_at_a_time:
                    runs = [await self._base(wanted, made) for wanted in commands]
                if c.started.settings.checks.canary and not made.problem:
                    if state.together:
                        told = tuple(Baseline(run=run) for run in runs)
                        emit(ev.BaselineMeasured(commit=command.commit, checks=told, final=False))
                    for wanted, run in zip(commands, runs, strict=True):
                        gauge = partial(checks.gauge, c.checks(wanted), made.place, files, run)
                        found.append(await self._giving_way(gauge))
                else:
                    found = [Baseline(run=run) for run in runs]
        return ev.BaselineMeasured(commit=command.commit, checks=tuple(found))

    async def _commands(self, commit: str) -> tuple[CheckCommand, ...]:
        """The checks of the project at `commit`: looked for once, so that a candidate gets those of its baseline."""
        if commit not in self._found:
            self._found[commit] = await asyncio.to_thread(commands_at, self._c, commit)
        return self._found[commit]

    async def _base(self, command: CheckCommand, made: _Made) -> CheckRun:
        if made.problem:
            return CheckRun(name=command.name, problem=made.problem)
        return await self._c.checks(command).run(made.place, f"{command.name}-base")

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """The one place where checks run, for a candidate: a canary that is under way is tried again later."""
        self._waiting += 1
        if self._canary is not None:
            self._canary.cancel()
        try:
            await self._one_at_a_time.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._one_at_a_time.release()

    async def _giving_way(self, gauge: Callable[[], Coroutine[Any, Any, Baseline]]) -> Baseline:
        for times in count():
            async with self._one_at_a_time:
                if self._waiting and times < GIVES_WAY:
                    continue  # who waits is first in the queue now
                canary = asyncio.ensure_future(gauge())
                self._canary = canary if times < GIVES_WAY else None
                try:
                    await asyncio.wait([canary])
                except asyncio.CancelledError:
                    canary.cancel()
                    await asyncio.wait([canary])
                    raise
                finally:
                    self._canary = None
            if not canary.cancelled():
                return canary.result()
        raise AssertionError("unreachable")

    async def validate(self, command: ev.Validate) -> ev.AnyEvent:
        """The checks on a candidate, a failing one once more, each held against its baseline."""
        c = self._c
        commands = {x.name: x for x in await self._commands(command.base)}
        results: list[CheckResult] = []
        holding: list[CheckResult] = []
        if command.baseline:
            changed = await asyncio.to_thread(git.changes, c.store, command.base, command.commit)
            changed = tuple(change for change in changed if change.path not in command.disowned)
            async with self._turn(), self._tree(command.commit, "candidate") as made:
                for baseline in command.baseline:
                    runs = await self._runs(baseline, commands, made, changed, last=command.last)
                    results.append(compare(baseline, runs, changed=changed, last=True))
                    holding.append(compare(baseline, runs, changed=changed, last=False))
        complete = not any(r.state == "failed" for r in results)
        if not command.keep:
            kind = ev.CandidatePassed if complete else ev.CandidateFailed
            return kind(commit=command.commit, checks=tuple(results))
        if any(r.state == "failed" for r in holding):
            return ev.CandidateFailed(commit=command.commit, checks=tuple(holding))
        await asyncio.to_thread(git.keep, c.store, command.commit, c.ref(command.keep))
        shown = results if command.last else holding
        return ev.CandidatePassed(commit=command.commit, checks=tuple(shown), complete=complete)

    async def _runs(
        self,
        baseline: Baseline,
        commands: dict[str, CheckCommand],
        made: _Made,
        changed: Sequence[FileChange],
        *,
        last: bool,
    ) -> tuple[CheckRun, ...]:
        """What the check says of the candidate, once more when it fails; nothing where it has no say."""
        name = baseline.run.name
        if not baseline.run.ran or not baseline.gate or name not in commands:
            return ()
        if made.problem:
            return (CheckRun(name=name, problem=made.problem),)
        check = self._c.checks(commands[name])
        runs = [await check.run(made.place, f"{name}-1")]
        for again in range(self._c.started.settings.checks.retries):
            if not needs_repeat(baseline, runs[-1], changed=changed, last=last):
                break
            runs.append(await check.run(made.place, f"{name}-{again + 2}"))
        return tuple(runs)

    @asynccontextmanager
    async def _tree(self, commit: str, label: str) -> AsyncIterator[_Made]:
        c = self._c
        folder = c.folder / f"check-{label}-{commit[:12]}"
        if folder.exists():  # of an orchestrator that was killed here
            await asyncio.to_thread(process.sweep_after, folder, *folder.glob("out/*/process"))
            await asyncio.to_thread(_remove, folder)
            if folder.exists():
                folder = folder.with_name(f"{folder.name}-{secrets.token_hex(2)}")
        try:
            async with c.making:
                made = await in_thread(lambda left: self._make(commit, folder, left))
        except asyncio.CancelledError:
            raise  # somebody waits, and to remove half a copy can take long: the next one does it, or `clean`
        except BaseException:
            await asyncio.to_thread(_remove, folder)
            raise
        try:
            yield made if made.problem else _Made(made.tree, made.place, await set_up(c, made.place))
        finally:
            await asyncio.shield(asyncio.to_thread(self._give_back, made.tree, folder))

    def _give_back(self, tree: git.Tree, folder: Path) -> None:
        self._c.trees.give_back(tree)
        _remove(folder)

    def _make(self, commit: str, folder: Path, stopped: Callable[[], bool]) -> _Made:
        c = self._c
        settings = c.started.settings
        output = folder / "out"
        output.mkdir(parents=True)
        tree = c.trees.make(folder / "tree" / c.repo.top.name, commit, index=folder / "index")
        how = git.Copying(seconds=settings.limits.check_seconds, stopped=stopped)
        missing = git.copy_untracked(c.store, tree, c.untracked, how)
        place = Place(
            tree=tree.path,
            folder=output,
            env=c.environment(tree.path, CHECK_SLOT, {}, ()),
            prefix=c.sandboxed(tree.path, (output,)),
            lock_fd=c.lock_fd,
            seconds=settings.limits.check_seconds,
        )
        return _Made(tree, place, next((one.text for one in missing if not one.partly), ""))

    def inspect(self, onto: str, commit: str, *, declares: bool = False) -> tuple[Finding, ...]:
        """The cheap checks: syntax errors and conflict markers that `commit` has and its parent `onto` has not.
        declares: imports that lead nowhere, too."""
        store = self._c.store
        path = self._c.env.get("PATH", "")
        confirm = checks.confirm_with(lambda program: shutil.which(program, path=path))
        names = [change.path for change in git.changes(store, onto, commit) if change.kind != "deleted"]
        findings: list[Finding] = []
        for start in range(0, len(names), FILES_AT_ONCE):
            some = names[start : start + FILES_AT_ONCE]
            before = git.read_files(store, onto, some)
            parents = {name: [content] for name, content in before.items()}
            findings += checks.inspect(git.read_files(store, commit, some), parents, confirm=confirm)
        if declares and not findings:
            findings += leads.astray(store, onto, commit, names, self._c.untracked)
        return tuple(findings)


async def set_up(context: RunContext, place: Place) -> str:
    """Run the lines of `checks.setup` in a new tree; empty, or why one failed. Cancelling ends what it started."""
    for line in context.started.settings.checks.setup:
        done = await context.checks(CheckCommand(name="set-up", argv=("sh", "-c", line))).run(place, "set-up")
        if done.exit_code != 0:
            end = done.problem or f"ended with {done.exit_code}: {''.join(done.output.strip().splitlines()[-1:])}"
            return f"the set-up `{line}` {end}"
    return ""


async def set_up_for_agent(context: RunContext, tree: Path, output: Path, slot: int) -> str:
    """`set_up` in an agent's tree, with the agent's own slot. output: a folder for what the lines say."""
    output.mkdir(parents=True, exist_ok=True)
    place = Place(
        tree=tree,
        folder=output,
        env=context.environment(tree, slot, {}, ()),
        prefix=context.sandboxed(tree, (output,)),
        lock_fd=context.lock_fd,
        seconds=context.started.settings.limits.check_seconds,
    )
    return await set_up(context, place)


def commands_at(context: RunContext, commit: str) -> tuple[CheckCommand, ...]:
    """The checks of the project: as configured, else found from the usual files at `commit`."""
    configured = context.started.settings.checks.commands
    if configured is not None:
        return configured
    return find_checks(context.repo, commit, context.started.settings.trees.copy, context.env.get("PATH", ""))


def find_checks(repo: git.Repo, commit: str, copied: Sequence[str], path: str) -> tuple[CheckCommand, ...]:
    """Found from the usual files at `commit`, with the virtual environments that trees will have."""
    environments = [p for p in git.untracked(repo, copied) if (repo.top / p / "pyvenv.cfg").exists()]
    return checks.find(
        git.list_files(repo, commit),
        lambda name: git.read_file(repo, commit, name),
        which=lambda program: shutil.which(program, path=path),
        venvs=environments,
    )


def _remove(folder: Path) -> None:
    with suppress(RopeteamError):  # what is left is in nobody's way: the next one gets a name of its own
        git.erase(folder)
