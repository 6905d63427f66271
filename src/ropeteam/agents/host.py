"""`--agent host`: no program of ours. Units are handed out (`ropeteam take`), the host's own subagents do them, and the
results are taken in (`ropeteam hand-in`). Nothing is ever started here: `build` only says which files there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from ropeteam import __version__
from ropeteam.agents import endings, program
from ropeteam.core.hosting import REPORT
from ropeteam.core.model import Outcome, Usage
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Abilities, Conversation, Exit, Finish, Launch, Probe, Said, Task


class HostAgent:
    """The host's subagents. Every one of them has the files of any other agent: the prompt, the task, the report."""

    name = "host"
    report_by: Literal["file", "structured"] = "file"
    attaches = False
    abilities = Abilities(usage="some", hosted=True)

    def build(self, task: Task) -> Launch:
        files = {
            str(task.folder / "task.json"): program.task_json(task),
            str(task.prompt_file): endings.whole_prompt(task),
        }
        return Launch(argv=(), files=files)

    def listen(self, task: Task) -> Conversation:
        return HandedIn(task)

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:  # noqa: ARG002
        """Always there: whoever calls `take` has it."""
        return Probe(name=self.name, version=__version__)


class HandedIn:
    """What was handed in: the report, and nothing else. There is no output."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def parse(self, line: bytes) -> Sequence[Said]:  # noqa: ARG002 - the port's signature
        return ()

    def finish(self, exit: Exit, now: float) -> Finish:  # noqa: ARG002 - the port's signature
        given = self._task.folder.parent / REPORT
        report, problem = program.read_report(given if given.exists() else self._task.report_file)
        if self._task.kind != "plan":
            report = msgspec.structs.replace(report, plan="")
        ended = endings.stopped(exit)
        outcome: Outcome = ended.outcome if ended else "ok"
        evidence = f"It was stopped {exit.seconds:.0f} s after it was taken, and not handed in." if ended else ""
        notices = (problem,) if problem and outcome != "ok" else ()
        if problem and outcome == "ok":
            outcome, evidence = "corrupted", problem
        return Finish(
            outcome=outcome,
            usage=report.usage or Usage(),
            report=endings.inside(report, self._task.tree),
            evidence=evidence,
            notices=notices,
        )
