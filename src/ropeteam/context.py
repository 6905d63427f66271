"""What one run works with in this process: its repository, its folders, its agent. Made once by `ropeteam.app`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from ropeteam import git, packing, sandbox
from ropeteam.core.events import RunAgent, RunStarted
from ropeteam.core.settings import AgentSettings, CheckCommand
from ropeteam.core.state import RunState
from ropeteam.core.survey import Survey
from ropeteam.offers import Offers
from ropeteam.ports import Agent, Check, Clock, HomeFolder, Launch

_TEMPLATE = re.compile(r"\{(?:(?P<name>slot|tree|run)|(?P<before>\d+)\s*\+\s*slot|slot\s*\+\s*(?P<after>\d+))\}")

_NO_AGENT = Launch(argv=())

CONTEXT = ("CLAUDE.md", "AGENTS.md")
PATTERNS = ".ropeteam/patterns.md"


class CheckoutLook:
    """How the user's checkout is now, as attempts need it when they begin. Those that begin together look once: each
    look reads the state of every file."""

    def __init__(self, repo: git.Repo) -> None:
        self._repo = repo
        self._under_way: asyncio.Task[bytes] | None = None

    async def now(self) -> bytes:
        """A `git.Fingerprint` as JSON, of this moment or of one a little later."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.ensure_future(asyncio.to_thread(self._look))
        return await asyncio.shield(self._under_way)

    def _look(self) -> bytes:
        return msgspec.json.encode(git.fingerprint(self._repo))


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """folder: where this run's trees and attempts live, absolute. lock_fd: the run's lock, for short-lived children.
    trees: makes them. making: held while a tree is made ready, as many at once as there are processors. packs: what is
    read of the repository once, for agents.

    agents: the adapter of a name, always the same one.
    checks: makes a Check of a command. tell: what an attempt does now, for people. ask: the question whether to land.
    env: the caller's own environment. offers: what this run offers to a host; for hosted agents only.
    """

    started: RunStarted
    repo: git.Repo
    store: git.Store
    agent: Agent
    agents: Callable[[str], Agent]
    clock: Clock
    folder: Path
    lock_fd: int
    sandbox: sandbox.Availability
    env: Mapping[str, str]
    checks: Callable[[CheckCommand], Check]
    tell: Callable[[str, str], None] = field(default=lambda _attempt, _text: None)
    ask: Callable[[RunState], Awaitable[bool]] | None = None
    offers: Offers | None = None
    making: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(git.makers()))
    trees: git.Pool = field(init=False)
    packs: packing.Packs = field(init=False)

    def __post_init__(self) -> None:
        pool = git.Pool(self.store, self.folder, self.started.repo, self.started.settings.trees.method)
        object.__setattr__(self, "trees", pool)  # made of the other fields
        begun = self.started
        survey = begun.outlook.survey if begun.outlook is not None else Survey()
        packs = packing.Packs(self.store, begun.repo.base, begun.feature, survey, begun.settings.reading.pack_tokens)
        object.__setattr__(self, "packs", packs)

    @property
    def run(self) -> str:
        return self.started.run

    @cached_property
    def checkout(self) -> CheckoutLook:
        return CheckoutLook(self.repo)

    @cached_property
    def untracked(self) -> Sequence[str]:
        """What `trees.copy` names of the user's checkout; looked for once, so that all trees get the same."""
        return git.untracked(self.repo, self.started.settings.trees.copy)

    @cached_property
    def told_of_itself(self) -> Mapping[str, bytes]:
        """What the repository has to tell every agent, as it was at the base; read once in a run."""
        return git.read_files(self.repo, self.started.repo.base, (*CONTEXT, PATTERNS))

    def agent_of(self, command: RunAgent) -> Agent:
        """Who carries out this attempt."""
        return self.agents(command.agent) if command.agent else self.agent

    def settings_of(self, command: RunAgent) -> AgentSettings:
        """Of the agent that carries it out, with the model that was chosen for it."""
        own = self.started.settings.agents.get(self.agent_of(command).name, AgentSettings())
        return msgspec.structs.replace(own, model=command.model) if command.model else own

    @property
    def has_sandbox(self) -> bool:
        return self.sandbox.ok and self.started.settings.sandbox.mode != "off"

    def goes_on(self, agent: Agent) -> bool:
        """Whether an attempt of that agent can go on from another's conversation in this run."""
        return agent.abilities.goes_on(sandboxed=self.has_sandbox)

    def seen(self, tree: Path, agent: Agent) -> Path:
        """Where that agent sees the work tree. In the sandbox all agents of a run see theirs at one path: who goes on
        from the conversation of another finds at each path in it what is its own, and writes there."""
        if not self.has_sandbox or agent.abilities.hosted:
            return tree
        at = self.folder / "at" / self.repo.top.name
        at.mkdir(parents=True, exist_ok=True)
        return at.resolve()

    def ref(self, *parts: str) -> str:
        """The ref of ours in the user's repository that keeps something of this run."""
        return "/".join(("refs/ropeteam", self.run, *parts))

    def attempt_folder(self, attempt: str) -> Path:
        return self.folder / attempt.replace("/", "-")

    def environment(self, tree: Path, slot: int, extra: Mapping[str, str], pass_env: tuple[str, ...]) -> dict[str, str]:
        """For a child in `tree`: the allow-list, what the settings pass through, `trees.env`, then `extra`."""
        trees = self.started.settings.trees
        wanted = {name: fill(value, slot=slot, tree=tree, run=self.run) for name, value in trees.env.items()}
        # what a test run leaves beside the sources would be taken for work where the repository does not ignore it
        tidy = {"PYTHONDONTWRITEBYTECODE": "1"}
        return sandbox.environment(self.env, {**tidy, **wanted, **extra}, (*trees.pass_env, *pass_env))

    def sandboxed(
        self,
        tree: Path,
        writable: tuple[Path, ...],
        launch: Launch = _NO_AGENT,
        own: Path | None = None,
        at: Path | None = None,
    ) -> tuple[str, ...]:
        """What stands before a command that runs agents' code; empty where there is no sandbox.

        launch: an agent's needs. own: the folder that takes what an agent keeps of its home folder for itself. at:
        where it sees the tree (`seen`).
        """
        settings = self.started.settings.sandbox
        if not self.has_sandbox:
            return ()
        home = Path(self.env.get("HOME", "/"))
        readable = (*(Path(p) for p in launch.readable), *(home / p for p in launch.home_readonly))
        policy = sandbox.Policy(
            tree=tree,
            tree_writable=not launch.reads_only,
            at=at if at != tree else None,
            writable=(*writable, *(Path(p).expanduser() for p in settings.writable)),
            readable=(self.repo.common_dir / "objects", self.store.path / "objects", *readable),
            hidden=(self.repo.top, self.repo.common_dir),
            views=tuple(_view(folder, self.env, home, own) for folder in launch.home_folders),
            home=home,
            home_needed=launch.home,
            network=settings.network,
        )
        return sandbox.prefix(policy, self.sandbox.path)


def _view(wanted: HomeFolder, env: Mapping[str, str], home: Path, own: Path | None) -> sandbox.View:
    named = env.get(wanted.variable, "") if wanted.variable else ""
    places = {name: own / name for name in wanted.own} if own else {}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    folder = Path(named) if named else home / wanted.name
    return sandbox.View(folder=folder, kept=wanted.kept, fresh=wanted.fresh, own=places)


def fill(text: str, *, slot: int, tree: Path, run: str) -> str:
    """Fill in `{slot}`, `{tree}`, `{run}` and sums such as `{8100 + slot}`; other braces stay as they are."""

    def value(match: re.Match[str]) -> str:
        number = match["before"] or match["after"]
        if number is not None:
            return str(int(number) + slot)
        return {"slot": str(slot), "tree": str(tree), "run": run}[match["name"]]

    return _TEMPLATE.sub(value, text)
