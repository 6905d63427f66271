"""One attempt of one agent: a tree of its own, a supervised process, a snapshot, a verdict on what the tree shows.

The folder of an attempt (`<run>/<unit>-<n>`):

    tree/<repository's name>   the work tree
    io/                        what the agent is given and gives back: prompt.md, task.json, report.json
    log/                       the wrapper's: output, exit record
    home/                      in a sandbox: what the agent keeps for itself in its home folder (conversations);
                               of one that goes on from another's conversation, a copy of that at first
    index                      our own index of the tree, which the agent never sees
    before.json                how the user's checkout was when the attempt began
    without.json               what could not be made ready for it
    handed-in.json             of a host's attempt: the report that came with the hand-in

Of a host's attempt (`hosted`) there is a tree, and no process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import cache, partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ropeteam import git, process
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.model import AttemptResult, Outcome, Usage
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.triggers import LONGEST_WAIT
from ropeteam.core.verdict import Evidence, judge
from ropeteam.engine import Emit, Stopped
from ropeteam.errors import RopeteamError
from ropeteam.finishing import side_by_side, to_the_end
from ropeteam.following import Follower
from ropeteam.forking import Absent, carry
from ropeteam.hosted import HostFollower, fence, is_out, offers_of, until_taken
from ropeteam.lookahead import Lookahead
from ropeteam.ports import Exit, Finish, Fork, Launch, Task
from ropeteam.preparing import (
    changed_documents,
    changed_inputs,
    give,
    give_up_trees,
    make_tree,
    note,
    problems_of,
    program_at,
    spec_of,
    task_of,
    unit_of,
)


class Attempts:
    """Carries out `RunAgent` for one run: starts attempts, takes over those that a dead orchestrator left."""

    def __init__(self, context: RunContext, *, integration: Callable[[], str] = lambda: "") -> None:
        """integration: the commit that the next merge goes onto, as it is when it is asked; empty: none yet."""
        self._c = context
        self._ahead = Lookahead(context, integration)
        self._absent = Absent(context)
        self._stops: dict[str, str] = {}
        self._not_to_begin: set[str] = set()

    def stop(self, command: ev.RunAgent, stop: ev.Stop) -> None:
        if stop.unless_begun:
            self._not_to_begin.add(command.attempt)
        else:
            self._stops.setdefault(command.attempt, stop.why)

    def _stopped(self, command: ev.RunAgent) -> bool:
        """Before it has begun."""
        return command.attempt in self._stops or command.attempt in self._not_to_begin

    def _why_stopped(self, command: ev.RunAgent) -> str:
        """Empty: it is to go on."""
        return self._stops.get(command.attempt, "")

    async def perform(self, command: ev.RunAgent, state: RunState, emit: Emit) -> ev.AnyEvent:
        self._ahead.was_told(state.foreseen)
        if not self._c.agent_of(command).abilities.hosted:
            return await self._perform(command, state, emit)
        try:
            return await self._perform(command, state, emit)
        except (asyncio.CancelledError, Stopped):
            raise
        except BaseException:
            fence(self._c, command, "something failed in ropeteam itself")
            raise

    async def _perform(self, command: ev.RunAgent, state: RunState, emit: Emit) -> ev.AnyEvent:
        c = self._c
        known = next((a for a in state.attempts if a.id == command.attempt), None)
        if known is not None:
            return await self._take_over(command, known, state, emit)
        if c.agent_of(command).abilities.hosted:
            if not is_out(c, command):
                await self._until(command)
            return await self._begin_hosted(command, c.attempt_folder(command.attempt), state, emit)
        await self._until(command)
        give_up_trees(c, state)
        return await self._begin(command, state, emit)

    async def _until(self, command: ev.RunAgent) -> None:
        clock = self._c.clock
        until = clock.awake() + min(command.not_before - clock.now(), LONGEST_WAIT)  # whatever is done to the clock
        while (left := until - clock.awake()) > 0:
            self._c.tell(command.attempt, f"waiting {left:.0f} s before the next try")
            self._stop_here(command)
            await self._c.clock.sleep(min(left, 1.0))
        self._stop_here(command)

    def _stop_here(self, command: ev.RunAgent) -> None:
        if self._stopped(command):
            raise Stopped

    # ---- begin

    async def _begin(self, command: ev.RunAgent, state: RunState, emit: Emit) -> ev.AnyEvent:
        c = self._c
        folder = c.attempt_folder(command.attempt)
        tree = await make_tree(c, command, folder, lambda: self._stopped(command))
        self._stop_here(command)
        try:
            task, launch, spec, fork = await asyncio.to_thread(self._ready, command, folder, tree, state)
            emit(
                ev.AttemptStarted(
                    attempt=command.attempt,
                    tree=str(tree.path),
                    folder=str(folder),
                    start=command.start,
                    agent=c.agent_of(command).name,
                    slot=task.slot,
                    at_path=str(task.tree) if task.tree != tree.path else "",
                    forks=c.goes_on(c.agent_of(command)),
                    unpriced=c.agent_of(command).abilities.usage != "cost",
                    fork=fork,
                )
            )
            await asyncio.sleep(0)  # where that could not be journalled, the engine ends this task here
        except BaseException:
            await self._done_with(command.attempt)
            raise
        program = launch.argv[0]
        if (
            program_at(program, tree.path, spec.env.get("PATH", "")) is None
        ):  # it may have been there when the run began
            told = tuple(await self._done_with(command.attempt))
            evidence = f"Its program {program} cannot be started: it is not there, or may not be executed."
            evidence += " Install it, or put it back; then `ropeteam resume` goes on."
            result = AttemptResult(log=str(folder), evidence=evidence, notices=told)
            return ev.AttemptFailed(attempt=command.attempt, outcome="auth", result=result)
        # Once begun it is brought to its end: a resume finds it by its folder.
        try:
            child = await to_the_end(asyncio.to_thread(process.launch, spec))
        except Exception:
            await self._done_with(command.attempt)
            raise
        return await self._follow(command, task, tree, child, emit, began=c.clock.now())

    def _ready(
        self, command: ev.RunAgent, folder: Path, tree: git.Tree, state: RunState
    ) -> tuple[Task, Launch, process.Spec, str]:
        """Its task, how it is started, in its surroundings too, and the attempt whose conversation it goes on from."""
        c, agent, fork = self._c, self._c.agent_of(command), command.fork
        task = task_of(c, command, folder, tree.path, state, fork=fork)
        launch = agent.build(task)
        if task.fork is not None and (problem := self._not_to_go_on_from(command, task.fork, launch, folder, state)):
            note(folder, [f"It could not go on from what {fork} had read: {problem}"])
            fork = ""
            task = task_of(c, command, folder, tree.path, state)
            launch = agent.build(task)
        return task, launch, spec_of(c, launch, task, folder, tree.path), fork

    def _not_to_go_on_from(
        self, command: ev.RunAgent, fork: Fork, launch: Launch, folder: Path, state: RunState
    ) -> str:
        """Make ready what a fork needs; a sentence where that cannot be."""
        if not self._c.goes_on(self._c.agent_of(command)):  # the run was resumed where there is no sandbox any more
            return "That is possible in the sandbox only."
        if not carry(fork, launch.carried, folder) and self._c.has_sandbox:
            return "Its conversation is not there any more."
        try:
            self._absent.need(command.attempt, command.fork, state)
        except RopeteamError as problem:
            return problem.message
        return ""

    async def _done_with(self, attempt: str) -> list[str]:
        """Nobody holds trees back for it any more. What is to be told of that."""
        try:
            return await to_the_end(asyncio.to_thread(self._absent.done, attempt))
        except (RopeteamError, OSError) as problem:
            return [f"A work tree that was taken away could not be put back: {problem}"]

    async def _begin_hosted(self, command: ev.RunAgent, folder: Path, state: RunState, emit: Emit) -> ev.AnyEvent:
        """It has begun when somebody has taken it: until then it is only ready, and may be withdrawn."""
        c = self._c
        known = offers_of(c).find(command.attempt)
        path = folder / "tree" / c.repo.top.name
        if known is not None and known.state != "withdrawn":  # somebody may be at work in it
            tree = git.open_tree(path, folder / "index")
            task = await asyncio.to_thread(task_of, c, command, folder, path, state)
        else:
            tree = await make_tree(c, command, folder, lambda: self._stopped(command))
            self._stop_here(command)
            task = await asyncio.to_thread(task_of, c, command, folder, tree.path, state)
            await asyncio.to_thread(give, c.agent_of(command).build(task), folder)
        unit, told = unit_of(c, command, task, state), command.attempt in state.offered
        offer = await until_taken(c, command, unit, emit, lambda: self._stopped(command), told=told)
        emit(
            ev.AttemptStarted(
                attempt=command.attempt,
                tree=str(tree.path),
                folder=str(folder),
                start=command.start,
                agent=c.agent_of(command).name,
                slot=task.slot,
                since=offer.taken_at,
                by=offer.by,
            )
        )
        await asyncio.sleep(0)
        return await self._follow(command, task, tree, None, emit, began=offer.taken_at)

    # ---- take over

    async def _take_over(self, command: ev.RunAgent, known: AttemptState, state: RunState, emit: Emit) -> ev.AnyEvent:
        """After a restart: collect what ended, attach to what lives, give up what is gone."""
        folder = Path(known.folder)
        if known.hosted:
            tree = git.open_tree(Path(known.tree), folder / "index")
            task = await asyncio.to_thread(task_of, self._c, command, folder, tree.path, state)
            return await self._follow(command, task, tree, None, emit, began=known.started_at)
        child = await to_the_end(asyncio.to_thread(process.attach, folder / "log"))
        try:
            tree = git.open_tree(Path(known.tree), folder / "index")
            if known.fork:
                await asyncio.to_thread(self._absent.need, command.attempt, known.fork, state)
            task = await asyncio.to_thread(
                partial(task_of, self._c, command, folder, tree.path, state, fork=known.fork)
            )
        except asyncio.CancelledError:
            raise  # the orchestrator leaves; the attempt goes on under its wrapper
        except BaseException:
            if child is not None:  # or there would be two agents once the next attempt begins
                await to_the_end(asyncio.to_thread(child.kill))
            await self._done_with(command.attempt)
            raise
        if child is not None or process.ended(folder / "log") is not None:
            return await self._follow(command, task, tree, child, emit, began=known.started_at)
        try:
            lost = await asyncio.to_thread(self._lost, command, known, tree)
        finally:
            told = await self._done_with(command.attempt)
        return replace(lost, result=replace(lost.result, notices=(*lost.result.notices, *told)))

    def _lost(self, command: ev.RunAgent, known: AttemptState, tree: git.Tree) -> ev.AttemptLost:
        """Wrapper and agent are gone without a record: end what may be left in the tree, keep its work."""
        _sweep(tree, Path(known.folder))
        seconds = max(0.0, self._last_sign(known) - known.started_at)
        result = AttemptResult(seconds=seconds, usage=known.usage, log=known.folder, evidence="It was cut off.")
        if tree.path.exists():
            result, _ = self._snapshot(command, tree, result)
        return ev.AttemptLost(attempt=command.attempt, result=result)

    def keep(self, command: ev.Keep, state: RunState) -> ev.AnyEvent:
        """The snapshot that an attempt's own end did not take."""
        known = state.attempt(command.attempt)
        log = Path(known.folder) / "log"
        child = process.attach(log)
        if child is not None:
            child.kill()
        result = known.result
        tree = git.open_tree(Path(known.tree), Path(known.folder) / "index")
        if child is None and process.ended(log) is None and not known.hosted:  # what a host runs there is not ours
            _sweep(tree, Path(known.folder))
        if tree.path.exists():
            result, _ = self._snapshot(command, tree, result)
        return ev.AttemptKept(attempt=command.attempt, result=result)

    def _last_sign(self, known: AttemptState) -> float:
        log = Path(known.folder) / "log"
        return max((p.stat().st_mtime for p in log.glob("*")), default=known.started_at)

    # ---- follow

    async def _follow(
        self,
        command: ev.RunAgent,
        task: Task,
        tree: git.Tree,
        child: process.Child | None,
        emit: Emit,
        *,
        began: float,
    ) -> ev.AnyEvent:
        asked = partial(self._why_stopped, command)
        keep = partial(self._keep_running, command, tree, child)
        look = partial(self._ahead.look, command.attempt)
        follower: Follower | HostFollower
        if self._c.agent_of(command).abilities.hosted:
            follower = HostFollower(self._c, command, task, emit, asked=asked, keep=keep, look=look)
        else:
            follower = Follower(
                self._c, command, task, child, emit, began, asked=asked, keep=keep, look=look, tree=tree.path
            )
        try:
            exit, finish = await follower.until_it_ends()
        except asyncio.CancelledError:
            raise  # the orchestrator leaves; the attempt goes on under its wrapper
        except BaseException:
            if child is not None:
                await to_the_end(asyncio.to_thread(child.kill))
            await self._done_with(command.attempt)
            raise
        finally:
            self._ahead.forget(command.attempt)
        ended, checkout = await side_by_side(
            asyncio.to_thread(self._conclude, command, tree, exit, finish, follower.usage, began),
            asyncio.to_thread(self._checkout, command),
        )
        told = await self._done_with(command.attempt)
        return replace(ended, result=replace(ended.result, checkout=checkout, notices=(*ended.result.notices, *told)))

    def _keep_running(self, command: ev.RunAgent, tree: git.Tree, child: process.Child | None) -> None:
        """A snapshot while the agent works: what it deletes later is not lost. Its processes stand still meanwhile,
        where they are ours."""
        if tree.path.exists():
            with child.frozen() if child is not None else nullcontext():
                taken, _ = self._snapshot(command, tree, AttemptResult())
            if taken.commit is not None:
                self._ahead.saw(command.attempt, command.base, taken.commit)

    def _conclude(
        self, command: ev.RunAgent, tree: git.Tree, exit: Exit, finish: Finish, usage: Usage, began: float
    ) -> ev.AttemptSucceeded | ev.AttemptFailed:
        """Snapshot first, then judge."""
        c = self._c
        result = AttemptResult(
            seconds=exit.seconds,
            report=finish.report,
            usage=finish.usage if finish.usage.tokens or finish.usage.cost_usd else usage,
            session=finish.session,
            model=finish.model,
            retry_at=finish.retry_at,
            compacted=finish.compacted,
            unforked=finish.unforked,
            log=str(self._c.attempt_folder(command.attempt)),
        )
        found, result = self._look(command, tree, result)
        result = replace(result, reading_seconds=_reading(tree, result, began))

        @cache
        def known() -> set[str]:
            return {p for commit in (result.commit, command.base) if commit for p in git.list_files(c.store, commit)}

        def exists(path: str) -> bool:
            return _is_there(tree.path, path) or os.path.normpath(path) in known()

        verdict = judge(finish.outcome, finish.evidence, finish.report, found, exists, command.kind)
        notices = [*finish.notices, *verdict.notices, *result.notices, *self._full_context(result.usage)]
        notices += problems_of(c.attempt_folder(command.attempt))
        evidence = verdict.evidence + (self._last_words(command) if verdict.outcome in ("crashed", "unknown") else "")
        result = replace(result, evidence=evidence, notices=tuple(dict.fromkeys(notices)))
        if verdict.outcome == "ok":
            return ev.AttemptSucceeded(attempt=command.attempt, result=result)
        return ev.AttemptFailed(attempt=command.attempt, outcome=self._outcome(command, verdict.outcome), result=result)

    def _last_words(self, command: ev.RunAgent) -> str:
        """The last line on standard error: what a program that cannot go on says of it."""
        lines = process.Tail(self._c.attempt_folder(command.attempt) / "log", "err").read(100_000, last=True)
        last = next((line for line in reversed(lines) if line.strip()), b"")
        return f" Its last words: {last.decode(errors='replace').strip()[:300]}" if last else ""

    def _outcome(self, command: ev.RunAgent, outcome: Outcome) -> Outcome:
        why = self._why_stopped(command)
        return "budget" if why == "budget" and outcome == "killed" else outcome

    def _look(self, command: ev.RunAgent, tree: git.Tree, result: AttemptResult) -> tuple[Evidence, AttemptResult]:
        if not tree.path.exists():
            return Evidence(descends=False), replace(result, notices=("Its work tree is gone.",))
        result, descends = self._snapshot(command, tree, result)
        assert result.commit is not None
        tampered = changed_inputs(self._c.attempt_folder(command.attempt))
        tampered += changed_documents(self._c, command.base, result.commit, result.changes)
        return Evidence(changes=result.changes, descends=descends, tampered=tuple(tampered)), result

    def _snapshot(
        self, command: ev.RunAgent | ev.Keep, tree: git.Tree, result: AttemptResult
    ) -> tuple[AttemptResult, bool]:
        """The tree as a commit under its ref, and whether its HEAD still descends from where it began."""
        c = self._c
        ref = c.ref(command.attempt)
        message = f"Snapshot of {command.attempt}\n\nRopeteam-Run: {c.run}\n"
        taken = git.snapshot(
            c.store, tree, start=command.start, ref=ref, message=message, at=c.clock.now(), facts=c.started.repo
        )
        notices = tuple(
            f"{path} is a git repository of its own in the tree; its files are taken as plain files."
            for path in taken.nested
        )
        kept = replace(
            result,
            commit=taken.commit,
            ref=ref,
            changes=taken.changes
            if command.base == command.start
            else git.changes(c.store, command.base, taken.commit),
            ignored=taken.ignored[:50],
            kept=tuple(git.refs(c.repo, f"{ref}-kept/", f"{ref}-nested/")),
            notices=(*result.notices, *notices, *taken.problems),
        )
        return kept, taken.descends

    def _full_context(self, usage: Usage) -> tuple[str, ...]:
        """For an agent that works on the whole feature a full context is a note, not a reason to fall back."""
        share = self._c.started.settings.limits.context_share
        if not usage.context_limit or usage.context_used <= share * usage.context_limit:
            return ()
        used = f"{usage.context_used:,} of {usage.context_limit:,} tokens"
        return (
            f"Its model's context was nearly full: {used} ({100 * usage.context_used / usage.context_limit:.0f} %).",
        )

    def _checkout(self, command: ev.RunAgent) -> tuple[str, ...]:
        """What changed in the user's checkout while it ran, by its hand or by the user's own."""
        saved = self._c.attempt_folder(command.attempt) / "before.json"
        try:
            before = msgspec.json.decode(saved.read_bytes(), type=git.Fingerprint)
        except (OSError, msgspec.MsgspecError):
            return ()
        try:
            return tuple(git.compare_fingerprint(self._c.repo, before)[:20])
        except (RopeteamError, OSError) as problem:  # a look that fails must not cost the attempt
            return (f"It could not be looked at: {problem}",)


def _sweep(tree: git.Tree, folder: Path) -> None:
    """End what a killed wrapper of the attempt, or of its set-up, left working in its tree."""
    process.sweep_after(tree.path, folder / "log", *folder.glob("log/set-up/*/process"))


def _reading(tree: git.Tree, result: AttemptResult, began: float) -> float:
    """Seconds from `began` to the first change of a file that is there: how long it read before it wrote."""
    written = []
    for change in result.changes:
        with suppress(OSError):
            written.append((tree.path / change.path).lstat().st_mtime)
    since = [at for at in written if at >= began]
    return min(min(since) - began, result.seconds) if since else 0.0


def _is_there(tree: Path, path: str) -> bool:
    """Whether an agent's word for a path, which may be anything at all, is something in its tree."""
    plain = os.path.normpath(path)
    return not plain.startswith(("/", "..")) and os.path.lexists(tree / plain)
