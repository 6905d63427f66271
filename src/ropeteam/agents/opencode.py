"""`--agent opencode`: OpenCode without a terminal, by its stream of JSON events.

How it is started, and why (each seen with version 1.18.33 against the loopback model server):

- An agent of ours, given by `OPENCODE_CONFIG_CONTENT`, which is put over the user's and the repository's
  configuration without writing any: its prompt is ours and what all attempts share, which is sent before the work
  tree's path and the date and is the same for every work tree. What is particular goes to standard input.
- It has no structured output: the report is a file. Its permissions say what may be edited: everything in the work
  tree, and that one file outside.
- Nothing can be asked in an unattended run: what is not allowed is refused at once.
- Its conversations lie in a database in the attempt's folder (`OPENCODE_DB`). A fork goes on in a copy of it, and
  works in the folder that its conversation was held in, wherever it is started: right only where all trees of a run
  are at one path.
- It says of a refused request nothing on standard output and tries again, up to five times, after 2 to 32 seconds or
  what the provider asks for, be it a day. Its log says it: so the log is asked for and led to standard output.
- No plugins of the user's (`OPENCODE_PURE`), no updates, no list of models from the network. The first time that it
  runs on a machine it fetches a package from npm into its settings' folder, which no setting prevents; after that it
  does not. MCP servers in the user's settings start; their tools are not offered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from ropeteam.agents import endings, installed, unattended
from ropeteam.agents.opencode_stream import OpencodeConversation
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Abilities, Conversation, HomeFolder, Launch, Probe, Task

PROBE_SECONDS: Final = 30.0
"""`opencode --version` takes 1 s on an idle machine, once its 180 MB are in memory."""

NAME: Final = "ropeteam"
"""What our agent is called in opencode's configuration."""

READING: Final = ("glob", "grep", "list", "read", "todoread", "todowrite")
WORKING: Final = (*READING, "bash", "lsp", "skill", "task")
"""Tools that are offered beside `edit`, which has rules of its own. Tools of the web, of MCP servers, and those that
wait for a person are not. Where others go on from who plans, `task` is not either: its description names the agents
that it may start, and who plans may start none."""

SKILLS: Final = {"*": "allow", **dict.fromkeys(("1-plan", "2-code", "3-verify"), "deny")}
"""Of the user's skills all but ours, which are for people: one offers to implement features, and an agent that is asked
for just that would hand its task on. Who plans for others may read them too, since the system prompt lists those that
may be read."""

OFFERED: Final = {"*": "deny", "nothing/is/called/that": "allow"}
"""Of a tool that is offered and refused, for who shares a conversation. One whose last rule refuses all of it is not
offered."""

THINKING: Final = "sequential-thinking"

ENVIRONMENT: Final = {
    # A conversation that no longer fits is shortened and gone on with, and where that does not help, again and again,
    # without an end (seen: 137 times in three minutes, each time paid for).
    "OPENCODE_DISABLE_AUTOCOMPACT": "true",
    "OPENCODE_DISABLE_AUTOUPDATE": "true",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "true",
    "OPENCODE_DISABLE_MODELS_FETCH": "true",
    "OPENCODE_DISABLE_SHARE": "true",
    "OPENCODE_DISABLE_TERMINAL_TITLE": "true",
    # Milliseconds. No event comes while a command runs: opencode must give it up before the stall watchdog (600 s
    # unless it is set otherwise) gives up opencode.
    "OPENCODE_EXPERIMENTAL_BASH_DEFAULT_TIMEOUT_MS": "540000",
    "OPENCODE_PURE": "1",
}

PASSED: Final = ("OPENCODE_API_KEY", "OPENCODE_AUTH_CONTENT", "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR")
"""What opencode documents for its own log-in and settings. Keys of providers: see `keys`."""

_KEYS: Final = {
    "azure": ("AZURE_API_KEY", "AZURE_RESOURCE_NAME"),
    "fireworks-ai": ("FIREWORKS_API_KEY",),
    "github-models": ("GITHUB_TOKEN",),
    "google": ("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY"),
    "huggingface": ("HF_TOKEN",),
    "moonshotai": ("MOONSHOT_API_KEY",),
    "togetherai": ("TOGETHER_API_KEY",),
    "zai": ("ZHIPU_API_KEY",),
    "zhipuai": ("ZHIPU_API_KEY",),
}
"""Variables of providers whose name does not give them."""

FOLDERS: Final = (
    HomeFolder(
        name=".local/share/opencode",
        kept=("account.json", "auth.json", "mcp-auth.json"),  # log-ins are renewed while it runs
        fresh=("log", "opencode.db", "opencode.db-shm", "opencode.db-wal", "snapshot", "storage", "tool-output"),
    ),
    HomeFolder(name=".config/opencode"),
    HomeFolder(name=".cache/opencode"),
)
"""Its log-ins, its settings, and what it has fetched: providers' packages, the list of models."""

_HINT_LOG_IN = "Run `opencode auth login`, or set agent.opencode.model and its provider's key (ANTHROPIC_API_KEY …)."
_HINT_INSTALL = "Install it (npm install -g opencode-ai), or say where it is with agent.opencode.argv."


class OpencodeAgent:
    """Builds command lines for opencode.

    probe_seconds: how long it may take to say its version.
    """

    name = "opencode"
    report_by: Literal["file", "structured"] = "file"
    attaches = True
    abilities = Abilities(forks_confined=True, usage="cost")

    def __init__(self, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._probe_seconds = probe_seconds

    def build(self, task: Task) -> Launch:
        settings = task.settings
        system = task.folder / "system.md"
        config = msgspec.json.encode(_config(task, system)).decode()
        argv = [*(settings.argv or ("opencode",)), "run", "--format", "json", "--print-logs", "--log-level", "ERROR"]
        argv += ["--agent", NAME, "--title", f"{task.feature}: {task.unit}"]  # a title it would ask a model for
        if settings.model:
            argv += ["--model", settings.model]
        if task.fork is not None:
            argv += ["--session", task.fork.session, "--fork"]
        return Launch(
            argv=endings.both_outputs(argv),
            env={
                **ENVIRONMENT,
                "OPENCODE_CONFIG_CONTENT": config,
                "OPENCODE_DB": str(task.folder / "opencode.db"),
                **settings.env,
            },
            stdin=task.own_prompt,
            files={
                str(task.prompt_file): endings.whole_prompt(task),
                str(system): f"{unattended.SYSTEM}\n{task.shared_prompt}",
            },
            pass_env=tuple(dict.fromkeys((*PASSED, *keys(settings)))),
            home_folders=FOLDERS,
            readable=endings.programs(argv[0], *task.thinking),
            carried=("io/opencode.db*",) if task.fork is not None else (),
        )

    def listen(self, task: Task) -> Conversation:
        return OpencodeConversation(task)

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:
        return installed.probe(
            self.name,
            settings,
            env,
            trusted=trusted,
            seconds=self._probe_seconds,
            install=_HINT_INSTALL,
            log_in=_HINT_LOG_IN,
            lacks=lambda there: not_logged_in(settings, there),
            asked_in=ENVIRONMENT,
        )


def _config(task: Task, system: Path) -> dict[str, Any]:
    """What is put over the user's own configuration; providers and log-ins are not among it."""
    agent: dict[str, Any] = {"mode": "primary", "prompt": f"{{file:{system}}}", "permission": _permission(task)}
    if task.turns is not None:
        # In its last step it is told to stop and may only talk: one more than the limit tells both apart.
        agent["steps"] = task.turns + 1
    config: dict[str, Any] = {
        "autoupdate": False,
        "share": "disabled",
        "snapshot": False,  # copies of the work tree's files; ours are kept by ropeteam
        "agent": {NAME: agent},
    }
    if task.thinking:
        server = {"type": "local", "command": [*task.thinking], "environment": {"DISABLE_THOUGHT_LOGGING": "true"}}
        config["mcp"] = {THINKING: server}
    return config


def _permission(task: Task) -> dict[str, Any]:
    """What it may do. Of two rules the later one holds; paths are as opencode asks: relative to the work tree."""
    reports = [os.path.relpath(task.report_file, task.tree), str(task.report_file)]
    working = tuple(tool for tool in WORKING if tool != "task" or not task.as_planner)
    allowed = READING if task.kind == "plan" else working
    refused = working[len(READING) :] if task.kind == "plan" and task.as_planner else ()
    edit = {"*": "deny"} if task.kind == "plan" else {"*": "allow", "../*": "deny", "/*": "deny"}
    return {
        "*": "deny",
        **dict.fromkeys(allowed, "allow"),
        **dict.fromkeys(refused, OFFERED),
        **({"skill": SKILLS} if "skill" in (*allowed, *refused) else {}),
        **({f"{THINKING}_*": "allow"} if task.thinking else {}),
        "external_directory": "allow",
        "edit": {**edit, **dict.fromkeys(reports, "allow")},
    }


def keys(settings: AgentSettings) -> tuple[str, ...]:
    """The variables of the provider that the model's name begins with: opencode uses those of any provider, and is
    given only what its model needs. Without a model: none."""
    provider, slash, _ = (settings.model or "").partition("/")
    if not slash or not provider:
        return ()
    return _KEYS.get(provider, (re.sub(r"\W", "_", provider).upper() + "_API_KEY",))


def not_logged_in(settings: AgentSettings, env: Mapping[str, str]) -> str:
    """A sentence when there is certainly no log-in; empty when there is one or nobody can tell from outside.

    Only looks whether something is there: reads no secret, and asks nobody.
    """
    if any(env.get(key) for key in ("OPENCODE_API_KEY", "OPENCODE_AUTH_CONTENT", "OPENCODE_CONFIG", *keys(settings))):
        return ""
    home = Path(env.get("HOME", "/"))
    data = Path(env.get("XDG_DATA_HOME") or home / ".local/share") / "opencode"
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "opencode"
    # Settings may hold a provider's key, or a provider that needs none.
    found = (data / "auth.json", *(config / name for name in ("opencode.json", "opencode.jsonc", "config.json")))
    if any(path.exists() for path in found):
        return ""
    return f"opencode is installed but not logged in: no key that its model needs, no log-in in {data}."
