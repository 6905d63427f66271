"""`--agent gemini`: Gemini CLI without a terminal, by its stream of JSON events.

How it is started, and why (each seen with version 0.61.0 against the loopback model server):

- gemini puts the work tree's path, a listing of it and the date in front of the first message, and its own system
  prompt names a folder that differs from tree to tree. So the prompt that all attempts share goes into a system prompt
  of ours (`GEMINI_SYSTEM_MD`), which is sent before all of that and is the same for every work tree; what is
  particular goes to standard input, of any length.
- It has no structured output: the report is a file. It may write in the work tree only and in the folders of
  `--include-directories`, so that the attempt's folder is named there.
- Nothing can be asked in an unattended run. In its mode for that (`yolo`) every tool is allowed, in any other a tool
  that asks is refused and the run goes on. What leaves the machine or waits for a person is not offered (a policy).
- Who plans gets the mode that asks, with the tools that read, and one permission more: to write the report's file.
- No settings of ours: it takes a file of them only from root (others it skips, with a warning) or from where the user's
  own lie. What flags and variables cannot say is as the user's settings have it: its limit of turns, its own tries
  (ten), whether it sends statistics. So it is given no MCP server either.
- It says of a refused request nothing on standard output, and waits as long as the provider asks for, be it a day. Its
  standard error says it, and is led to standard output.
- It starts itself a second time, to have more memory: a signal would reach the first process only
  (`GEMINI_CLI_NO_RELAUNCH`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from ropeteam.agents import endings, installed, unattended
from ropeteam.agents.gemini_stream import GeminiConversation
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Abilities, Conversation, HomeFolder, Launch, Probe, Task

PROBE_SECONDS: Final = 30.0
"""`gemini --version` takes 1.5 s on an idle machine: it loads 20 MB of JavaScript."""

NOT_OFFERED: Final = ("ask_user", "enter_plan_mode", "exit_plan_mode", "google_web_search", "web_fetch")
"""Waits for a person, or leaves the work tree and the shell, which are all that an attempt is given."""

WRITING: Final = ("replace", "run_shell_command")
"""Not offered to who plans. `write_file` is, for one path."""

ALONE: Final = "none-of-yours"
"""The name of an extension, and of an MCP server, that nobody has: with it named, no others are started."""

ENVIRONMENT: Final = {
    "GEMINI_CLI_NO_RELAUNCH": "true",
    "GEMINI_TELEMETRY_ENABLED": "false",
    "NO_BROWSER": "true",  # a log-in that ran out must fail, not wait for a person at a browser
}

LOG_IN: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
"""Variables that hold a log-in by themselves."""

PASSED: Final = (
    *LOG_IN,
    "GEMINI_API_KEY_AUTH_MECHANISM",
    "GEMINI_MODEL",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_GENAI_API_VERSION",
    "GOOGLE_GENAI_USE_GCA",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_VERTEX_BASE_URL",
)
"""What gemini documents for its log-in. The keys of a whole cloud account are not among them (`_CLOUD`)."""

_CLOUD: Final = ("GOOGLE_APPLICATION_CREDENTIALS", HomeFolder(name=".config/gcloud"))
"""The key and the folder of a whole Google Cloud account: only for those whose settings say that it is to be used."""

SETTINGS: Final = HomeFolder(
    name=".gemini",
    # Log-ins are renewed while it runs; one that is renewed and not kept would log the user out.
    kept=("gemini-credentials.json", "google_accounts.json", "oauth_creds.json"),
    own=("history", "tmp"),  # its conversations, and the copies it keeps of files
    fresh=("antigravity-browser-profile", "ide", "projects.json"),
)
"""Its settings, policies and log-ins. gemini works with all of it read-only (seen with 0.61.0)."""

_HINT_LOG_IN = "Run `gemini` once and log in, or set GEMINI_API_KEY."
_HINT_INSTALL = "Install it (npm install -g @google/gemini-cli), or say where it is with agent.gemini.argv."

PATHS: Final = "- Give paths to your tools as absolute paths below the work tree that the first message names.\n"
"""In place of its own system prompt (see above) gemini is given ours, and this."""


class GeminiAgent:
    """Builds command lines for gemini.

    probe_seconds: how long it may take to say its version.
    """

    name = "gemini"
    report_by: Literal["file", "structured"] = "file"
    attaches = False
    abilities = Abilities(usage="tokens")

    def __init__(self, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._probe_seconds = probe_seconds

    def build(self, task: Task) -> Launch:
        settings = task.settings
        folder = task.folder
        policy, system = folder / "gemini-policy.toml", folder / "system.md"
        files = {str(task.prompt_file): endings.whole_prompt(task), str(policy): _policy(task)}
        env = dict(ENVIRONMENT)
        argv = [*(settings.argv or ("gemini",)), "--output-format", "stream-json", "--skip-trust"]
        argv += ["--approval-mode", "default" if task.kind == "plan" else "yolo", "--policy", str(policy)]
        argv += ["--session-id", endings.conversation_id(task), "--include-directories", str(folder)]
        argv += ["--extensions", ALONE, "--allowed-mcp-server-names", ALONE]
        if task.shared_prompt:
            files[str(system)] = f"{unattended.SYSTEM}{PATHS}\n{task.shared_prompt}"
            env["GEMINI_SYSTEM_MD"] = str(system)
        if settings.model:
            argv += ["--model", settings.model]
        keys, folders = cloud(settings.env)
        return Launch(
            argv=endings.both_outputs(argv),
            env={**env, **settings.env},
            stdin=task.own_prompt,
            files=files,
            pass_env=(*PASSED, *keys),
            home_folders=(SETTINGS, *folders),
            readable=endings.programs(argv[0]),
        )

    def listen(self, task: Task) -> Conversation:
        return GeminiConversation(task, endings.conversation_id(task))

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
            asked_in=ENVIRONMENT,
        )


def _policy(task: Task) -> str:
    """The policy file: what is not offered, and the one file that who plans may write."""
    refused = NOT_OFFERED if task.kind != "plan" else (*NOT_OFFERED, *WRITING)
    rules = [f'[[rule]]\ntoolName = {_toml(list(refused))}\ndecision = "deny"\npriority = 900\n']
    if task.kind == "plan":
        path = re.escape(msgspec.json.encode(str(task.report_file)).decode())
        rules.append(
            '[[rule]]\ntoolName = "write_file"\n'
            f"argsPattern = {_toml(f'{chr(92)}x00{chr(34)}file_path{chr(34)}:{path}')}\n"
            'decision = "allow"\npriority = 900\n'
        )
    return "\n".join(rules)


def _toml(value: object) -> str:
    """A text, or a list of texts, as TOML has them: as JSON does."""
    return msgspec.json.encode(value).decode()


def cloud(env: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[HomeFolder, ...]]:
    """Variable and folder of the Google Cloud account, where the settings say that gemini is to use it."""
    chosen = env.get("GOOGLE_GENAI_USE_VERTEXAI", "") not in ("", "0", "false")
    return ((_CLOUD[0],), (_CLOUD[1],)) if chosen else ((), ())


def not_logged_in(env: Mapping[str, str]) -> str:
    """A sentence when there is certainly no log-in; empty when there is one or nobody can tell from outside.

    Only looks whether something is there: reads no secret, and asks nobody.
    """
    if any(env.get(key) for key in (*LOG_IN, "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_GCA")):
        return ""
    folder = Path(env.get("GEMINI_CLI_HOME") or env.get("HOME", "/"), ".gemini")
    # settings.json may say that the cloud account is used, or that the key chain has the log-in.
    found = ("gemini-credentials.json", "oauth_creds.json", "settings.json", ".env")
    if any((folder / name).exists() for name in found):
        return ""
    return f"gemini is installed but not logged in: no key in the environment, no log-in in {folder}."
