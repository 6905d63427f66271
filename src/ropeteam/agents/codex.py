"""`--agent codex`: the Codex CLI without a terminal, by its stream of JSON events.

How it is started, and why (each seen with version 0.169.0 against a loopback model server):

- The prompt that all attempts share is the beginning of standard input. Everything codex would put before it that names
  the work tree is switched off (the environment block, the permissions, AGENTS.md with its path, skills), so that the
  request is the same for all work trees up to the end of the shared prompt. The project's AGENTS.md is in that prompt.
- The report comes by `--output-schema`: the last message then has its form, in OpenAI's strict mode. A JSON block in
  the last message is the second choice, the report file the third.
- Inside ropeteam's sandbox codex does not make one of its own: its commands would need a second bubblewrap, which the
  first does not let root start, and each would fail without an event. Without ropeteam's it uses its own
  (`workspace-write`: the work tree and /tmp, no network).
- Who plans, reads: `read-only` where codex confines itself, a read-only work tree in ropeteam's sandbox.
- Nobody can be asked: whatever is not allowed is refused, and told to the model only.
- The user's `config.toml` is read by codex as always (providers, models), so only what runs other programs is switched
  off by `-c`: hooks, notifications, plugins, apps, further agents, and each MCP server by its name, which is why the
  names are read from that file here. Configuration in the work tree counts for nothing: codex trusts no folder it was
  not told to.
- Its databases are put into the attempt's folder; of what codex keeps in the user's own, an attempt leaves the record
  of its conversation, and that only without ropeteam's sandbox.
- A log-in is not renewed inside ropeteam's sandbox, where it could not be kept.
- Refused connections are waited for without end unless `unbounded_connection_retries` is off.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from ropeteam.agents import endings, installed
from ropeteam.agents.codex_stream import CodexConversation
from ropeteam.agents.codex_verdict import NOT_RENEWED
from ropeteam.agents.report_schema import report_schema, strict
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Abilities, Conversation, HomeFolder, Launch, Probe, Task

PROBE_SECONDS: Final = 15.0
"""`codex --version` takes 0.1 s once its 290 MB are in memory; from a cold disk it may take several seconds."""

CONFIG: Final = (
    "check_for_update_on_startup=false",
    "analytics.enabled=false",
    "notify=[]",
    "features.hooks=false",
    "features.plugins=false",
    "features.apps=false",
    "features.multi_agent=false",
    "features.multi_agent_v2=false",
    "agents.enabled=false",  # models of 2026 bring agents of their own along, whatever the features say
    "features.goals=false",
    "features.unbounded_connection_retries=false",
    # What would come before the shared prompt, or in it, and names the work tree.
    "include_environment_context=false",
    "include_permissions_instructions=false",
    "include_apps_instructions=false",
    "include_collaboration_mode_instructions=false",
    "project_doc_max_bytes=0",
    "skills.include_instructions=false",
    "skills.bundled.enabled=false",
)

LOG_IN: Final = ("CODEX_API_KEY", "CODEX_ACCESS_TOKEN")
"""Variables that hold a log-in that `codex exec` takes by itself. OPENAI_API_KEY it takes only by `codex login`."""

PASSED: Final = (
    *LOG_IN,
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORGANIZATION",
    "OPENAI_PROJECT",
    "CODEX_HOME",
    "CODEX_CA_CERTIFICATE",
)

THINKING: Final = "sequential-thinking"
"""What we call the MCP server for thinking."""

OPENAI: Final = "https://api.openai.com/v1"

_PASSING: Final = """
    sessions archived_sessions shell_snapshots thread-writer-locks tmp log logs cache history.jsonl memories
    memories_extensions session_index.jsonl models_cache.json version.json worktrees packages .tmp
"""  # below ~/.codex: what a session makes for itself

SETTINGS: Final = HomeFolder(
    name=".codex",
    variable="CODEX_HOME",
    own=("sessions",),  # its conversation
    fresh=tuple(name for name in _PASSING.split() if name != "sessions"),
)
"""Whatever lies there unconfined sessions of the user's obey or run: config.toml, hooks, rules, skills, plugins. codex
works with all of it read-only (seen with 0.169.0), the log-in included: see `RENEWAL`."""

RENEWAL: Final = {"CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"http://127.0.0.1:9/{NOT_RENEWED}"}
"""For a sandbox: where a log-in with a subscription is renewed, which is nowhere. codex puts a new `auth.json` in the
place of the old one, which cannot be done to a single file that is shown there (EBUSY), and a renewal that was made and
not kept would log the user out. What was given out last holds for days; once it does not, the run parks."""

CONFINED: Final = """

Your commands run confined: they can write $tree and /tmp and nothing else, and may have no network. Nobody can be
asked to allow more. What is refused, leave, and say so in your report.
"""

_CONFIG_BYTES: Final = 4_000_000
_HINT_LOG_IN = "Run `codex login`, or set OPENAI_API_KEY or CODEX_API_KEY."
_HINT_INSTALL = "Install it (npm install -g @openai/codex), or say where it is with agent.codex.argv."


class CodexAgent:
    """Builds command lines for codex.

    env: the caller's environment, for where codex has its settings; None: the environment of this process.
    probe_seconds: how long it may take to say its version.
    """

    name = "codex"
    report_by: Literal["file", "structured"] = "structured"
    attaches = True
    abilities = Abilities(forks=True, structured=True, usage="tokens")

    def __init__(self, *, env: Mapping[str, str] | None = None, probe_seconds: float = PROBE_SECONDS) -> None:
        self._env = env
        self._probe_seconds = probe_seconds

    def build(self, task: Task) -> Launch:
        settings = task.settings
        env = self._environment(settings)
        config = own_config(env)
        schema = task.folder / "report-schema.json"
        argv = [*(settings.argv or ("codex",)), "exec", "--json", "--skip-git-repo-check", "-C", str(task.tree)]
        argv += _permissions(task)
        for option in (
            *CONFIG,
            *_programs(task, config),
            *_provider(env, config),
            f"sqlite_home={_toml(_state(task))}",
        ):
            argv += ["-c", option]
        argv += ["--output-schema", str(schema)]
        if settings.model:
            argv += ["--model", settings.model]
        argv += ["fork", task.fork.session, "-"] if task.fork is not None else ["-"]
        return Launch(
            argv=tuple(argv),
            env={**(RENEWAL if task.sandboxed else {}), **settings.env},
            stdin=_stdin(task),
            files={
                str(task.prompt_file): endings.whole_prompt(task),
                str(schema): msgspec.json.encode(strict(report_schema(task.kind, as_planner=task.as_planner))).decode(),
            },
            pass_env=tuple(name for name in (*PASSED, *config.keys) if name not in settings.env),
            home_folders=(SETTINGS,),
            readable=endings.programs(argv[0], *task.thinking),
            # A fork's record goes on where the record ends that it was made from, which does so itself.
            carried=("home/sessions/*.jsonl",) if task.fork is not None else (),
            reads_only=task.kind == "plan",
        )

    def listen(self, task: Task) -> Conversation:
        """The record is in the attempt's folder if there was a sandbox, else in the user's own."""
        own = home_of(self._environment(task.settings)) / "sessions"
        return CodexConversation(task, (task.folder.parent / "home" / "sessions", own))

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:
        return installed.probe(
            self.name,
            settings,
            env,
            trusted=trusted,
            seconds=self._probe_seconds,
            install=_HINT_INSTALL,
            log_in=_HINT_LOG_IN,
            lacks=not_logged_in,
            # To say its version it would leave links to itself in the user's folder.
            asked_in={"CODEX_HOME": os.devnull},
        )

    def _environment(self, settings: AgentSettings) -> dict[str, str]:
        return {**(os.environ if self._env is None else self._env), **settings.env}


def _permissions(task: Task) -> list[str]:
    if task.sandboxed:
        return ["--dangerously-bypass-approvals-and-sandbox"]
    return ["-s", "read-only" if task.kind == "plan" else "workspace-write"]


def _stdin(task: Task) -> str:
    """What it is told: a fork has read what all share already."""
    told = task.own_prompt if task.fork is not None else endings.whole_prompt(task)
    return told if task.sandboxed or task.kind == "plan" else told + CONFINED.replace("$tree", f"`{task.tree}`")


def _state(task: Task) -> str:
    return str(task.folder / "codex-state")


def _programs(task: Task, config: OwnConfig) -> list[str]:
    """The server that it thinks with, where there is one, and none of the user's."""
    servers = [f"{_toml(name)}={{enabled=false}}" for name in config.servers if name != THINKING or not task.thinking]
    if task.thinking:
        program, *arguments = task.thinking
        what = f"command={_toml(program)},args={_toml(arguments)},env={{DISABLE_THOUGHT_LOGGING={_toml('true')}}}"
        servers.append(f"{_toml(THINKING)}={{{what},default_tools_approval_mode={_toml('approve')}}}")
    return [f"mcp_servers={{{','.join(servers)}}}"] if servers else []


def _provider(env: Mapping[str, str], config: OwnConfig) -> list[str]:
    """For who has nothing but OPENAI_API_KEY: `codex exec` takes it only for a provider that names it."""
    if config.provider or logged_in(env) or not env.get("OPENAI_API_KEY"):
        return []
    url = _toml(env.get("OPENAI_BASE_URL") or OPENAI)
    what = f'name="OpenAI",base_url={url},env_key="OPENAI_API_KEY",wire_api="responses"'
    return [f"model_providers.openai-by-key={{{what}}}", 'model_provider="openai-by-key"']


def _toml(value: object) -> str:
    """JSON strings and lists of them are TOML too."""
    return msgspec.json.encode(value).decode()


# ---- the user's own settings


class OwnConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of the user's `config.toml`: names only. servers: of MCP. keys: variables that providers of the
    user's take keys from. provider: whether it chooses one. elsewhere: whether log-ins may be kept elsewhere."""

    servers: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    provider: bool = False
    elsewhere: bool = False


def home_of(env: Mapping[str, str]) -> Path:
    """Where codex has its settings and log-in."""
    return Path(env.get("CODEX_HOME") or Path(env.get("HOME") or "/", ".codex"))


def own_config(env: Mapping[str, str]) -> OwnConfig:
    """Empty where there is none, or none that can be read: codex itself then says what is wrong with it."""
    try:
        with (home_of(env) / "config.toml").open("rb") as file:
            found = tomllib.loads(file.read(_CONFIG_BYTES).decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return OwnConfig()
    keys: list[str] = []
    for provider in _table(found, "model_providers").values():
        if isinstance(provider, dict):
            names = (provider.get("env_key"), *_table(provider, "env_http_headers").values())
            keys += [name for name in names if isinstance(name, str) and name]
    return OwnConfig(
        servers=tuple(_table(found, "mcp_servers")),
        keys=tuple(dict.fromkeys(keys)),
        provider="model_provider" in found or "profile" in found,
        elsewhere=found.get("cli_auth_credentials_store", "file") != "file",
    )


def _table(value: dict[str, Any], key: str) -> dict[str, Any]:
    table = value.get(key)
    return table if isinstance(table, dict) else {}


def logged_in(env: Mapping[str, str]) -> bool:
    return any(env.get(key) for key in LOG_IN) or (home_of(env) / "auth.json").exists()


def not_logged_in(env: Mapping[str, str]) -> str:
    """A sentence when there is certainly no log-in; empty when there is one or nobody can tell from outside.

    Only looks whether something is there: reads no secret, and asks nobody. An expired log-in shows at the first
    request.
    """
    config = own_config(env)
    if logged_in(env) or env.get("OPENAI_API_KEY") or config.provider or config.elsewhere:
        return ""
    return f"codex is installed but not logged in: no key in the environment, no log-in in {home_of(env)}."
