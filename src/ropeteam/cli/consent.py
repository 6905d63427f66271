"""The one screen before the first run on a repository: what will be run, what it can reach, where the result lands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ropeteam.cli.page_parts import Page, Row, Section
from ropeteam.cli.page_plan import in_short
from ropeteam.cli.plain import escaped, money, plain, whole
from ropeteam.core.choosing import read
from ropeteam.core.settings import AgentSettings, Plan

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.core.settings import CheckCommand, Settings
    from ropeteam.ports import Probe

PERMISSIONS = {
    "claude": "runs without asking for permission: it reads, writes and starts programs in its work tree. Hooks of the"
    " project's own .claude/settings.json run as they do for you",
    "codex": "runs without asking for permission: it reads, writes and starts programs in its work tree; without"
    " ropeteam's sandbox it uses its own",
    "gemini": "runs without asking for permission: it reads, writes and starts programs in its work tree",
    "opencode": "runs without asking for permission: it reads, writes and starts programs in its work tree. MCP servers"
    " in your own configuration are started",
    "acp": "is the program that agent.acp.argv names; what it asks for in its work tree is allowed",
    "aider": "edits files without asking and runs no commands; only the sandbox keeps it to its work tree",
    "mini-swe-agent": "runs any shell command without asking; only the sandbox keeps it to its work tree",
    "command": "is your own program, started in its work tree",
    "host": "is none that ropeteam starts: it hands units out (`ropeteam take`), and your host's own subagents do them,"
    " with the permissions and the subscription of your host",
    "scripted": "plays a recording: no model, no network",
}
PROTECTED = (
    "It can write its own work tree and nothing else of yours; your checkout, your home folder and your keys are"
    " hidden from it, but for its own log-in."
)
NETWORK = {True: "The network is open.", False: "The network is closed."}
HOSTED = (
    "There can be none around them: your host starts them, and they can do whatever you let it do. Each has a work tree"
    " of its own, which it is told to stay in, and your checkout is watched for changes."
)
CHECKS_CONFINED = "They can write the tree that they run in and nothing else of yours."
UNPROTECTED = (
    "It runs with your rights: it can read and change whatever you can. Its work tree is separate and your checkout is"
    " watched for changes, but nothing stops it."
)


def consent_page(prepared: app.Prepared) -> Page:
    s = prepared.settings
    name = plain(f"{prepared.agent} {prepared.probe.version}".strip())
    does = "plans" if prepared.until == "plan" else "implements"
    sections = (
        Section("Agent", _agent(prepared)),
        Section("The decision", _predicted(prepared)),
        Section("Sandbox", _sandbox(prepared)),
        Section("Checks that will run", tuple(check_row(c) for c in prepared.checks) or (Row(("none found",)),)),
        Section("Set-up, once in every work tree", tuple(Row((plain(line),), code=True) for line in s.checks.setup)),
        Section(
            "Commands that make a lock file anew, from the settings",
            tuple(Row((plain(name), escaped(shlex.join(argv) or "never"))) for name, argv in s.merge.locks.items()),
        ),
        Section(
            "Copied into every work tree, where it is there and not in git",
            (Row((", ".join(escaped(p) for p in s.trees.copy),)),) if s.trees.copy else (),
        ),
        Section("Opened further by the settings", _opened(prepared)),
        Section("Limits", _limits(prepared)),
        Section("The result", (Row((_landing(prepared),)),)),
    )
    return Page(
        headline=f"The first run on this repository with these settings: {name} {does}"
        f" {escaped(prepared.feature.subject)}.",
        tone="calm",
        below=f"{escaped(str(prepared.repository.repo.top))} · asked once; asked again when any of this changes",
        sections=tuple(section for section in sections if section.rows),
        next=(),
    )


def _sandbox(prepared: app.Prepared) -> tuple[Row, ...]:
    on, means = sandbox_row(prepared.sandboxed, prepared.sandbox.why, prepared.settings.sandbox.network)
    subagents = Row(("your host's subagents", HOSTED))
    if not prepared.hosted:
        return (Row((on, means)), *((subagents,) if prepared.partly_hosted else ()))
    checks = CHECKS_CONFINED if prepared.sandboxed else means
    return subagents, Row((f"the checks: {on}", checks))


def _agent(prepared: app.Prepared) -> tuple[Row, ...]:
    rows = [row for probe in (prepared.probe, *prepared.others) for row in _one_agent(prepared, probe)]
    return (*rows, Row(("at once", _at_once(prepared))))


def _one_agent(prepared: app.Prepared, probe: Probe) -> list[Row]:
    own = prepared.settings.agents.get(probe.name)
    words = [PERMISSIONS.get(probe.name, "")]
    words += [f"model {plain(own.model)}"] if own and own.model else []
    words += [_part(prepared.settings, probe.name)]
    rows = [Row((plain(f"{probe.name} {probe.version}".strip()), "; ".join(w for w in words if w)))]
    program = shlex.join(own.argv) if own and own.argv else probe.path
    return rows + ([Row((escaped(program),), code=True)] if program else [])


def _part(settings: Settings, name: str) -> str:
    """What the settings name an agent for, and with which model where they say so."""
    f = settings.agent_for
    kinds = {"the contract": f.contract, "units": f.unit, "planning": f.plan, "one agent's work": f.single}
    kinds |= {"what is left after a fall": f.rest, "the belay": f.belay}
    kinds |= {f"the layer {layer}": named for layer, named in f.layers.items()}
    kinds |= f.patterns
    does = [what + _with_model(named) for what, named in kinds.items() if named and read(named).agent == name]
    stands_in = [one for one in settings.instead if read(one).agent == name]
    words = [f"for {plain(', '.join(does))}"] if does else []
    words += [plain(f"goes on when another's quota is used up{_with_model(one)}") for one in stands_in[:1]]
    return "; ".join(words)


def _with_model(named: str) -> str:
    model = read(named).model
    return f" ({model})" if model else ""


def _at_once(prepared: app.Prepared) -> str:
    many = prepared.at_once
    if many == 1:
        return "one agent"
    belay = ", one of them on the whole feature as insurance (--belay)" if prepared.belay else ""
    return (
        f"up to {many} agents{belay}: they use up the provider's limits, and the window of a subscription, up to"
        f" {many} times as fast as one"
    )


def sandbox_row(on: bool, why: str, network: bool) -> tuple[str, str]:
    """(on or off, what that means)."""
    if on:
        return "on", f"{PROTECTED} {NETWORK[network]}"
    because = f" ({plain(why)})" if why else " (sandbox.mode = off)"
    return "off", f"There is none{because}. {UNPROTECTED}"


def check_row(c: CheckCommand) -> Row:
    """A check: its name, its command, and where it comes from."""
    where = f"found from {escaped(c.found)}" if c.found else "from the settings"
    folder = f", in {escaped(c.cwd)}" if c.cwd else ""
    return Row((plain(c.name), f"{escaped(shlex.join(c.argv))} ({where}{folder})"))


def _opened(prepared: app.Prepared) -> tuple[Row, ...]:
    """What the settings add to what agents and checks can reach. Values of variables may be secret: names only."""
    s = prepared.settings
    own = {name for p in (prepared.probe, *prepared.others) for name in s.agents.get(p.name, AgentSettings()).env}
    rows = (
        ("may be written", s.sandbox.writable),
        ("a planning agent thinks with", s.plan.thinking_argv if s.plan.thinking_argv != Plan().thinking_argv else ()),
        ("your variables passed on", s.trees.pass_env),
        ("variables set", (*s.trees.env, *sorted(own))),
    )
    return tuple(Row((what, ", ".join(escaped(name) for name in names))) for what, names in rows if names)


def _limits(prepared: app.Prepared) -> tuple[Row, ...]:
    limits = prepared.settings.limits
    cost = f"at most {money(limits.budget_usd)}" if limits.budget_usd is not None else "no limit (set --budget-usd)"
    tokens = f"at most {limits.budget_tokens:,}" if limits.budget_tokens is not None else "no limit"
    seconds = limits.run_seconds
    time = f"at most {seconds / 60:,.0f} min of agent time" if seconds is not None else "no limit of the whole run"
    rows = [
        Row(("money", cost)),
        Row(("tokens", tokens)),
        Row(("time", f"{time}; {_longest(prepared)}")),
    ]
    if prepared.hosted:
        rows.append(Row(("counted", "of money and tokens only what your host's subagents report")))
    if prepared.costless:
        silent = plain(", ".join(prepared.costless))
        rows.append(Row(("not counted", f"the money of {silent}: not told, so no limit of money bounds it")))
    return tuple(rows)


def _longest(prepared: app.Prepared) -> str:
    limits = prepared.settings.limits
    if prepared.hosted:
        return f"{limits.host_seconds / 60:,.0f} min without a change in its tree, then a unit may be given to another"
    return f"{limits.attempt_seconds / 60:,.0f} min an attempt"


def _predicted(prepared: app.Prepared) -> tuple[Row, ...]:
    """What is decided, and why; an agent that is to plan may come to something else."""
    from ropeteam.cli.planning import of_prepared

    lines = in_short(of_prepared(prepared))
    asked = prepared.outlook.ask_agent
    first = (f"{whole(asked)} Until then:",) if asked else ()
    rows = [Row((line,)) for line in (*first, *lines)]
    if prepared.agent == "claude":
        rows.append(Row(("Dollars are API-equivalent with a subscription: what the same would cost by the token.",)))
    return tuple(rows)


def _landing(prepared: app.Prepared) -> str:
    if prepared.include_dirty:
        return "It is left on a branch of its own: your changes that are not committed are its first commit."
    wanted = prepared.land or prepared.settings.land
    return {
        "ask": "You are asked before it lands on your branch; until then your branch and files are not touched.",
        "yes": "It lands on your branch once it is validated; until then your branch and files are not touched.",
        "no": "It is left on a branch of its own.",
    }[wanted]
