"""What can be set, with its default. `ropeteam.config` finds the values; nothing else makes a `Settings`.

Every name here is the name in `ropeteam.toml`, in `--set` and (as `ROPETEAM_<SECTION>_<NAME>`) in the environment.
Times are seconds, sizes bytes, money US dollars, unless the name says otherwise.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of one attempt and of the whole run.

    attempt_seconds: wall time of one attempt. stall_seconds: no output and no event for so long ends an attempt.
    grace_seconds: between the polite signal and the final one. context_share, budget_share: used / limit above
    which `token_budget_exceeded` fires. run_seconds: agent time of a whole run (None: no limit).
    retry_seconds: the wait before a cause that may pass is tried again, where the provider names none.
    check_seconds: wall time of one check, of one line of the set-up, and of the copies in one work tree.
    free_bytes: under this much free disk the run parks.
    log_bytes: of one attempt's output, how much is kept (its beginning and its end).
    snapshot_seconds: how often the work of a running attempt is kept under a ref.
    lookahead_seconds: how often that is done where several agents work at once, and the works compared.
    tries: how many attempts of `single` or `rest` may fail before the run ends not delivered.
    host_seconds: in host mode, how long a unit may be with a subagent without a change in its tree.
    undeclared_files: how many files outside its own that no other unit owns a unit may change; more is a failure.
    """

    attempt_seconds: float = 3600.0
    stall_seconds: float = 600.0
    grace_seconds: float = 5.0
    context_share: float = 0.80
    budget_share: float = 0.80
    budget_usd: float | None = None
    budget_tokens: int | None = None
    run_seconds: float | None = None
    turns: int | None = None
    retry_seconds: float = 30.0
    check_seconds: float = 1800.0
    free_bytes: int = 200_000_000
    log_bytes: int = 64_000_000
    snapshot_seconds: float = 300.0
    lookahead_seconds: float = 60.0
    tries: int = 2
    host_seconds: float = 3600.0
    undeclared_files: int = 5


class CheckCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command of the project that tells whether its code works.

    argv: the program and its arguments, started in the root of a work tree (`cwd`: a folder below it). Templates in
    it: `{tree}` the work tree, `{results}` a file outside the tree that the command may write results to.
    format: what it writes: `junit` (XML in `results`), `gotest` (JSON lines on standard output), `cargo`, `unittest`
    (`-v` lines), `tap` (on standard output), `jest` (its JSON in `results`), or `exit` (only the exit code tells).
    found: the file it was found from; empty when it was configured.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str = ""
    format: Literal["junit", "gotest", "cargo", "unittest", "tap", "jest", "exit"] = "exit"
    env: dict[str, str] = {}
    found: str = ""


class Checks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """commands: the project's own checks; None: found from the usual files. setup: shell lines run once in every new
    work tree, before the agent and before the checks (`npm ci`). retries: how often a failing check is run again."""

    commands: tuple[CheckCommand, ...] | None = None
    setup: tuple[str, ...] = ()
    retries: int = 1
    canary: bool = True


class Trees(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """copy: gitignore-style patterns of untracked or ignored paths that are copied into every work tree.
    env: variables for agents and checks; `{slot}`, `{tree}`, `{run}`, `{8100 + slot}` are filled in.
    pass_env: names of the caller's own variables that are passed through. folder: where trees live.
    method: plain: a checkout each. overlay: mounts over one checkout. auto: overlays where they can be mounted and the
    repository has many files. reuse: whose trees are used once more: those of checks, or all, agents' too once their
    work is validated."""

    copy: tuple[str, ...] = ("node_modules", ".venv", "venv", "vendor")
    env: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    folder: str | None = None
    method: Literal["auto", "plain", "overlay"] = "auto"
    reuse: Literal["checks", "all"] = "checks"


class Sandbox(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mode: auto (where it runs), on (refuse to start without), off. writable: further paths an agent may write."""

    mode: Literal["auto", "on", "off"] = "auto"
    writable: tuple[str, ...] = ()
    network: bool = True


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several agents only when all of these hold: the predicted speed-up, the seconds one agent would take, and the
    confidence (0 to 1) are at least so large. quantile: which of the simulated speed-ups is held against the least;
    0.25: three of four were larger."""

    min_speedup: float = 1.5
    min_sequential_seconds: float = 300.0
    min_confidence: float = 0.90
    quantile: float = 0.25


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """grouping: auto: a unit starts as soon as what it needs is validated. layers: batches of config, models, services
    and controllers, views and components, each begun once the one before is validated. planner: who makes the plan:
    static: no model; agent: the agent; auto: the agent where the feature's documents do not name the files, and the
    work is long enough to pay for it. seed: of the simulation: the same seed gives the same figures. thinking_argv: an
    MCP server with a tool to think with, for an agent that plans; used where it is installed, empty: never."""

    grouping: Literal["auto", "layers"] = "auto"
    planner: Literal["auto", "static", "agent"] = "auto"
    seed: int = 1
    thinking_argv: tuple[str, ...] = ("mcp-server-sequential-thinking",)


class Merge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """union: gitignore-style patterns of lists: where two units changed the same lines of one, it gets the lines of
    both. locks: name of a lock file -> the command that makes it anew in its folder; on top of those that are known
    (`core.lock_files`); an empty one: never."""

    union: tuple[str, ...] = (
        "CHANGELOG",
        "CHANGELOG.md",
        "CHANGELOG.rst",
        "CHANGELOG.txt",
        "changelog.md",
        "ChangeLog",
        "CHANGES",
        "CHANGES.md",
        "CHANGES.rst",
        "CHANGES.txt",
        "HISTORY.md",
        "HISTORY.rst",
        "NEWS",
        "NEWS.md",
        "NEWS.rst",
        ".*ignore",
        "AUTHORS",
        "AUTHORS.md",
        "CONTRIBUTORS",
        "CONTRIBUTORS.md",
        "MAINTAINERS",
        "CODEOWNERS",
        ".mailmap",
    )
    locks: dict[str, tuple[str, ...]] = {}


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one agent. argv: its program (and, for `command`, the whole command line). script, time_scale: of the
    scripted agent: the recording, and how many seconds of the feature one real second stands for."""

    argv: tuple[str, ...] = ()
    model: str | None = None
    env: dict[str, str] = {}
    script: str | None = None
    time_scale: float = 1.0


class AgentFor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who does what, where it is not the run's own agent: a name of an agent, or `name:model`. By kind of attempt, by
    the layer of a unit (`core.layers.LAYERS`), and by gitignore-style patterns of what it writes (all of it must fit
    one). A pattern goes before a layer, a layer before a kind."""

    contract: str | None = None
    unit: str | None = None
    plan: str | None = None
    single: str | None = None
    rest: str | None = None
    belay: str | None = None
    layers: dict[str, str] = {}
    patterns: dict[str, str] = {}


class Reading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What units read before their first edit. share: fork: each goes on from a copy of the conversation that wrote the
    contract, where its agent can; pack: each is given a context pack instead; auto: fork where it can be, else pack;
    none: each reads for itself. pack_tokens: how large a context pack may be, in tokens (four characters each)."""

    share: Literal["auto", "fork", "pack", "none"] = "auto"
    pack_tokens: int = 6000


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a host that starts a run for somebody (`ropeteam mcp`, the skill) asks that person first, beside what has
    not been agreed to yet: cost_usd: the cost that one run in ten exceeds is predicted above this; seconds: the median
    time is."""

    cost_usd: float = 5.0
    seconds: float = 1800.0


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set, as it holds for one run. agents: `agent.NAME` in the settings' files; agent_for:
    `agent.for`; instead: `agent.instead`, who goes on when the quota of another is used up, in this order."""

    agent: str | None = None
    agents: dict[str, AgentSettings] = {}
    agent_for: AgentFor = AgentFor()
    instead: tuple[str, ...] = ()
    land: Literal["ask", "yes", "no"] = "ask"
    workers: int = 4
    fallback: Literal["salvage", "strict"] = "salvage"
    gate: Gate = Gate()
    plan: Plan = Plan()
    limits: Limits = Limits()
    checks: Checks = Checks()
    trees: Trees = Trees()
    sandbox: Sandbox = Sandbox()
    merge: Merge = Merge()
    reading: Reading = Reading()
    ask: Ask = Ask()
