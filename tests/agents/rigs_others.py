"""Agents that are driven through the Agent Client Protocol, and those from PyPI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cases import REPORT, Step
from rigs import ClaudeRig, CodexRig, GeminiRig, OpencodeRig, Rig, installed

from ropeteam.agents.acp import AcpAgent
from ropeteam.agents.aider import MARK
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent, Task
from ropeteam.testing.model_server import EditFile, Shell, Turn, WriteFile


class _Acp(Rig):
    """The program of another rig, through the protocol: its user, its settings, its log-in."""

    adapter = "acp"
    arguments: tuple[str, ...] = ()

    def agent(self, env: Mapping[str, str]) -> Agent:
        return AcpAgent(env=env)

    def argv(self) -> tuple[str, ...]:
        return (installed(self.program), *self.arguments)

    def shorten(self, text: str) -> str:
        """The report: nothing else is read."""
        return text


class AcpClaudeRig(_Acp, ClaudeRig):
    name, program = "acp-claude", "claude-agent-acp"


class AcpCodexRig(_Acp, CodexRig):
    name, program, kept = "acp-codex", "codex-acp", ()
    # codex's own skills it unpacks at its start, and knows no setting against it: what is the user's stays
    configuration = (*(one for one in CodexRig.configuration if one != ".codex/skills"), ".codex/skills/own")

    def home(self, url: str) -> dict[str, str]:
        return {**super().home(url), ".codex/skills/own/SKILL.md": "Of the user's.\n"}


class AcpGeminiRig(_Acp, GeminiRig):
    name, program, arguments = "acp-gemini", "gemini", ("--acp",)


class AcpOpencodeRig(_Acp, OpencodeRig):
    name, program, arguments = "acp-opencode", "opencode", ("acp",)


class _Pip(Rig):
    """A program from PyPI, in an environment of its own: its dependencies would be too many for ours."""

    model = "openai/gpt-4o"

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {"OPENAI_API_BASE": f"{url}/v1", **({"OPENAI_API_KEY": "dummy"} if key else {})}


class AiderRig(_Pip):
    """One message, one answer: what several turns would do is in it, files whole. It runs no commands."""

    name = "aider"
    every = True
    asks_once = True
    configuration = (".aider.conf.yml",)
    kept = ("io/aider-llm.txt",)

    def home(self, url: str) -> dict[str, str]:
        """Its list of prices as well, not older than a day: else it asks the network for one, and waits for it."""
        prices = json.dumps({"no-such-model": {}})  # an empty list would be none
        return {
            ".aider.conf.yml": "dark-mode: true\n",
            ".aider/caches/model_prices_and_context_window.json": prices,
        }

    def shorten(self, text: str) -> str:
        """Of its history of requests the last answer; the other histories nobody reads."""
        _, mark, answer = text.rpartition("\nLLM RESPONSE ")
        return f"TO LLM ...\n{mark}{answer}" if mark else "...\n"

    def settings(self, url: str) -> AgentSettings:
        settings = super().settings(url)
        return msgspec.structs.replace(settings, argv=(*settings.argv, "--edit-format", "whole"))

    def turns(self, steps: Sequence[Step], task: Task) -> list[Turn]:
        texts: list[str] = []
        files: dict[str, str] = {}
        report = ""
        for step in steps:
            if step == "report":
                report = f"{MARK} {json.dumps(REPORT)}"
                continue
            texts.append(step.text)
            for call in step.calls:
                match call:
                    case WriteFile(path=path, content=content):
                        files[path] = content
                    case EditFile(path=path, find=find, replace=replace):
                        files[path] = files[path].replace(find, replace)
                    case _:
                        pass
        blocks = [f"{path}\n```\n{content}```\n" for path, content in files.items()]
        return [Turn(text="\n\n".join(text for text in (*texts, *blocks, report) if text))]


class MiniRig(_Pip):
    """It works by commands alone, and ends by one."""

    name = "mini-swe-agent"
    configuration = (".config/mini-swe-agent",)
    kept = ("io/trajectory.json",)

    def home(self, url: str) -> dict[str, str]:
        return {".config/mini-swe-agent/.env": "MSWEA_SOMETHING=1\n"}

    def env(self, url: str) -> dict[str, str]:
        """One try more than the first, after its shortest wait (4 s)."""
        return {"MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "2"}

    def printed(self, text: str) -> str:
        """Without the boxes in which it shows where in its own code, and whose, it failed."""
        return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(("╭", "│", "╰")))

    def shorten(self, text: str) -> str:
        """What the adapter reads, and what was said: no prompts, no settings but the limits, no answers twice."""
        try:
            value = json.loads(text)
        except ValueError:
            return text  # the report, spoilt
        if "info" in value:
            agent = value["info"].get("config", {}).get("agent", {})
            value["info"]["config"] = {
                "agent": {key: agent[key] for key in ("step_limit", "cost_limit") if key in agent}
            }
        for message in value.get("messages", []):
            message["extra"] = _shortened(message.get("extra", {}))
            if message.get("role") in ("system", "user"):
                message["content"] = "..."
        return json.dumps(value) + "\n"

    def turns(self, steps: Sequence[Step], task: Task) -> list[Turn]:
        turns = [turn for turn in super().turns(steps, task) if turn.calls]
        end = Shell(command="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT")
        return [*turns, Turn(text="Done.", calls=(end,))]


def _shortened(extra: dict[str, Any]) -> dict[str, Any]:
    """What mini-swe-agent notes of a message. Of where it failed, the line and why."""
    kept = {key: extra[key] for key in ("exit_status", "exception_str", "returncode") if key in extra}
    if isinstance(extra.get("response"), dict):
        kept["response"] = {"usage": extra["response"].get("usage")}
    if extra.get("traceback"):
        kept["traceback"] = "\n".join(extra["traceback"].strip().splitlines()[-3:])
    return kept


OTHERS: Sequence[Rig] = (AcpClaudeRig(), AcpCodexRig(), AcpGeminiRig(), AcpOpencodeRig(), AiderRig(), MiniRig())
