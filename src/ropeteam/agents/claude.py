"""`--agent claude`: Claude Code without a terminal, by its stream of JSON events.

How it is started, and why (each seen with version 2.1.330 against the loopback model server):

- The prompt that all attempts share goes behind the system prompt (`--append-system-prompt-file`), what is particular
  to standard input; `--exclude-dynamic-system-prompt-sections` and no attribution header keep everything up to the end
  of the shared prompt the same for all work trees, so that the provider's cache can be read.
- The report comes by `--json-schema`: calling the tool for it ends the run without a further request, a report that
  does not fit is given back to the model, and a model that never calls the tool is reminded once (one more request)
  and then ends in success without a report, which is allowed. A JSON block in the last message is the second choice.
- Nothing can be asked in an unattended run: edits in the work tree and all shell commands are allowed, anything else
  that needs a permission is refused by claude itself, and shows as a denial. Tools that leave the work tree, wait for
  a person, speak to other sessions or start something for later are not offered.
- Who plans, reads: the tools that edit are not offered, or refused, and shell commands are left to claude's own
  judgement: `ls`, `find`, `git grep` run, `touch`, `sed -i`, `git log --output=x` are refused. (Allowed beforehand as
  `git log:*`, the last one would run and write.) The MCP server for thinking is attached by `--mcp-config`; beside
  `--strict-mcp-config` it is the only one. Without `ENABLE_TOOL_SEARCH=false` its tool is named only, and has to be
  looked up by the model before it can be called.
- Who goes on from another's conversation (`--resume ID --fork-session`) sends what that sent, to the byte, before its
  own prompt, from any directory. It gets the tools that the other was offered, whatever it is told: who plans and is
  gone on from is offered those that edit, which are then refused (`Task.as_planner`), and the report has one form. The
  MCP server must be attached again. The limits of turns and money are of the attempt alone; `modelUsage` and
  `total_cost_usd` count the whole conversation.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import msgspec

from ropeteam.agents import endings, installed
from ropeteam.agents.claude_stream import ClaudeConversation
from ropeteam.agents.report_schema import report_schema
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Abilities, Conversation, Fork, HomeFolder, Launch, Probe, Task

PROBE_SECONDS: Final = 15.0
"""`claude --version` takes 0.1 s once its 380 MB are in memory; from a cold disk it has taken several seconds."""

NOT_OFFERED: Final = (
    "AskUserQuestion",
    "CronCreate",
    "CronDelete",
    "CronList",
    "EnterPlanMode",
    "EnterWorktree",
    "ExitPlanMode",
    "ExitWorktree",
    "ListAgents",
    "Monitor",
    "ScheduleWakeup",
    "SendMessage",
)

WRITING: Final = ("Edit", "MultiEdit", "NotebookEdit", "Write")
"""Not offered to who plans."""

READING: Final = ("Read", "Grep", "Glob")
"""Allowed beforehand to who plans. Shell commands that only read claude lets through by itself."""

UNSEEN: Final = {
    "enabledPlugins": {"ropeteam@ropeteam": False},
    "skillOverrides": {"1-plan": "off", "2-code": "off", "3-verify": "off"},
}
"""Our own plugin, and our skills where they are installed without it: they are for people. One offers to implement
features, and an agent that is asked for just that would hand its task to a run of its own. Nothing else of the user's
is touched."""

THINKING: Final = "sequential-thinking"
"""What we call the MCP server for thinking; its tools are `mcp__sequential-thinking__...`."""

ENVIRONMENT: Final = {
    # Milliseconds. No event comes while a command runs: claude must give it up before the stall watchdog (600 s unless
    # it is set otherwise) gives up claude.
    "BASH_MAX_TIMEOUT_MS": "540000",
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    # A run ends with its last answer: what would go on in the background then is ended half done, and a subagent in
    # the background leads to a second result, after the one that has the report.
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    # About half a minute of claude's own waiting, each wait twice the one before. The engine waits and tries again
    # after that, but in a new conversation that has to read everything anew.
    "CLAUDE_CODE_MAX_RETRIES": "6",
}

LOG_IN: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "AWS_BEARER_TOKEN_BEDROCK")
"""Variables that hold a log-in by themselves."""

PASSED: Final = (
    *LOG_IN,
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_USE_BEDROCK",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    "AWS_REGION",
    "AWS_PROFILE",
    "CLAUDE_CODE_USE_VERTEX",
    "ANTHROPIC_VERTEX_BASE_URL",
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    "CLOUD_ML_REGION",
)
"""What claude documents for its log-in. The general keys of a cloud account are not among them (`_CLOUD`)."""

_CLOUD: Final = {
    "CLAUDE_CODE_USE_BEDROCK": (
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        HomeFolder(name=".aws", kept=("sso/cache", "cli/cache")),
    ),
    "CLAUDE_CODE_USE_VERTEX": (("GOOGLE_APPLICATION_CREDENTIALS",), HomeFolder(name=".config/gcloud")),
}
"""Keys and folders of a whole cloud account: only for those whose settings say that claude is to use it."""

_PASSING: Final = """
    sessions session-env shell-snapshots file-history history.jsonl todos tasks plans debug logs backups statsig
    telemetry ide paste-cache jobs
"""  # below ~/.claude: what a session makes for itself

SETTINGS: Final = HomeFolder(
    name=".claude",
    variable="CLAUDE_CONFIG_DIR",
    kept=(".credentials.json",),  # a log-in that is renewed and not kept would log the user out
    own=("projects",),  # its conversation, and its subagents'
    fresh=tuple(_PASSING.split()),
)
"""Whatever lies there unconfined sessions of the user's obey or run: settings, hooks, plugins, the shell snapshots of
sessions under way. claude works with all of it read-only (seen with 2.1.330)."""

SETTINGS_FILE: Final = ".claude.json"
"""Beside that folder; names the programs of MCP servers."""

_HINT_LOG_IN = "Run `claude` once and log in, or set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN."
_HINT_INSTALL = "Install it (npm install -g @anthropic-ai/claude-code), or say where it is with agent.claude.argv."


class ClaudeAgent:
    """Builds command lines for claude and remembers how large its models' contexts are.

    probe_seconds: how long it may take to say its version.
    """

    name = "claude"
    report_by: Literal["file", "structured"] = "structured"
    attaches = True
    abilities = Abilities(forks=True, budget=True, turns=True, structured=True, usage="cost")

    def __init__(self, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._probe_seconds = probe_seconds
        self._windows: dict[str, int] = {}

    def build(self, task: Task) -> Launch:
        settings = task.settings
        shared = task.folder / "shared-prompt.md"
        files = {str(task.prompt_file): endings.whole_prompt(task)}
        argv = [*(settings.argv or ("claude",)), "-p", "--output-format", "stream-json", "--verbose"]
        argv += [*_permissions(task), "--strict-mcp-config"]
        argv += ["--session-id", endings.conversation_id(task), "--exclude-dynamic-system-prompt-sections"]
        if task.fork is not None:
            argv += ["--resume", task.fork.session, "--fork-session"]
        argv += ["--json-schema", msgspec.json.encode(report_schema(task.kind, as_planner=task.as_planner)).decode()]
        if task.shared_prompt:
            files[str(shared)] = task.shared_prompt
            argv += ["--append-system-prompt-file", str(shared)]
        if not any(part.partition("=")[0] == "--settings" for part in argv):  # of several, claude takes the last
            argv += ["--settings", msgspec.json.encode(UNSEEN).decode()]
        if settings.model:
            argv += ["--model", settings.model]
        if task.turns is not None:
            argv += ["--max-turns", str(task.turns)]
        if task.budget_usd is not None:
            # claude refuses 0; the smallest sum ends it after its first request.
            argv += ["--max-budget-usd", f"{max(task.budget_usd, 0.0001):.4f}"]
        keys, folders = cloud(settings.env)
        return Launch(
            argv=tuple(argv),
            env={**ENVIRONMENT, **({"ENABLE_TOOL_SEARCH": "false"} if task.thinking else {}), **settings.env},
            stdin=task.own_prompt,
            files=files,
            pass_env=(*PASSED, *keys),
            home_readonly=(SETTINGS_FILE,),
            home_folders=(SETTINGS, *folders),
            readable=endings.programs(argv[0], *task.thinking),
            carried=_conversation_of(task.fork) if task.fork is not None else (),
        )

    def listen(self, task: Task) -> Conversation:
        return ClaudeConversation(task, endings.conversation_id(task), self._windows)

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:
        at = bundled()
        return installed.probe(
            self.name,
            settings,
            env,
            trusted=trusted,
            seconds=self._probe_seconds,
            install=_HINT_INSTALL,
            log_in=_HINT_LOG_IN,
            lacks=not_logged_in,
            asked_in={"CLAUDE_CONFIG_DIR": env["CLAUDE_CONFIG_DIR"]} if "CLAUDE_CONFIG_DIR" in env else {},
            missing=f"There is one in the package claude-agent-sdk: --set agent.claude.argv='[\"{at}\"]'" if at else "",
        )


def _permissions(task: Task) -> list[str]:
    """What it may do, and the server that it thinks with, where there is one."""
    allowed: tuple[str, ...] = ("Bash",)
    refused: tuple[str, ...] = NOT_OFFERED
    if task.kind == "plan":
        allowed, refused = READING, NOT_OFFERED if task.as_planner else (*NOT_OFFERED, *WRITING)
    elif task.as_planner:
        allowed = (*READING, *allowed)  # what is named here may be offered on top
    if task.thinking:
        allowed = (*allowed, f"mcp__{THINKING}")
    mode = "default" if task.kind == "plan" else "acceptEdits"
    options = ["--permission-mode", mode, "--allowedTools", ",".join(allowed), "--disallowedTools", ",".join(refused)]
    if not task.thinking:
        return options
    program, *arguments = task.thinking
    server = {"command": program, "args": arguments, "env": {"DISABLE_THOUGHT_LOGGING": "true"}}
    return [*options, "--mcp-config", msgspec.json.encode({"mcpServers": {THINKING: server}}).decode()]


def _conversation_of(fork: Fork) -> tuple[str, ...]:
    """The file of a conversation, below a folder named after where it was held, and long answers of tools beside it."""
    return (f"home/projects/*/{fork.session}.jsonl", f"home/projects/*/{fork.session}/*")


def cloud(env: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[HomeFolder, ...]]:
    """Variables and folders of the cloud accounts that the settings say claude is to use."""
    chosen = [value for switch, value in _CLOUD.items() if env.get(switch, "") not in ("", "0", "false")]
    return tuple(key for keys, _ in chosen for key in keys), tuple(folder for _, folder in chosen)


def bundled() -> Path | None:
    """The program that the Python package claude-agent-sdk brings along, where that is installed."""
    spec = find_spec("claude_agent_sdk")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "_bundled" / "claude"
    return path if path.is_file() else None


def not_logged_in(env: Mapping[str, str]) -> str:
    """A sentence when there is certainly no log-in; empty when there is one or nobody can tell from outside.

    Only looks whether something is there: reads no secret, and asks nobody. An expired log-in shows at the first
    request.
    """
    if any(env.get(key) for key in (*LOG_IN, *_CLOUD, "CLAUDE_CODE_USE_FOUNDRY")):
        return ""
    folder = Path(env.get("CLAUDE_CONFIG_DIR") or Path(env.get("HOME", "/"), ".claude"))
    # settings.json may name a program that gives the key; on macOS the log-in is in the key chain.
    if sys.platform == "darwin" or any((folder / name).exists() for name in (".credentials.json", "settings.json")):
        return ""
    return f"claude is installed but not logged in: no key in the environment, no log-in in {folder}."
