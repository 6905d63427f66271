"""Agents that are driven through the Agent Client Protocol, and those from PyPI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from cases import REPORT, Step
from rigs import ClaudeRig, CodexRig, GeminiRig, OpencodeRig, Rig, installed

from ropeteam import app
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent, Task
from ropeteam.testing import agent_tools
from ropeteam.testing.model_server import EditFile, Shell, Turn, WriteFile
from ropeteam.testing.model_wire import Asked

NO_TOOLS = Asked(model="", stream=False, main=True, tools={}, blocks=())


class _Acp(Rig):
    """An agent of another rig, through the protocol."""

    adapter = "acp"
    flags: tuple[str, ...] = ()

    def agent(self, env: Mapping[str, str]) -> Agent:
        return app.agent("acp")

    def argv(self) -> tuple[str, ...]:
        return (installed(self.program), *self.flags)


class AcpGeminiRig(_Acp, GeminiRig):
    name, program, flags = "acp-gemini", "gemini", ("--acp",)


class AcpOpencodeRig(_Acp, OpencodeRig):
    name, program, flags = "acp-opencode", "opencode", ("acp",)

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {}

    def env(self, url: str) -> dict[str, str]:
        return {**super().env(url), "LOOP_API_KEY": "dummy"}


class AcpClaudeRig(_Acp, ClaudeRig):
    name, program = "acp-claude", "claude-agent-acp"


class AcpCodexRig(_Acp, CodexRig):
    name, program, model = "acp-codex", "codex-acp", ""
    kept = ()

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {}

    def settings(self, url: str) -> AgentSettings:
        return AgentSettings(argv=self.argv(), env={"LOOP_KEY": "dummy"})


class AiderRig(Rig):
    """One message, one answer: what several turns would do is in it. It runs no commands."""

    name = "aider"
    model = "openai/gpt-4o"
    every = True
    configuration = (".aider.conf.yml", ".aider.model.settings.yml")

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {"OPENAI_API_BASE": f"{url}/v1", **({"OPENAI_API_KEY": "dummy"} if key else {})}

    def turns(self, steps: Sequence[Step], task: Task) -> list[Turn]:
        texts, calls = [], []
        for step in steps:
            if step == "report":
                texts.append(f"ROPETEAM-REPORT: {json.dumps(REPORT)}")
            else:
                texts.append(step.text)
                calls += [call for call in step.calls if not isinstance(call, Shell)]
        changes = tuple(call for call in calls if isinstance(call, WriteFile | EditFile))
        text, _ = agent_tools.spoken("Now.", changes, NO_TOOLS, str(task.tree))
        return [Turn(text="\n".join([text, *texts]))]


class MiniRig(Rig):
    """It works by commands alone, and ends by one."""

    name = "mini-swe-agent"
    model = "openai/gpt-4o"
    configuration = (".config/mini-swe-agent/.env",)

    def caller(self, url: str, *, key: bool) -> dict[str, str]:
        return {"OPENAI_API_BASE": f"{url}/v1", **({"OPENAI_API_KEY": "dummy"} if key else {})}

    def turns(self, steps: Sequence[Step], task: Task) -> list[Turn]:
        end = Shell(command="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT")
        turns = [turn for turn in super().turns(steps, task) if turn.calls]
        return [*turns, Turn(text="Done.", calls=(end,))]


OTHERS: Sequence[Rig] = (AcpClaudeRig(), AcpCodexRig(), AcpGeminiRig(), AcpOpencodeRig(), AiderRig(), MiniRig())
