"""What an attempt has before its agent starts: a tree, what the tree needs, a task, and how the agent is to be started.

All of it is the same when it is done again after a crash, but for the deadline.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from ropeteam import git, process, prompts
from ropeteam.context import CONTEXT, PATTERNS, RunContext
from ropeteam.core import events as ev
from ropeteam.core import pack
from ropeteam.core.briefing import briefing
from ropeteam.core.hosting import HostUnit, brief
from ropeteam.core.model import FileChange
from ropeteam.core.progress import units
from ropeteam.core.reading import reads_for_others, with_planner
from ropeteam.core.state import RunState
from ropeteam.engine import Stopped
from ropeteam.finishing import in_thread, side_by_side
from ropeteam.forking import fork_of
from ropeteam.ports import Agent, Launch, Task
from ropeteam.validation import set_up_for_agent

LOOK_SECONDS = 0.2
_PROBLEMS = "without.json"  # in the attempt's folder


async def make_tree(c: RunContext, command: ev.RunAgent, folder: Path, stopped: Callable[[], bool]) -> git.Tree:
    """The tree with what it needs. Half of it when `stopped` says so: it is gone on with the next time."""
    loop = asyncio.get_running_loop()

    def tell(text: str) -> None:
        loop.call_soon_threadsafe(c.tell, command.attempt, text)

    tell("preparing its work tree")
    async with _turn(c, stopped):
        tree, before = await side_by_side(
            in_thread(lambda left: _make(c, command, folder, lambda: left() or stopped(), tell)),
            c.checkout.now(),
        )
        (folder / "before.json").write_bytes(before)
    await _set_up(c, command, tree.path, folder, stopped)
    return tree


@asynccontextmanager
async def _turn(c: RunContext, stopped: Callable[[], bool]) -> AsyncIterator[None]:
    """Wait until a processor is free for making a tree. Stopped: when `stopped` says so before that."""
    turn = asyncio.ensure_future(c.making.acquire())
    try:
        while not (await asyncio.wait({turn}, timeout=LOOK_SECONDS))[0]:
            if stopped():
                raise Stopped
        yield
    finally:
        if turn.done():
            c.making.release()
        else:
            turn.cancel()


def give_up_trees(c: RunContext, state: RunState) -> None:
    """Trees of attempts whose work is in a checkpoint may be used for others: no next attempt begins from them. Not
    those of a host: its subagents may still write into them."""
    if c.started.settings.trees.reuse != "all":
        return  # a person may want to look into them, and what they ignore is nowhere else
    for a in state.attempts:
        if a.forks and not c.has_sandbox:
            continue  # its tree must not be there while others go on from its conversation (`forking`)
        if a.stage == "validated" and not a.unkept and not a.hosted and a.result.commit is not None:
            tree = git.Tree(Path(a.tree), Path(a.folder) / "index")
            c.trees.give_up(tree, ref=a.result.ref, commit=a.result.commit)


def _make(
    c: RunContext, command: ev.RunAgent, folder: Path, stopped: Callable[[], bool], tell: Callable[[str], None]
) -> git.Tree:
    settings = c.started.settings
    for part in ("io", "log", "tree"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    tree = c.trees.make(folder / "tree" / c.repo.top.name, command.start, index=folder / "index")
    for path in changed_documents(c, command.base, command.start):
        git.put_back(tree, path, git.read_file(c.repo, command.base, path))
    how = git.Copying(seconds=settings.limits.check_seconds, stopped=stopped, tell=tell)
    missing = git.copy_untracked(c.store, tree, c.untracked, how)
    (folder / _PROBLEMS).unlink(missing_ok=True)
    note(folder, (f"In its work tree {problem.text}" for problem in missing))
    if command.kind == "plan" and (without := thinking_with(c, c.agent_of(command), tree.path)[1]):
        note(folder, [without])
    return tree


async def _set_up(c: RunContext, command: ev.RunAgent, tree: Path, folder: Path, stopped: Callable[[], bool]) -> None:
    """`checks.setup` in the agent's tree. Where a line fails the agent goes on without it; the checks tell."""
    if not c.started.settings.checks.setup or stopped():
        return
    c.tell(command.attempt, "setting up its work tree")
    work = asyncio.ensure_future(set_up_for_agent(c, tree, folder / "log" / "set-up", command.slot))
    while not (await asyncio.wait({work}, timeout=LOOK_SECONDS))[0]:
        if stopped():
            work.cancel()
    if not work.cancelled() and (problem := work.result()):
        c.tell(command.attempt, problem)
        note(folder, [f"It worked without the project's set-up: {problem}"])


def note(folder: Path, problems: Iterable[str]) -> None:
    told = [*problems_of(folder), *problems]
    (folder / _PROBLEMS).write_bytes(msgspec.json.encode(list(dict.fromkeys(told))))


def problems_of(folder: Path) -> list[str]:
    """What the agent had to do without, a sentence each, for the report."""
    try:
        return msgspec.json.decode((folder / _PROBLEMS).read_bytes(), type=list[str])
    except (OSError, msgspec.MsgspecError):
        return []


def changed_documents(c: RunContext, base: str, commit: str, changes: Sequence[FileChange] | None = None) -> list[str]:
    """Intent, research and architecture, which no attempt may change, as far as `commit` has others.

    changes: base..commit, where they are known already.
    """
    if base == commit:
        return []
    feature = c.started.feature
    kinds = ("intent", "research", "architecture") if feature.folder else ()
    differ = {change.path for change in (git.changes(c.store, base, commit) if changes is None else changes)}
    paths = [document.path for document in feature.documents if document.kind in kinds and document.path in differ]
    return [path for path in paths if git.read_file(c.repo, base, path) != git.read_file(c.repo, commit, path)]


# ---- what it is given


def task_of(c: RunContext, command: ev.RunAgent, folder: Path, tree: Path, state: RunState, *, fork: str = "") -> Task:
    """What the agent is given. state: of the run, for what it is told of the others. tree: where it lies. fork: the
    attempt whose conversation it goes on from, as it has come out: `command.fork`, or none where that is not there."""
    report_file = folder / "io" / "report.json"
    feature = c.started.feature
    told = briefing(state, command)
    piece = told.unit if told is not None else None
    agent = c.agent_of(command)
    as_planner = with_planner(state, fork) if command.kind != "plan" else _shares(c, agent)
    thinking = thinking_with(c, agent, tree)[0] if command.kind == "plan" or as_planner else ()
    seen = c.seen(tree, agent)
    given = _given(c, command, state, fork)
    goal = (piece.goal or piece.title or piece.id) if piece is not None else feature.subject
    own = prompts.own(
        kind=command.kind,
        goal=goal,
        feature=feature,
        tree=str(seen),
        report_file=str(report_file),
        earlier=command.earlier,
        report_by=agent.report_by,
        briefing=told,
        repository_map=c.packs.map() if given.own_map else "",
        excerpts=c.packs.excerpts(told, command.start) if told is not None and given.excerpts else (),
        thinking=bool(thinking),
        hosted=agent.abilities.hosted,
    )
    before = fork_of(state, fork)
    if before is not None:
        own = prompts.forked(own, done=state.attempt(fork).kind, tree=str(seen), before=str(before.tree))
    return Task(
        run=c.run,
        unit=command.unit,
        attempt=int(command.attempt.partition("/")[2]),
        kind=command.kind,
        goal=goal,
        feature=feature.name,
        tree=seen,
        folder=folder / "io",
        shared_prompt=_shared(c, c.packs.map() if given.shared_map else ""),
        own_prompt=own,
        prompt_file=folder / "io" / "prompt.md",
        report_file=report_file,
        slot=command.slot,
        deadline=c.clock.now() + command.seconds,
        writes=piece.writes if piece is not None else () if command.kind == "plan" else ("**",),
        reads=piece.reads if piece is not None else (),
        needs=piece.needs if piece is not None else (),
        turns=c.started.settings.limits.turns,
        budget_usd=command.budget_usd,
        thinking=thinking,
        sandboxed=c.has_sandbox,
        fork=before,
        as_planner=as_planner,
        settings=c.settings_of(command),
    )


def _shares(c: RunContext, agent: Agent) -> bool:
    """Others may go on from the conversation of this agent."""
    return c.goes_on(agent) and c.started.settings.reading.share in ("auto", "fork")


def unit_of(c: RunContext, command: ev.RunAgent, task: Task, state: RunState) -> HostUnit:
    """What a host is given of an attempt."""
    unit = next((u for u in units(state) if u.id == command.unit), None)
    titles = {"contract": "The contract", "rest": "What is left", "plan": "The plan"}
    return HostUnit(
        id=command.unit,
        attempt=command.attempt,
        kind=command.kind,
        title=(unit.title if unit else "") or titles.get(command.kind, c.started.feature.subject),
        goal=task.goal,
        brief=brief(state, command, unit, task.goal),
        prompt=prompts.to_subagent(str(task.prompt_file), str(task.tree), command.kind),
        prompt_file=str(task.prompt_file),
        tree=str(task.tree),
        writes=task.writes,
        needs=task.needs,
        report_file=str(task.report_file),
        deadline=0.0,
    )


def program_at(name: str, tree: Path, path: str) -> str | None:
    """The program that would be started by that name in a work tree: on `path` (PATH), by its absolute path, or in
    the tree. None where there is none that may be executed."""
    beside = "/" in name and not name.startswith("/")
    return shutil.which(str(tree / name) if beside else name, path=path)


def thinking_with(c: RunContext, agent: Agent, tree: Path) -> tuple[tuple[str, ...], str]:
    """The command of the MCP server that a planning agent thinks with, and why there is none, a sentence for the
    report. Never downloaded: it is there or it is not."""
    argv = c.started.settings.plan.thinking_argv
    if not argv or agent.abilities.hosted:  # a host's subagent may well have one of its own
        return (), ""
    if not agent.attaches:
        return (), f"It planned without a tool to think with: the agent {agent.name} takes no MCP server."
    name = argv[0]
    found = program_at(name, tree, c.env.get("PATH", ""))
    if found is None:
        get = "`npm install -g @modelcontextprotocol/server-sequential-thinking` installs it"
        return (), f"It planned without the sequential-thinking server: {name!r} was not found. {get}."
    return (found, *argv[1:]), ""


def _given(c: RunContext, command: ev.RunAgent, state: RunState, fork: str) -> pack.Given:
    """What of a pack. fork: whose conversation it goes on from, as it has come out."""
    scout = reads_for_others(state, command.unit, command.kind, forks=c.goes_on(c.agent_of(command)))
    begun = c.started
    return pack.given(
        begun.settings.reading, command.kind, one_reading=begun.one_reading, forked=bool(fork), scout=scout
    )


def _shared(c: RunContext, drawn: str) -> str:
    """What all are told. drawn: the map, which is made when somebody is first given it."""

    def text(path: str) -> str:
        return c.told_of_itself.get(path, b"").decode(errors="replace")

    context = [(path, text(path)) for path in CONTEXT]
    patterns = text(PATTERNS) or prompts.default_patterns()
    first = [(path, body) for path, body in context if body.strip()][:1]  # the other is mostly the same again
    return prompts.shared(c.started.feature, base_context=first, patterns=patterns, repository_map=drawn)


def give(launch: Launch, folder: Path) -> None:
    """Write the files that the agent is given."""
    for path, text in launch.files.items():
        Path(path).write_text(text, encoding="utf-8")
    given = {path: _hash(Path(path)) for path in launch.files}
    (folder / "given.json").write_bytes(msgspec.json.encode(given))


def spec_of(c: RunContext, launch: Launch, task: Task, folder: Path, tree: Path) -> process.Spec:
    """How to start the agent. Writes the files that it is given. tree: where its work tree lies."""
    give(launch, folder)
    limits = c.started.settings.limits
    env = c.environment(task.tree, task.slot, launch.env, launch.pass_env)
    prefix = c.sandboxed(tree, (folder / "io",), launch, folder / "home", at=task.tree)
    return process.Spec(
        argv=(*prefix, *launch.argv),
        env=env,
        cwd=str(tree),
        folder=str(folder / "log"),
        stdin=launch.stdin,
        grace_seconds=limits.grace_seconds,
        log_bytes=limits.log_bytes,
    )


def changed_inputs(folder: Path) -> list[str]:
    """Names of the files we wrote for the agent that are not as we wrote them."""
    try:
        given = msgspec.json.decode((folder / "given.json").read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return ["given.json"]
    return [Path(path).name for path, known in given.items() if _hash(Path(path)) != known]


def _hash(path: Path) -> str:
    """Of a regular file; empty for anything else: an agent may have put a pipe there, which would never be opened."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return ""
        with os.fdopen(file, "rb", closefd=False) as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
    finally:
        os.close(file)
