"""`--agent scripted`: plays a recorded script (`ropeteam.testing.scripted`), as any other program would be run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from ropeteam import __version__
from ropeteam.agents import program
from ropeteam.core.settings import AgentSettings
from ropeteam.errors import BadInput
from ropeteam.ports import Abilities, Conversation, Launch, Probe, Task
from ropeteam.testing.script import load_script

_NOT_SET = "The agent `scripted` needs a script to play, and none is set."
_HINT = "Give it, for example --set agent.scripted.script=play.json."


class ScriptedAgent:
    """Starts the player in ropeteam's own Python. The script is checked before anything starts."""

    name = "scripted"
    report_by: Literal["file", "structured"] = "file"
    attaches = False
    abilities = Abilities(usage="cost")

    def build(self, task: Task) -> Launch:
        script = _script(task.settings)
        scale = task.settings.time_scale
        # -P: the work tree, which is the current folder, may hold modules with any name.
        argv = (sys.executable, "-P", "-m", "ropeteam.testing.scripted", str(script), "--time-scale", f"{scale:g}")
        launched = program.launch(task, argv)
        ours = str(Path(__file__).parents[1])  # where an editable install has it, which may be a hidden place
        return msgspec.structs.replace(launched, readable=(*launched.readable, ours))

    def listen(self, task: Task) -> Conversation:
        return program.ProgramConversation(task)

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:  # noqa: ARG002
        try:
            path = _script(settings)
        except BadInput as error:
            return Probe(name=self.name, problem=f"{error.where}: {error.message}", hint=error.hint)
        return Probe(name=self.name, path=str(path), version=__version__)


def _script(settings: AgentSettings) -> Path:
    """The absolute path of the script, after a look that it can be played."""
    if not settings.script:
        raise BadInput(_NOT_SET, where="agent.scripted.script", hint=_HINT)
    if not settings.time_scale > 0:
        raise BadInput(
            f"A time scale of {settings.time_scale:g} cannot be played.",
            where="agent.scripted.time_scale",
            hint="Give a number above 0: how many seconds of the feature one real second stands for.",
        )
    path = Path(settings.script).absolute()
    load_script(path)
    return path
