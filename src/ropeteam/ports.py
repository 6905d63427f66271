"""What the engine needs from outside: Protocols of one to four methods. Implementations know nothing of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from ropeteam.core.model import AgentReport, Baseline, CheckResult, CheckRun, Kind, Outcome, Usage
from ropeteam.core.settings import AgentSettings, CheckCommand


class Clock(Protocol):
    """Wall time in seconds since the epoch, and a wait that a test can steer.

    awake: seconds, from any beginning, in which the machine was awake; it only goes forwards. Time limits are held
    against it: a laptop that slept must not find its agents "stalled".
    """

    def now(self) -> float: ...

    def awake(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


# ---- agents


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is given. All paths are absolute.

    tree: its work tree, where the agent sees it (in a sandbox not where it lies). folder: the attempt's own folder,
    outside the tree, writable for the agent.
    shared_prompt: the text that is the same for all attempts of a run, to the byte; own_prompt: what is particular.
    prompt_file holds both, shared first. report_file: where an agent that can write files may leave its report.
    budget_usd: what is left for this attempt, None when there is no limit. deadline: seconds since the epoch.
    thinking: the command of an MCP server that it thinks with, for agents that attach one; empty for none.
    fork: the conversation it goes on from, for agents that can (`Abilities.goes_on`). as_planner: who planned is in
    that conversation, or plans in this one, and others may go on from it: whoever shares it is offered the same
    tools and the same form of report, or the provider's cache would not know it again; what only some may do is
    refused instead.
    sandboxed: whether ropeteam's own sandbox confines it, for agents that would confine themselves otherwise.
    """

    run: str
    unit: str
    attempt: int
    kind: Kind
    goal: str
    feature: str
    tree: Path
    folder: Path
    shared_prompt: str
    own_prompt: str
    prompt_file: Path
    report_file: Path
    slot: int
    deadline: float
    writes: tuple[str, ...] = ("**",)
    reads: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    turns: int | None = None
    budget_usd: float | None = None
    thinking: tuple[str, ...] = ()
    fork: Fork | None = None
    sandboxed: bool = False
    as_planner: bool = False
    settings: AgentSettings = AgentSettings()


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that an attempt goes on from a copy of. session: its id. tree: where its agent saw the work tree
    it was held in, absolute; the same as `Task.tree` in a sandbox. folder: the attempt's folder that it was held in,
    with what the agent kept for itself (`home/`). usage: of the whole conversation so far, for agents that count on.
    """

    session: str
    tree: Path
    folder: Path
    usage: Usage = Usage()


class HomeFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of an agent's settings, which programs of the user's trust: hooks, commands, keys.

    name: relative to the home folder. variable: of the caller; where it is set it names the folder to be used instead.
    In a sandbox all of it can be read; what is written there is gone afterwards, but for `kept` (paths relative to the
    folder, where they exist), and `own`: names in it that are in the attempt's folder instead, such as conversations.
    fresh: names in it that the agent needs not see.
    """

    name: str
    variable: str = ""
    kept: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """How to start an agent once. env: only what the agent needs on top of the common allow-list (`ropeteam.sandbox`).

    stdin: text for its standard input (closed after it). files: written before the start, absolute path -> text.
    pass_env: names of the caller's own variables that this agent's log-in needs. readable: absolute paths of its
    program and what belongs to it, for a sandbox that hides where they are. Where the home folder is hidden, paths
    relative to it: `home` can be read and written, `home_readonly` read, `home_folders` as said there. carried: what a
    fork needs of the other attempt's files: patterns for paths relative to the attempts' folders (`*` stands for any
    characters, `/` too), in `home/` (`HomeFolder.own`, in a sandbox) and `io/` (`Task.folder`); copied to the same
    place before the start. reads_only: in a sandbox the work tree cannot be written.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = {}
    stdin: str = ""
    files: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    home: tuple[str, ...] = ()
    home_readonly: tuple[str, ...] = ()
    home_folders: tuple[HomeFolder, ...] = ()
    readable: tuple[str, ...] = ()
    reads_only: bool = False
    carried: tuple[str, ...] = ()


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One thing an agent's output line says. Which fields are set depends on `kind`.

    text, tool: what it does now, for people. retry: it waits and tries again (`status`: of HTTP, `seconds`). denied:
    a permission it did not get. usage: cumulative. session: id of its conversation. compacted: its context was
    shortened. end: its own word that it is done. garbled: a line that should have been an event and is not.
    """

    kind: Literal["text", "tool", "retry", "denied", "usage", "session", "compacted", "end", "garbled"]
    text: str = ""
    status: int = 0
    seconds: float = 0.0
    usage: Usage | None = None


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How the attempt's program ended. signal: number, 0 for none. stopped: why we stopped it, empty if we did not."""

    code: int | None = None
    signal: int = 0
    stopped: Literal["", "asked", "stalled", "timeout", "auth"] = ""
    seconds: float = 0.0


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter makes of an ended attempt. outcome: from events and denials, never from the exit code alone;
    `ok` means "the agent says it is done and nothing contradicts it" - the tree is looked at afterwards, by the core.

    retry_at: seconds since the epoch when the provider says it can go on. evidence: one sentence with the numbers.
    compacted: its conversation was shortened. unforked: there was no conversation to go on from (`Task.fork`).
    """

    outcome: Outcome
    usage: Usage = Usage()
    report: AgentReport = AgentReport()
    session: str = ""
    model: str = ""
    evidence: str = ""
    notices: tuple[str, ...] = ()
    retry_at: float | None = None
    compacted: bool = False
    unforked: bool = False


class Conversation(Protocol):
    """One attempt's output, taken in line by line: a parser with what it remembers."""

    def parse(self, line: bytes) -> Sequence[Said]:
        """Take in one line of standard output (without its newline), in order. Never raises."""
        ...

    def finish(self, exit: Exit, now: float) -> Finish:
        """The verdict, once the program has ended and every line was parsed. `now`: seconds since the epoch."""
        ...


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an agent can be used here. path: of its program. problem: a sentence when it cannot. log_in: whether the
    problem is that nobody is logged in."""

    name: str
    path: str = ""
    version: str = ""
    problem: str = ""
    hint: str = ""
    log_in: bool = False


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent can do beyond working, for `ropeteam agents` and for whoever chooses.

    forks: an attempt can go on from a copy of another's conversation (`Task.fork`). forks_confined: it can where all
    work trees of a run are at one path, which is in the sandbox. budget: it stops by itself at a sum of money. turns:
    at a number of turns. structured: it gives its report as structured output. usage: what it tells of tokens and
    money: all, tokens only, some of it, or nothing. hosted: it is no program that we start: its tasks are offered, and
    whoever asks for one does it (`core.hosting`). note: what else to know of it, in one sentence.
    """

    forks: bool = False
    forks_confined: bool = False
    budget: bool = False
    turns: bool = False
    structured: bool = False
    usage: Literal["cost", "tokens", "some", "none"] = "none"
    hosted: bool = False
    note: str = ""

    def goes_on(self, *, sandboxed: bool) -> bool:
        """Whether an attempt can go on from another's conversation here."""
        return self.forks or (self.forks_confined and sandboxed)


class Agent(Protocol):
    """An adapter for one kind of coding agent. report_by: how it gives its report (`ropeteam.prompts.own`). attaches:
    whether it can be given an MCP server (`Task.thinking`)."""

    name: str
    report_by: Literal["file", "structured"]
    attaches: bool
    abilities: Abilities

    def build(self, task: Task) -> Launch: ...

    def listen(self, task: Task) -> Conversation: ...

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:
        """Look for the program and ask its version (a few seconds at most). `env`: the caller's own environment.

        trusted False: the user has not agreed to `settings.argv` (a repository names it): it must not be run."""
        ...


# ---- checks


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a check runs: a work tree (absolute), the environment for its commands, and a folder for its output.

    prefix: put before every command (the sandbox), may be empty. lock_fd: inherited by children, -1 for none.
    """

    tree: Path
    folder: Path
    env: dict[str, str]
    prefix: tuple[str, ...] = ()
    lock_fd: int = -1
    seconds: float = 1800.0


class Check(Protocol):
    """One way of telling whether a project's code works: a command of the project."""

    command: CheckCommand

    async def run(self, place: Place, label: str) -> CheckRun:
        """Run it once in `place`. Cancelling the task ends everything it started. Never raises for a failing check."""
        ...


__all__ = [
    "Abilities",
    "Agent",
    "Baseline",
    "Check",
    "CheckResult",
    "Clock",
    "Conversation",
    "Exit",
    "Finish",
    "Fork",
    "HomeFolder",
    "Launch",
    "Place",
    "Probe",
    "Said",
    "Task",
]
