"""What is particular to each agent in the fault matrix: one small class each."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from cases import REPORT

from ropeteam import app
from ropeteam.agents.acp import AcpAgent
from ropeteam.agents.aider import MARK
from ropeteam.agents.codex import CodexAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent, Task
from ropeteam.testing.model_server import AnyCall, EditFile, Shell, StructuredReport, Turn, WriteFile

MISSING = "ROPETEAM_TEST_AGENTS is not set: `make test-agents` installs the programs and sets it"


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
    patience = 1.0
    """How many times longer than others it is waited for: some are slow to start."""
    every = False
    """Whether it offers the model no tools, so that every request counts."""

    def agent(self, env: Mapping[str, str]) -> Agent:
        """env: the environment of whoever starts ropeteam, for adapters that look at the user's settings."""
        return app.agent(self.adapter or self.name)

    def argv(self) -> tuple[str, ...]:
        """How the program is started. Skips the test where it is not installed."""
        folder = os.environ.get("ROPETEAM_TEST_AGENTS", "")
        if not folder:
            pytest.skip(MISSING)
        path = Path(folder) / (self.program or self.name)
        if not path.exists():
            pytest.skip(f"{path} is not installed")
        return (str(path),)

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

    def said(self, turn: Turn) -> Turn:
        """What the model says, where the agent has words of its own for tools."""
        return turn

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
        provider = {"name": "loop", "base_url": f"{url}/v1", "env_key": "LOOP_KEY", "wire_api": "responses"}
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


class PipRig(Rig):
    """A program from PyPI, in an environment of its own: its keys would be too many for ours."""

    folder = ""
    patience = 4.0

    def argv(self) -> tuple[str, ...]:
        folder = os.environ.get(self.folder, "")
        if not folder:
            pytest.skip(f"{self.folder} is not set: to a folder that holds {self.program}, installed from PyPI")
        return (str(Path(folder) / self.program),)

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {"OPENAI_API_BASE": f"{url}/v1", **({"OPENAI_API_KEY": "dummy"} if key else {})}


class AiderRig(PipRig):
    name = "aider"
    program = "aider"
    folder = "ROPETEAM_TEST_AIDER"
    model = "openai/gpt-4o"
    configuration = (".aider.conf.yml",)
    kept = ("io/aider-llm.txt",)
    every = True

    def settings(self, url: str) -> AgentSettings:
        settings = super().settings(url)
        return msgspec.structs.replace(settings, argv=(*settings.argv, "--edit-format", "whole"))

    def said(self, turn: Turn) -> Turn:
        """Files whole, as it asks for them; its shell is nobody's."""
        text = turn.text or "So be it."
        for call in turn.calls:
            match call:
                case WriteFile(path=path, content=content):
                    text += f"\n\n{path}\n```\n{content}```\n"
                case EditFile(path=path, replace=content):
                    text += f"\n\n{path}\n```\n{content}\n```\n"
                case StructuredReport(content=report):
                    text += f"\n\n{MARK} {json.dumps(report)}\n"
        return Turn(text=text)

    def home(self, url: str) -> dict[str, str]:
        return {".aider.conf.yml": "dark-mode: true\n"}


class MiniRig(PipRig):
    name = "mini-swe-agent"
    program = "mini-swe-agent"
    folder = "ROPETEAM_TEST_MINI"
    model = "openai/gpt-4o"
    configuration = (".config/mini-swe-agent",)
    kept = ("io/trajectory.json",)

    def said(self, turn: Turn) -> Turn:
        """Its last command says that it is done."""
        done = Shell(command="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT")
        last = not turn.calls or any(isinstance(call, WriteFile) and "report.json" in call.path for call in turn.calls)
        return msgspec.structs.replace(turn, calls=(*turn.calls, done)) if last else turn

    def shorten(self, text: str) -> str:
        """Without the settings, the prompts, and where in its own code it failed."""
        value = json.loads(text)
        value.get("info", {}).pop("config", None)
        for message in value.get("messages", []):
            message.get("extra", {}).pop("traceback", None)
            if message.get("role") in ("system", "user"):
                message["content"] = "..."
        return json.dumps(value, indent=1) + "\n"

    def home(self, url: str) -> dict[str, str]:
        return {".config/mini-swe-agent/.env": "MSWEA_SOMETHING=1\n"}

    def env(self, url: str) -> dict[str, str]:
        return {"MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "1"}


class AcpRig(Rig):
    """One of the programs that speak the protocol, as its own rig has it."""

    adapter = "acp"
    arguments: tuple[str, ...] = ()

    def agent(self, env: Mapping[str, str]) -> Agent:
        return AcpAgent(env=env)

    def argv(self) -> tuple[str, ...]:
        return (*super().argv(), *self.arguments)


class AcpClaudeRig(AcpRig):
    name = "acp-claude"
    program = "claude-agent-acp"
    model = ClaudeRig.model
    configuration = ClaudeRig.configuration
    home, caller, env = ClaudeRig.home, ClaudeRig.caller, ClaudeRig.env


class AcpCodexRig(AcpRig):
    name = "acp-codex"
    program = "codex-acp"
    model = CodexRig.model
    configuration = CodexRig.configuration
    home, caller = CodexRig.home, CodexRig.caller


RIGS: dict[str, Rig] = {
    rig.name: rig for rig in (ClaudeRig(), CodexRig(), AcpClaudeRig(), AcpCodexRig(), AiderRig(), MiniRig())
}
