"""What is particular to each agent in the fault matrix: one small class each."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cases import REPORT

from ropeteam import app
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent, Task
from ropeteam.testing.model_server import AnyCall, StructuredReport, WriteFile

MISSING = "ROPETEAM_TEST_AGENTS is not set: `make test-agents` installs the programs and sets it"


class Rig:
    """name: of the agent here, also the folder of its recordings. adapter: in `app.AGENTS`. program: what is started,
    as npm (or pip) installs it. configuration: paths in the home folder that are the user's own to change."""

    name = ""
    adapter = ""
    program = ""
    model = ""
    configuration: tuple[str, ...] = ()
    every = False
    """Whether it offers the model no tools, so that every request counts."""

    def agent(self) -> Agent:
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

    def report(self, task: Task) -> AnyCall:
        """How the model gives the report that the agent asks for."""
        if self.agent().report_by == "structured":
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


RIGS: dict[str, Rig] = {rig.name: rig for rig in (ClaudeRig(),)}
