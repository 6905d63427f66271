"""`--agent command`: any program, by the protocol in `ropeteam.agents.program`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Literal

from ropeteam.agents import program
from ropeteam.core.settings import AgentSettings
from ropeteam.errors import BadInput
from ropeteam.ports import Abilities, Conversation, Launch, Probe, Task

_NOT_SET = "The agent `command` needs to know which program to run: agent.command.argv is not set."
_HINT = """Give it, for example --set agent.command.argv='["./my-agent", "--flag"]'."""


class CommandAgent:
    """Runs `settings.argv` as it is, in the work tree."""

    name = "command"
    report_by: Literal["file", "structured"] = "file"
    attaches = False
    abilities = Abilities(usage="cost")

    def build(self, task: Task) -> Launch:
        if not task.settings.argv:
            raise BadInput(_NOT_SET, where="agent.command.argv", hint=_HINT)
        return program.launch(task, task.settings.argv)

    def listen(self, task: Task) -> Conversation:
        return program.ProgramConversation(task)

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:  # noqa: ARG002
        """The program is looked for but not run: only its owner knows what it does when it is started."""
        if not settings.argv:
            return Probe(name=self.name, problem=_NOT_SET, hint=_HINT)
        wanted = settings.argv[0]
        found = shutil.which(wanted, path=env.get("PATH", ""))
        if found is None and "/" in wanted and not wanted.startswith("/"):
            # Relative to the work tree, which does not exist yet.
            return Probe(name=self.name, path=wanted)
        if found is None:
            return Probe(
                name=self.name,
                problem=f"There is no program {wanted!r} that can be run.",
                hint="Give its absolute path, its path in the repository, or put its folder on PATH.",
            )
        return Probe(name=self.name, path=found)
