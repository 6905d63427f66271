"""What is particular to each agent in the fault matrix: one small class each."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from cases import REPORT, Step

from ropeteam import app
from ropeteam.agents.codex import CodexAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent, Task
from ropeteam.testing.model_server import AnyCall, StructuredReport, Turn, WriteFile

SCHEMA = "https://opencode.ai/config.json"
"""What opencode itself writes into settings that name none; fetched by nobody."""

MISSING = "ROPETEAM_TEST_AGENTS is not set: `make test-agents` installs the programs and sets it"


def installed(program: str) -> str:
    """The program's path. Skips the test where it is not installed."""
    folders = [os.environ.get(name, "") for name in ("ROPETEAM_TEST_AGENTS", "ROPETEAM_TEST_PY_AGENTS")]
    if not any(folders):
        pytest.skip(MISSING)
    path = shutil.which(program, path=os.pathsep.join(folder for folder in folders if folder))
    if path is None:
        pytest.skip(f"{program} is not installed in {' or '.join(folders)}")
    return path


class Rig:
    """name: of the agent here, also the folder of its recordings. adapter: in `app.AGENTS`. program: what is started,
    as npm (or pip) installs it. configuration: paths in the home folder that are the user's own to change."""

    name = ""
    adapter = ""
    program = ""
    model = ""
    configuration: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Patterns, relative to the attempt's world, of files that the adapter reads, besides those in `io`."""
    every = False
    """Whether it offers the model no tools, so that every request counts."""
    asks_once = False
    """Whether it asks the model once only: then that request is the one that hangs."""

    def agent(self, env: Mapping[str, str]) -> Agent:
        """env: the environment of whoever starts ropeteam, for adapters that look at the user's settings."""
        return app.agent(self.adapter or self.name)

    def argv(self) -> tuple[str, ...]:
        """How the program is started. Skips the test where it is not installed."""
        path = installed(self.program or self.name)
        return (path,)

    def home(self, url: str) -> dict[str, str]:
        """Files of the user's: path relative to the home folder -> text. url: the base URL, without `/v1`."""
        return {}

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        """Variables that the user has set for this agent."""
        return {}

    def settings(self, url: str) -> AgentSettings:
        return AgentSettings(argv=self.argv(), model=self.model, env=self.env(url))

    def env(self, url: str) -> dict[str, str]:
        """`agent.<name>.env`: what makes it give up early, for instance."""
        return {}

    def shorten(self, text: str) -> str:
        """What of a file that the adapter reads is worth recording."""
        return text

    def printed(self, text: str) -> str:
        """What of its output is worth recording."""
        return text

    def turns(self, steps: Sequence[Step], task: Task) -> list[Turn]:
        """What the model says, in a form that this agent goes on with."""
        return [Turn(calls=(self.report(task),)) if step == "report" else step for step in steps]

    def report(self, task: Task) -> AnyCall:
        """How the model gives the report that the agent asks for."""
        if self.agent({}).report_by == "structured":
            return StructuredReport(content=REPORT)
        return WriteFile(path=str(task.report_file), content=json.dumps(REPORT) + "\n")


class ClaudeRig(Rig):
    name = "claude"
    model = "claude-sonnet-4-5"
    configuration = (".claude/settings.json", ".claude/CLAUDE.md", ".claude/hooks", ".claude/skills", ".claude/agents")

    def home(self, url: str) -> dict[str, str]:
        return {".claude/settings.json": "{}\n", ".claude/CLAUDE.md": "Of the user's.\n"}

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {"ANTHROPIC_BASE_URL": url, **({"ANTHROPIC_API_KEY": "dummy"} if key else {})}

    def env(self, url: str) -> dict[str, str]:
        return {"CLAUDE_CODE_MAX_RETRIES": "1"}


class CodexRig(Rig):
    name = "codex"
    model = "gpt-5.5"
    configuration = (".codex/config.toml", ".codex/auth.json", ".codex/rules", ".codex/skills", ".codex/AGENTS.md")
    kept = ("home/.codex/sessions/**/*.jsonl",)

    def agent(self, env: Mapping[str, str]) -> Agent:
        return CodexAgent(env=env)

    def home(self, url: str) -> dict[str, str]:
        provider: dict[str, Any] = {
            "name": "loop",
            "base_url": f"{url}/v1",
            "env_key": "LOOP_KEY",
            "wire_api": "responses",
        }
        provider |= {"request_max_retries": 1, "stream_max_retries": 1, "stream_idle_timeout_ms": 20_000}
        lines = [f"{key} = {json.dumps(value)}" for key, value in provider.items()]
        return {
            ".codex/config.toml": "\n".join(
                ['model_provider = "loop"', "", "[model_providers.loop]", *lines, ""],
            ),
            ".codex/AGENTS.md": "Of the user's.\n",
        }

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {"LOOP_KEY": "dummy"} if key else {}

    def shorten(self, text: str) -> str:
        """Of the record of a conversation the parts that say how it went: the prompts are most of it."""
        lines = []
        for line in text.splitlines():
            value = json.loads(line)
            payload = value.get("payload") or {}
            if value.get("type") == "turn_context":
                lines.append(json.dumps({**value, "payload": {"model": payload.get("model")}}))
            elif (
                value.get("type") in ("token_usage_record", "compacted")
                or (value.get("type") == "event_msg" and payload.get("info"))
                or (value.get("type") == "response_item" and str(payload.get("type")).endswith("_output"))
            ):
                lines.append(line)
        return "".join(f"{line}\n" for line in lines)


class GeminiRig(Rig):
    name = "gemini"
    model = "gemini-2.5-pro"
    configuration = (".gemini/settings.json", ".gemini/GEMINI.md", ".gemini/policies", ".gemini/oauth_creds.json")

    def home(self, url: str) -> dict[str, str]:
        """Its log-in, and what only the user's settings can say: how often it tries, and that it calls nobody."""
        settings = {
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "general": {"maxAttempts": 3, "enableAutoUpdate": False},
            "privacy": {"usageStatisticsEnabled": False},
        }
        return {".gemini/settings.json": json.dumps(settings) + "\n", ".gemini/GEMINI.md": "Of the user's.\n"}

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {"GOOGLE_GEMINI_BASE_URL": url, **({"GEMINI_API_KEY": "dummy"} if key else {})}


class OpencodeRig(Rig):
    name = "opencode"
    model = "loop/model-1"
    configuration = (
        ".config/opencode/opencode.json",
        ".config/opencode/agent",
        ".config/opencode/plugin",
        ".local/share/opencode/auth.json",
    )

    def home(self, url: str) -> dict[str, str]:
        """The provider, and what is there once opencode has run: else it would ask npm for a package, and name the
        schema in the user's settings."""
        model: dict[str, Any] = {
            "limit": {"context": 200_000, "output": 8_000},
            "cost": {"input": 1, "output": 2, "cache_read": 0.1},
        }
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"{url}/v1", "apiKey": "{env:LOOP_API_KEY}"},
            "models": {"model-1": model},
        }
        package = {"packages": {"": {"dependencies": {"@opencode-ai/plugin": "1.18.33"}}}}
        return {
            # opencode's permissions are for paths relative to a repository, which every work tree of ours is one of.
            "../tree/.git/HEAD": "ref: refs/heads/main\n",
            "../tree/.git/objects/info/packs": "",
            "../tree/.git/refs/heads/.keep": "",
            ".config/opencode/opencode.json": json.dumps({"$schema": SCHEMA, "provider": {"loop": provider}}) + "\n",
            ".config/opencode/package-lock.json": json.dumps(package) + "\n",
            ".config/opencode/node_modules/.package-lock.json": "{}\n",
        }

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {"LOOP_API_KEY": "dummy"} if key else {}
