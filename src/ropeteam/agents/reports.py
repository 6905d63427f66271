"""The report of an agent without structured output: from its file, else from a JSON block in its last message."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from ropeteam.agents import endings, program
from ropeteam.core.agent_files import ReportFile
from ropeteam.core.model import AgentReport
from ropeteam.ports import Task

_FENCED: Final = re.compile(r"```(?:json)?\s*\n(\{.*?\})\s*```", re.DOTALL)
_report: Final = msgspec.json.Decoder(ReportFile)


def left(task: Task, words: str) -> tuple[AgentReport, str]:
    """The report, with its paths relative to the tree, and why it cannot be read, a sentence, if so.

    words: the agent's last message. Of who plans, the plan as text: from the file, else the whole last message. What an
    agent says of its own usage is not taken: its events are.
    """
    report, problem = program.read_report(task.report_file)
    if not problem and report == AgentReport():
        report, problem = _in_words(words)
        if problem and task.kind == "plan":  # the plan is looked for in all of its words, and what is wrong told there
            report, problem = AgentReport(), ""
    if task.kind == "plan":
        return AgentReport(plan=report.plan or words), "" if report.plan or words else problem
    return endings.inside(msgspec.structs.replace(report, usage=None, plan=""), task.tree), problem


def _in_words(words: str) -> tuple[AgentReport, str]:
    found = _FENCED.findall(words)
    if not found:
        return AgentReport(), ""
    try:
        return _report.decode(found[-1]).report(), ""
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return AgentReport(), f"The report in its last message cannot be read: {error}."
