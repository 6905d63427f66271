"""Writes what the guide has from the program itself: the help of every command, the table of settings, JSON Schemas;
and what the README shows of a plan.

    python docs/generate.py            write them
    python docs/generate.py --check    end with 1, and say which, when one is not as the program has it

In a page, what stands between `<!-- generated: NAME -->` and `<!-- end -->` is replaced; the rest is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec

from ropeteam.config import keys, schema
from ropeteam.core.agent_files import (
    DeniedLine,
    EndLine,
    ProgressLine,
    ReportFile,
    RetryLine,
    SessionLine,
    TaskFile,
    UsageLine,
)
from ropeteam.core.agents_report import AgentsReport
from ropeteam.core.history_report import HistoryReport
from ropeteam.core.hosting import HandedIn, Taken
from ropeteam.core.plan_document import PlanDocument
from ropeteam.core.planned_document import PlannedDocument
from ropeteam.core.report import Report
from ropeteam.core.settings import AgentSettings, Settings
from ropeteam.testing.script import json_schema

GUIDE = Path(__file__).parent / "guide"
WIDTH = 90

MEANINGS = {
    "agent": "Which agent. Without it the first that answers of `claude`, `codex`, `gemini` and `opencode`.",
    "land": "Whether a validated result goes onto your branch. `ask` means no where nobody can be asked.",
    "workers": "How many agents at once, at most.",
    "fallback": "When something goes wrong in parallel: `salvage` keeps what is validated and lets unaffected agents"
    " finish; `strict` stops everything and goes on from what is validated.",
    "gate.min_speedup": "Several agents only where the plan predicts at least this speed-up.",
    "gate.min_sequential_seconds": "Several agents only where one would take at least this long, as the plan predicts.",
    "gate.quantile": "Which of the simulated speed-ups must reach `gate.min_speedup`; 0.25: three of four are larger.",
    "gate.min_confidence": "Several agents only where the plan is at least this sure of gaining time.",
    "plan.planner": "Who plans: `static` (no model), `agent`, or `auto`: see [deciding](deciding.md#who-plans).",
    "plan.thinking_argv": "The MCP server an agent thinks with while it plans, for agents that take one (`claude`, "
    "`codex`, `opencode`, `acp`). Used where it is installed, never fetched; `[]`: never.",
    "agent.for.contract": 'Who writes the contract, if not the run\'s agent: `"codex"`; with a model `"claude:opus"`.',
    "agent.for.unit": "Who does the units, and the contract where nothing is said of it.",
    "agent.for.plan": "Who plans.",
    "agent.for.single": "Who does the whole feature where one agent does; also `rest` and belay where nothing is said.",
    "agent.for.rest": "Who does what is left after a fall.",
    "agent.for.belay": "Who does the belay.",
    "agent.for.layers": "Who does the units of a layer (`config`, `models`, `services`, `views`, `tests`, `wiring`)."
    " Goes before `agent.for.unit`.",
    "agent.for.patterns": "Who does the units all of whose files fit a pattern, as in `.gitignore`. Goes before"
    " layers.",
    "agent.instead": "Agents that go on, in this order, when the quota of the one at work is used up or its log-in is"
    " refused. Without one the run parks.",
    "reading.share": "What units read before their first edit: `fork`: each goes on from a copy of the conversation "
    "that wrote the contract, where its agent can; `pack`: each is given a context pack; `auto`: fork where it can be, "
    "else pack; `none`: each reads for itself.",
    "reading.pack_tokens": "How large a context pack may be, in tokens.",
    "ask.cost_usd": "A host that starts a run for you (`ropeteam mcp`, the skill) asks you first when one run in ten is"
    " predicted to cost more than this.",
    "ask.seconds": "The same for its predicted time (the median).",
    "plan.seed": "Seed of the simulation that predicts both ways: the same seed gives the same figures.",
    "plan.grouping": "`layers`: config, models, services and controllers, views and components, one after the other.",
    "limits.attempt_seconds": "Time of one attempt of an agent.",
    "limits.stall_seconds": "An agent that prints nothing for so long is stopped.",
    "limits.grace_seconds": "Between asking a program to stop and killing it.",
    "limits.context_share": "When a model's context is fuller than this: with several agents a fall to one, with one"
    " a note in the report.",
    "limits.budget_share": "When more than this share of a budget is used: with several agents a fall to one, with"
    " one a notice.",
    "limits.budget_usd": "Money for the whole run; when it is used up, the agent is stopped and everything kept. Not"
    " set: twice the predicted cost (its p90), once three runs have been measured in this repository, unless an agent"
    " plans; `none`: never.",
    "limits.budget_tokens": "Tokens for the whole run, cached reading included.",
    "limits.run_seconds": "Time of all attempts of a run together.",
    "limits.turns": "Turns of one attempt, for agents that count them (`claude`).",
    "limits.retry_seconds": "The wait before a cause that may pass (an overloaded provider) is tried again.",
    "limits.check_seconds": "Time of one run of one check, of one line of the set-up, of the copies in one tree.",
    "limits.free_bytes": "With less free disk than this the run parks.",
    "limits.log_bytes": "How much of one attempt's output is kept: its beginning and its end.",
    "limits.snapshot_seconds": "How often the work of a running agent is put under a ref.",
    "limits.lookahead_seconds": "How often that is done where several agents work at once; conflicts between them are"
    " shown as soon as they are there.",
    "limits.host_seconds": "In [host mode](host-mode.md): how long a unit may be with a subagent without a change in"
    " its work tree, before somebody else may be given it.",
    "limits.undeclared_files": "How many files that nobody owns a unit may change without having declared them.",
    "limits.tries": "After so many failed attempts the run ends, not delivered.",
    "checks.commands": "The project's checks. Without it they are found; `[]` for none. See [checks](checks.md).",
    "checks.setup": "Shell lines run once in every new work tree, before the agent and before the checks: `npm ci`.",
    "checks.retries": "How often a failing check is run again before it counts.",
    "checks.canary": "Whether each check is tried with broken code, once a run.",
    "trees.copy": "Patterns, as in `.gitignore`, of files that git does not hold and every work tree needs. What"
    " `.worktreeinclude` lists is added.",
    "trees.env": "Variables for agents and checks. `{slot}`, `{tree}`, `{run}` and sums like `{8100 + slot}` are"
    " filled in.",
    "trees.pass_env": "Names of your own variables that agents and checks may see.",
    "trees.folder": "Where work trees live. Without it the platform's cache folder.",
    "trees.reuse": "Whose work trees are used once more in the same run: those of checks; or `all`: agents' too, once"
    " their work is validated (what the repository ignores in them is gone then).",
    "trees.method": "`plain`: each work tree is a checkout. `overlay`: mounts over one checkout (Linux, as root)."
    " `auto`: overlays where they can be mounted and the repository has 5,000 files or more.",
    "sandbox.mode": "`auto`: where it runs. `on`: refuse to start without. `off`.",
    "sandbox.writable": "Further paths that agents and checks may write.",
    "sandbox.network": "Whether there is a network inside the sandbox.",
    "merge.union": "Patterns, as in `.gitignore`, of lists: where two agents changed the same lines of one, the lines"
    " of both are kept. Never code. What is set takes the place of the default.",
    "merge.locks": "Name of a lock file, and the command that makes it anew where two agents changed it:"
    ' `{"package-lock.json" = ["npm", "install", "--package-lock-only"]}`. The usual ones are known; `[]`: never.',
    "agent.NAME.argv": "Its program; for `command` the whole command line.",
    "agent.NAME.model": "Which model: a name that the agent's program knows, as [agents](agents.md) shows them.",
    "agent.NAME.env": "Variables for this agent alone.",
    "agent.NAME.script": "The recording that the scripted agent plays.",
    "agent.NAME.time_scale": "How many seconds of the feature one second of the scripted agent stands for.",
}


# ---- the parts


def settings() -> str:
    """A table of every setting: name, what it may be, default, meaning."""
    rows = ["| setting | may be | default | meaning |", "| --- | --- | --- | --- |"]
    named = [(name, keys.resolve(name, keys.AGENTS), default(Settings(), name)) for name in keys.names()]
    for field in keys.agent_fields():
        key = keys.resolve(f"agent.claude.{field}", keys.AGENTS)
        named.append((f"agent.NAME.{field}", key, getattr(AgentSettings(), field)))
    assert MEANINGS.keys() == {name for name, _, _ in named}, "every setting has a meaning, and nothing else has"
    for name, key, value in named:
        cells = (f"`{name}`", allowed(key), shown(value), MEANINGS[name])
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def default(value: Any, name: str) -> object:
    for part in keys.place(name.split(".")):
        value = getattr(value, part)
    return value


def allowed(key: keys.Key) -> str:
    if key.name == "checks.commands":
        return "a list of shell lines or tables"
    words = keys.allowed(key)
    return words + ', or "none"' if keys.takes_none(key) else words


def shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:,.10g}".replace(",", "_")
    return f"`{json.dumps(msgspec.to_builtins(value))}`"


def commands() -> str:
    """The help of the program and of each of its commands, as `--help` prints it."""
    from ropeteam.cli.commands import COMMANDS, program

    parts = [helped(program, "ropeteam")]
    for name in COMMANDS:
        command = program.get_command(click.Context(program), name)
        assert command is not None
        parts.append(f"## {name}\n\n" + helped(command, f"ropeteam {name}"))
    return "\n\n".join(parts)


def helped(command: click.Command, name: str) -> str:
    given = dict(command.context_settings) or {"help_option_names": ["-h", "--help"]}
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, **given)
    return f"```\n{command.get_help(context).rstrip()}\n```"


@cache
def planned(feature: str) -> str:
    """What `ropeteam plan` prints of a feature of the demo's sample at 80 columns."""
    from ropeteam import app
    from ropeteam.cli.page_plan import plan_page
    from ropeteam.cli.page_text import as_text
    from ropeteam.cli.planning import of_prepared
    from ropeteam.demo import repository

    with TemporaryDirectory() as folder:
        repo = repository.make(Path(folder) / "library")
        flags = {"plan.planner": "static", "trees.folder": f"{folder}/trees"}
        request = app.Request(repo=repo, feature=feature, until="plan", flags=flags, own_settings=False)
        foreseen = msgspec.structs.replace(of_prepared(app.prepare(request)), base="")
    return as_text(plan_page(foreseen), 80).rstrip()


def decision() -> str:
    """Of a large feature the first half: the decision, what it is compared with, both predictions; of a small one the
    decision and why."""
    large, small = planned("house"), planned("opening-hours")
    head, why = re.split(r"\n\n\d+ units?\b", large)[0], small.partition("\n\nWhat several agents need")[0]
    return f"```\n$ ropeteam plan house\n{head}\n\n$ ropeteam plan opening-hours\n{why}\n```"


def whole_plan() -> str:
    return f"```\n{planned('house')}\n```"


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and documents of the JSON Schemas."""
    yield "report", of(Report, "What `ropeteam run --json`, `report --format json`, `status --json` print.")
    yield "history", of(HistoryReport, "What `ropeteam history --json` prints.")
    yield "agents", of(AgentsReport, "What `ropeteam agents --json` prints.")
    yield "task", of(TaskFile, "What the variable ROPETEAM_TASK of an agent names the file of.")
    yield "report-file", of(ReportFile, "What an agent may leave in the `report_file` of its task.")
    lines = ProgressLine | UsageLine | RetryLine | SessionLine | DeniedLine | EndLine
    yield "line", of(lines, "A line that an agent may print on standard output.")
    yield "taken", of(Taken, "What `ropeteam take --json` prints.")
    yield "handed-in", of(HandedIn, "What `ropeteam hand-in --json` prints.")
    yield "script", json_schema()
    yield "settings", schema()
    yield "planned", of(PlannedDocument, "What `ropeteam plan --json` prints. `--plan` takes it, too.")
    yield (
        "plan",
        of(PlanDocument, "What `ropeteam run --plan` takes. `null` is as good as absent; more fields are fine."),
    )


def of(kind: Any, about: str) -> dict[str, Any]:
    made = msgspec.json.schema(kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "description": about, **made}


# ---- writing them


def wanted() -> Iterator[tuple[Path, str]]:
    """Every file that has something generated in it, and what it should be."""
    pages: tuple[tuple[Path, str, Callable[[], str]], ...] = (
        (GUIDE / "commands.md", "commands", commands),
        (GUIDE / "settings.md", "settings", settings),
        (GUIDE / "deciding.md", "plan", whole_plan),
        (GUIDE.parent.parent / "README.md", "decision", decision),
    )
    for path, name, make in pages:
        before, start, rest = path.read_text(encoding="utf-8").partition(f"<!-- generated: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        assert start, f"{path} has no place for what is generated"
        assert end, f"{path} has no end of what is generated"
        yield path, f"{before}{start}\n{make()}\n\n{end}{after}"
    for name, document in schemas():
        yield GUIDE / "schemas" / f"{name}.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(check: bool) -> int:
    old = [path for path, text in wanted() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in old:
        print(f"{'not current' if check else 'wrote'}: {path.relative_to(GUIDE.parent.parent)}")
    if check:
        return 1 if old else 0
    for path, text in wanted():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
