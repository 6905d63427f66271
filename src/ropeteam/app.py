"""The composition root: the only module that knows every part. Names of agents are turned into adapters here."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from ropeteam import config, crew, git, grammars, locks, sandbox
from ropeteam import history as past
from ropeteam.core.choosing import every
from ropeteam.core.costs import Costs
from ropeteam.core.decide import decide
from ropeteam.core.events import RunStarted
from ropeteam.core.model import Answers, Decision, Feature, Plan
from ropeteam.core.money_limit import with_money_limit
from ropeteam.core.reading import costs_before, expected
from ropeteam.core.settings import AgentFor, AgentSettings, CheckCommand, Settings
from ropeteam.core.settings import Plan as Planning
from ropeteam.core.state import RunState
from ropeteam.core.survey import Outlook
from ropeteam.crew import AGENTS as AGENTS
from ropeteam.crew import BY_DEFAULT as BY_DEFAULT
from ropeteam.crew import agent as agent
from ropeteam.errors import AgentNotUsable, BadInput, BadRepository, RunBusy, UserError
from ropeteam.journal import Journal
from ropeteam.offers import Offers
from ropeteam.ports import Clock, Probe

if TYPE_CHECKING:
    from ropeteam.context import RunContext


class WallClock:
    """The machine's own time."""

    def now(self) -> float:
        import time

        return time.time()

    def awake(self) -> float:
        import time

        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        import asyncio

        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Repository:
    """A repository with ropeteam's own things in it: journal and locks in its common git directory."""

    repo: git.Repo

    @property
    def home(self) -> Path:
        return self.repo.common_dir / "ropeteam"

    def journal(self) -> Journal:
        try:
            return Journal(self.home / "journal.sqlite")
        except OSError as problem:
            raise BadRepository(
                f"The journal cannot be opened: {problem}.", where=str(self.home), hint="Make that folder writable."
            ) from problem

    def history(self, *, remember: bool = False) -> past.History:
        """What earlier runs came to. Without a journal nothing is made; one that cannot be opened is said."""
        if not (self.home / "journal.sqlite").is_file():
            return past.History()
        try:
            journal = self.journal()
        except BadRepository as problem:  # a repository that can only be read can be planned for
            return past.History(skipped=(problem.message,))
        try:
            return past.read(journal, remember=remember)
        finally:
            journal.close()

    def lock_path(self, run: str) -> Path:
        folder = self.home / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{run}.lock"

    def lock(self, run: str) -> locks.Lock:
        """The run's lock. RunBusy while another process drives the run, or children of a killed one still end."""
        path = self.lock_path(run)
        taken = locks.try_lock(path)
        if taken is None:
            pid = locks.holder(path)
            raise RunBusy(
                f"Another process{f' (pid {pid})' if pid else ''} drives run {run}.",
                where=str(path),
                hint=f"`ropeteam attach {run}` follows it, `ropeteam cancel {run}` stops it.",
            )
        return taken


def open_repository(path: Path) -> Repository:
    """Raises BadRepository: no repository, no commit yet, git too old."""
    git.require()
    return Repository(git.find(path))


@dataclass(frozen=True)
class Request:
    """What the command line asks for. sets: `--set`; flags: dotted setting -> value of a flag of its own.

    parts: names of parts, extensions or changes of the feature; all_parts: all that are not done. plan: the file of a
    plan. own_settings: whether the user's own file and environment count. until: `plan`: it stands still once
    planned.
    """

    repo: Path
    feature: str = ""
    parts: tuple[str, ...] = ()
    all_parts: bool = False
    stdin: str | None = None
    mode: Literal["auto", "parallel", "single"] = "auto"
    plan: Path | None = None
    belay: bool = False
    land: str | None = None
    include_dirty: bool = False
    sets: tuple[str, ...] = ()
    flags: Mapping[str, object] = field(default_factory=dict)
    own_settings: bool = True
    until: Literal["end", "plan"] = "end"


@dataclass(frozen=True)
class Prepared:
    """A run that could begin: everything was looked at, nothing was changed.

    plan: as it was given, or as it can be made without a model; outlook: what it was made from, and whether an agent is
    to make a better one. others: further agents for parts of the work, or to go on."""

    repository: Repository
    feature: Feature
    settings: Settings
    sources: Mapping[str, str]
    agent: str
    probe: Probe
    others: tuple[Probe, ...]
    sandbox: sandbox.Availability
    checks: tuple[CheckCommand, ...]
    trees: Path
    head: str
    include_dirty: bool
    mode: Literal["auto", "parallel", "single"]
    plan: Plan | None = None
    outlook: Outlook = field(default_factory=Outlook)
    belay: bool = False
    land: str | None = None
    until: Literal["end", "plan"] = "end"

    @property
    def decision(self) -> Decision:
        """As it is with this plan: what an agent's plan leads to is known once there is one."""
        answers = Answers(mode=self.mode, agent=self.agent, belay=self.belay)
        return decide(answers, self.plan, self.settings.gate)

    @property
    def one_reading(self) -> bool:
        """Units are expected to go on from one conversation that has read."""
        able = agent(self.agent).abilities.goes_on(sandboxed=self.sandboxed)
        asks = bool(self.outlook.ask_agent) and self.mode != "single"
        return expected(self.settings, self.decision, self.plan, forks=able, agent_plans=asks)

    @property
    def sandboxed(self) -> bool:
        return self.sandbox.ok and self.settings.sandbox.mode != "off"

    @property
    def hosted(self) -> bool:
        """ropeteam starts no agent: it offers units to a host."""
        return agent(self.agent).abilities.hosted

    @property
    def costless(self) -> tuple[str, ...]:
        """Agents whose money is not known while they work or after it: no limit of money bounds it."""
        names = dict.fromkeys((self.agent, *(p.name for p in self.others)))
        told = {name: agent(name).abilities for name in names}
        return tuple(name for name, known in told.items() if known.usage != "cost" and not known.hosted)

    @property
    def partly_hosted(self) -> bool:
        """Beside the agents that ropeteam starts a host may get units, which are then done without our sandbox."""
        return not self.hosted and any(agent(p.name).abilities.hosted for p in self.others)

    @property
    def at_once(self) -> int:
        """How many agents there can be at the same time."""
        open_ = bool(self.outlook.ask_agent) and self.mode != "single" and self.until == "end"
        alone = self.decision.mode == "single" and not open_
        return 1 if alone else self.settings.workers + self.belay

    @property
    def consent(self) -> str:
        """What the user agrees to, as a hash: asked about once per repository and content."""
        s = self.settings
        agents = tuple((p.name, s.agents.get(p.name)) for p in self.others)
        parts = (s.agent_for, s.instead) if (s.agent_for, s.instead) != (AgentFor(), ()) else ()
        what = (self.agent, s.agents.get(self.agent), s.checks.setup, s.trees, s.sandbox, self.sandboxed, self.checks)
        commands = (s.merge.locks,) if s.merge.locks else ()
        many = (self.at_once,) if self.at_once > 1 else ()
        thinks = (s.plan.thinking_argv,) if s.plan.thinking_argv != Planning().thinking_argv else ()
        all_of_it = (*what, *commands, *many, *agents, *parts, *thinks)
        return hashlib.sha256(msgspec.json.encode(all_of_it, order="deterministic")).hexdigest()


def load_settings(repository: Repository | None, request: Request) -> config.Loaded:
    """Settings as they hold here: those of the repository from the commit that is checked out."""
    repo = repository.repo if repository else None
    head = git.head(repo) if repo else ""
    return config.load(
        top=repo.top if repo else None,
        read=lambda path: git.read_file(repo, head, path) if repo else None,
        user_file=config.user_file() if request.own_settings else None,
        env=os.environ if request.own_settings else {},
        sets=request.sets,
        flags=request.flags,
        agents=tuple(AGENTS),
    )


def prepare(request: Request) -> Prepared:
    """Look at everything a run needs. Raises UserError for whatever the user must change first."""
    from ropeteam import features

    repository = open_repository(request.repo)
    repo = repository.repo
    git.refuse_trees_of_attempts(repo)
    loaded = load_settings(repository, request)
    settings = loaded.settings
    feature = features.load(
        request.feature, top=repo.top, stdin=request.stdin, parts=request.parts, all_parts=request.all_parts
    )
    given = _plan(request)
    changed = _changed(repo, feature, request)
    name, answer, unusable = _agent_for(request, loaded)
    others: tuple[Probe, ...] = ()
    left_out: tuple[str, ...] = ()
    try:
        settings, others, left_out = crew.others(loaded, name)
    except AgentNotUsable as problem:
        if request.until != "plan":  # to plan none may be needed
            raise
        unusable = unusable or (problem if settings.agent_for.plan else None)
    available, trees = _places(repo, settings)
    head = git.facts(repo).head  # refuses where nobody is known to be the author of commits
    if not changed:  # else it may be among the changes that are taken along
        for one in (name, *(p.name for p in others)):
            _find_program(repo, head, settings, one)
    sandboxed = available.ok and settings.sandbox.mode != "off"
    priors = costs_before(settings, forks=agent(name).abilities.goes_on(sandboxed=sandboxed))
    plan, outlook = _planned(repository, feature, settings, name, head, request.mode, given, priors)
    if loaded.origins.get("limits.budget_usd") == "default":
        settings = with_money_limit(settings, plan, outlook, belay=request.belay)
    outlook = _with_notices(outlook, (*left_out, *grammars.notices(file.path for file in outlook.survey.files)))
    if unusable is not None and outlook.ask_agent and settings.plan.planner == "auto":
        outlook = _without_agent(outlook, name)
    if unusable is not None and outlook.ask_agent:
        hint = f"{unusable.hint} " if unusable.hint else ""
        raise AgentNotUsable(
            unusable.message,
            where=unusable.where,
            hint=f"{hint}Without an agent: --planner static plans from what the documents say.",
        )
    return Prepared(
        repository=repository,
        feature=feature,
        settings=msgspec.structs.replace(settings, agent=name),
        sources=loaded.sources,
        agent=name,
        probe=answer,
        others=others,
        sandbox=available,
        checks=checks_of(repo, head, settings),
        trees=trees,
        head=head,
        include_dirty=bool(changed) and request.include_dirty,
        mode=request.mode,
        plan=plan,
        outlook=outlook,
        belay=request.belay,
        land=request.land,
        until=request.until,
    )


def _changed(repo: git.Repo, feature: Feature, request: Request) -> list[str]:
    """What is not committed. Raises BadRepository where it is not to be taken along."""
    changed = git.dirty(repo, feature=feature.folder)
    if changed and not request.include_dirty:
        shown = "\n".join(f"  {p}" for p in changed[:20])
        more = f"\n  and {len(changed) - 20} more" if len(changed) > 20 else ""
        raise BadRepository(
            f"There are changes that are not committed:\n{shown}{more}",
            where=str(repo.top),
            hint="Commit or stash them, or take them along with --include-dirty.",
            code="dirty",
        )
    return changed


def _places(repo: git.Repo, settings: Settings) -> tuple[sandbox.Availability, Path]:
    """The sandbox that there is, and where trees are. Raises UserError where what is wanted cannot be had."""
    available = sandbox.available()
    if settings.sandbox.mode == "on" and not available.ok:
        raise UserError(
            f"The sandbox is wanted (sandbox.mode = on) and does not run here: {available.why}.",
            where="sandbox.mode",
            hint="`ropeteam doctor` says what is missing.",
            code="no_sandbox",
        )
    trees = trees_folder(repo, settings)
    if settings.trees.method == "overlay" and (why := git.overlay_problem(trees)):
        raise UserError(
            f"Work trees are to be overlays (trees.method = overlay), which does not work here: {why}.",
            where="trees.method",
            hint="With auto or plain they are plain folders.",
            code="no_overlay",
        )
    return available, trees


def _without_agent(outlook: Outlook, name: str) -> Outlook:
    """For a plan nobody has to be there; a run refuses."""
    told = f"An agent would plan it better ({outlook.ask_agent.rstrip('.')}), and {name} cannot be used here."
    told += " So this is what the documents tell. `ropeteam agents` says which agents there are."
    return msgspec.structs.replace(_with_notices(outlook, (told,)), ask_agent="")


def _with_notices(outlook: Outlook, told: tuple[str, ...]) -> Outlook:
    why = outlook.explanation
    return msgspec.structs.replace(outlook, explanation=msgspec.structs.replace(why, notices=(*why.notices, *told)))


def _planned(
    repository: Repository,
    feature: Feature,
    settings: Settings,
    agent: str,
    head: str,
    mode: Literal["auto", "parallel", "single"],
    given: Plan | None,
    priors: Costs,
) -> tuple[Plan, Outlook]:
    """The plan as far as it can be made without a model, predicted with what earlier runs here took. Raises BadInput
    where several agents are asked for and nothing can be shared out."""
    from ropeteam.core.fitting import fitted
    from ropeteam.core.graph import width
    from ropeteam.core.planning import outlook_of
    from ropeteam.planners import static

    known = settings.agents.get(agent, AgentSettings())
    costs = fitted(priors, repository.history(remember=True).runs, agent, known.model or "")
    survey = static.survey(feature, repository.repo, head)
    plan, outlook = outlook_of(feature, survey, costs, settings, mode=mode, given=given)
    if mode == "parallel" and width(plan) < 2 and not outlook.ask_agent and given is None:
        raise BadInput(
            "--mode parallel: there is only one thing to do at a time, as far as the feature's documents tell.",
            where="--mode",
            hint="Name its files in 01-architecture.md, give a plan with --plan FILE (docs/guide/plans.md), or let an "
            "agent plan with --planner agent.",
            code="plan_needed",
        )
    return plan, outlook


def _plan(request: Request) -> Plan | None:
    """The plan that was given. Raises BadInput for one that cannot be used."""
    if request.belay and request.mode == "single":
        raise BadInput(
            "--belay is an agent more beside several, and --mode single asks for one.",
            where="--belay",
            hint="Leave out one of the two.",
            code="belay_alone",
        )
    from ropeteam import features

    return features.load_plan(request.plan) if request.plan is not None else None


def checks_of(repo: git.Repo, commit: str, settings: Settings) -> tuple[CheckCommand, ...]:
    """The project's checks, configured or found at `commit`."""
    if settings.checks.commands is not None:
        return settings.checks.commands
    from ropeteam.validation import find_checks

    return find_checks(repo, commit, settings.trees.copy, os.environ.get("PATH", ""))


def probe(loaded: config.Loaded, name: str) -> Probe:
    """Whether an agent can be used here."""
    return crew.probe(loaded, name)


def choose_agent(loaded: config.Loaded) -> tuple[str, Probe]:
    """The agent that is named, or the first that answers. Raises AgentNotUsable."""
    return crew.first_of(loaded, (loaded.settings.agent,) if loaded.settings.agent else BY_DEFAULT)


def _agent_for(request: Request, loaded: config.Loaded) -> tuple[str, Probe, AgentNotUsable | None]:
    """The agent, and why it cannot be used: to plan none may be needed, so nobody is refused for that at once."""
    try:
        return *choose_agent(loaded), None
    except AgentNotUsable as problem:
        if request.until != "plan":
            raise
        name = loaded.settings.agent or BY_DEFAULT[0]
        return name, Probe(name=name, problem=problem.message), problem


def _find_program(repo: git.Repo, commit: str, settings: Settings, name: str) -> None:
    """A program that is named relative to the work tree will be there. Raises AgentNotUsable; a set-up may make it."""
    argv = settings.agents.get(name, AgentSettings()).argv
    if not argv or argv[0].startswith("/") or "/" not in argv[0] or settings.checks.setup:
        return
    path = os.path.normpath(argv[0])
    copied = [other.rstrip("/") for other in git.untracked(repo, settings.trees.copy)]
    inside = not path.startswith("../") and git.is_tracked(repo, commit, path)
    if not inside and not any(Path(path).is_relative_to(other) for other in copied):
        raise AgentNotUsable(
            f"The agent {name} cannot be used: there is no {path} in the last commit, so no work tree will have it.",
            where=f"agent.{name}.argv",
            hint="Commit it, give an absolute path, or name it in trees.copy.",
        )


def trees_folder(repo: git.Repo, settings: Settings) -> Path:
    """Where work trees of this repository live. Raises UserError when it cannot be written."""
    root = Path(settings.trees.folder).expanduser() if settings.trees.folder else config.cache_folder()
    folder = root.absolute() / f"{repo.top.name}-{hashlib.sha256(os.fsencode(repo.common_dir)).hexdigest()[:8]}"
    if any(folder.resolve().is_relative_to(place.resolve()) for place in (repo.top, repo.common_dir)):
        raise UserError(
            "Work trees cannot live inside the repository's own checkout.",
            where=str(folder),
            hint="Choose another folder with --set trees.folder=PATH.",
            code="cache_inside",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise UserError(
            f"Work trees cannot be made: {problem.strerror or problem}.",
            where=str(folder),
            hint="Make that folder writable, or choose another with --set trees.folder=PATH.",
            code="cache_unwritable",
        ) from problem
    return folder.resolve()


def hosts(begun: RunStarted) -> bool:
    """Whether a run offers its units to a host, or some of them."""
    return any(agent(name).abilities.hosted for name in every(begun.settings, begun.answers.agent))


def keep_promise(context: RunContext) -> None:
    """What the user was told would be confined is not run unconfined, later or elsewhere. Raises UserError."""
    begun = context.started
    promised = begun.answers.sandboxed or begun.settings.sandbox.mode == "on"
    if promised and not context.sandbox.ok:
        raise UserError(
            f"Run {begun.run} was begun with a sandbox, which does not run now: {context.sandbox.why}.",
            where="sandbox.mode",
            hint="`ropeteam doctor` says what is missing. `ropeteam cancel` ends the run and keeps everything.",
            code="no_sandbox",
        )


def context_of(
    repository: Repository,
    started: RunStarted,
    lock: locks.Lock,
    *,
    clock: Clock,
    tell: Callable[[str, str], None],
    ask: Callable[[RunState], Awaitable[bool]] | None,
    offers: Offers | None = None,
) -> RunContext:
    """Everything a run works with, from what its first event says."""
    from ropeteam.checks import CommandCheck
    from ropeteam.context import RunContext

    folder = trees_folder(repository.repo, started.settings) / started.run
    folder.mkdir(parents=True, exist_ok=True)
    agents = functools.cache(agent)
    return RunContext(
        started=started,
        repo=repository.repo,
        store=git.open_store(repository.repo),
        agent=agents(started.answers.agent),
        agents=agents,
        clock=clock,
        folder=folder,
        lock_fd=lock.fd,
        sandbox=sandbox.available(),
        env=dict(os.environ),
        checks=CommandCheck,
        tell=tell,
        ask=ask,
        offers=offers,
    )


def remove_trees(repository: Repository, run: RunState) -> list[Path]:
    """Remove the trees of a run that stands still, once their snapshots are under refs. Returns what was removed."""
    from ropeteam import hosted

    repo, begun = repository.repo, run.begun
    folder = trees_folder(repo, begun.settings) / begun.run
    if hosted.taken_unheard(repository.home / "journal.sqlite", run, withdraw=True):
        return []
    hosted.keep_what_came_later(repo, run, WallClock().now(), repository.home / "journal.sqlite")
    kept = git.refs(repo, f"refs/ropeteam/{begun.run}/")
    for attempt in run.attempts:
        over = attempt.stage != "running" and not attempt.unkept  # a snapshot of it may be older than its tree
        safe = over and attempt.result.commit is not None and kept.get(attempt.result.ref) == attempt.result.commit
        if not safe and Path(attempt.tree).exists():
            return []
    if not folder.exists():
        return []
    git.erase(folder)
    return [folder]
