"""The protocol of "any program as an agent": task file in, JSON lines and a report file out."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from ropeteam.agents import endings
from ropeteam.core.agent_files import (
    DeniedLine,
    EndLine,
    ProgressLine,
    ReportFile,
    RetryLine,
    SessionLine,
    TaskFile,
    UsageLine,
)
from ropeteam.core.model import AgentReport, Outcome, Usage
from ropeteam.ports import Exit, Finish, Launch, Said, Task

REPORT_BYTES = 4_000_000
"""A report is a few kilobytes; one past this size was not written in good faith and is not read."""


class _EventName(msgspec.Struct, frozen=True, kw_only=True):
    event: str = ""


_event_name = msgspec.json.Decoder(_EventName)
_progress = msgspec.json.Decoder(ProgressLine)
_usage = msgspec.json.Decoder(UsageLine)
_retry = msgspec.json.Decoder(RetryLine)
_session = msgspec.json.Decoder(SessionLine)
_denied = msgspec.json.Decoder(DeniedLine)
_end = msgspec.json.Decoder(EndLine)
_report = msgspec.json.Decoder(ReportFile)


def launch(task: Task, argv: Sequence[str]) -> Launch:
    """How to start `argv` for `task`: prompt on standard input, task file in the attempt's folder."""
    task_path = task.folder / "task.json"
    prompt = endings.whole_prompt(task)
    return Launch(
        argv=tuple(argv),
        env={**task.settings.env, "ROPETEAM_TASK": str(task_path)},
        stdin=prompt,
        files={str(task_path): task_json(task), str(task.prompt_file): prompt},
        readable=_folders(argv),
    )


def _folders(argv: Sequence[str]) -> tuple[str, ...]:
    """What a program brings along: the folders of the files that its command line names absolutely."""
    files = [Path(part) for part in argv if part.startswith("/") and Path(part).is_file()]
    wide = {Path("/"), Path("/tmp"), Path("/usr"), Path("/etc"), Path.home()}
    return tuple(dict.fromkeys(str(f if f.parent in wide else f.parent) for f in files))


def task_json(task: Task) -> str:
    """The text of the task file."""
    value = TaskFile(
        run=task.run,
        unit=task.unit,
        attempt=task.attempt,
        kind=task.kind,
        goal=task.goal,
        writes=task.writes,
        reads=task.reads,
        needs=task.needs,
        feature=task.feature,
        prompt_file=str(task.prompt_file),
        report_file=str(task.report_file),
        slot=task.slot,
        deadline=task.deadline,
    )
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


class ProgramConversation:
    """Takes in a program's standard output. Lines that are not one of its events are just signs of life."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._usage = Usage()
        self._garbled = ""
        self._retry_at: float | None = None
        self._end: EndLine | None = None
        self._session = ""
        self._denials = 0

    def parse(self, line: bytes) -> Sequence[Said]:
        try:
            name = _event_name.decode(line).event
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return ()
        try:
            return self._event(name, line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._garbled = self._garbled or f"A line with the event {name!r} cannot be read: {error}."
            return (Said(kind="garbled", text=self._garbled),)

    def _event(self, name: str, line: bytes) -> Sequence[Said]:
        match name:
            case "progress":
                return (Said(kind="text", text=_progress.decode(line).text),)
            case "usage":
                self._usage = _usage.decode(line).usage()
                return (Said(kind="usage", usage=self._usage),)
            case "retry":
                retry = _retry.decode(line)
                self._retry_at = retry.retry_at
                return (Said(kind="retry", text=retry.text, status=retry.status),)
            case "session":
                self._session = _session.decode(line).id
                return (Said(kind="session", text=self._session),)
            case "denied":
                denied = _denied.decode(line)
                self._denials += 1
                return (Said(kind="denied", text=denied.text),)
            case "end":
                self._end = _end.decode(line)
                return (Said(kind="end", text=self._end.text),)
            case _:
                return ()

    def finish(self, exit: Exit, now: float) -> Finish:  # noqa: ARG002 - the port's signature
        report, problem = read_report(self._task.report_file)
        if self._task.kind != "plan":
            report = msgspec.structs.replace(report, plan="")
        outcome, evidence, notices = self._verdict(exit, problem or self._garbled)
        return Finish(
            outcome=outcome,
            usage=report.usage or self._usage,
            report=endings.inside(report, self._task.tree),
            session=self._session,
            evidence=evidence,
            notices=(*self._refused(), *notices),
            retry_at=self._can_go_on_at() if outcome in ("rate", "overload") else None,
        )

    def _can_go_on_at(self) -> float | None:
        """When the provider says it can go on; None when it does not say."""
        end = self._end
        return end.retry_at if end is not None and end.retry_at is not None else self._retry_at

    def _refused(self) -> tuple[str, ...]:
        things = "1 thing" if self._denials == 1 else f"{self._denials} things"
        return (f"It was not allowed {things} it tried.",) if self._denials else ()

    def _verdict(self, exit: Exit, problem: str) -> tuple[Outcome, str, tuple[str, ...]]:
        ended = endings.stopped(exit)
        outcome: Outcome
        if ended is not None:
            outcome, evidence = ended.outcome, ended.evidence
        elif self._end is not None:
            outcome, evidence = self._end.outcome, _gave_up(self._end, exit)
        else:
            outcome, evidence = endings.exit_code(exit)
        if problem and outcome == "ok":
            return "corrupted", problem, ()
        return outcome, evidence, (problem,) if problem else ()


_REASONS: Final = {
    "rate": "its provider grants no more requests for now",
    "overload": "its provider does not answer",
    "auth": "its provider refused its log-in",
    "context": "its conversation no longer fits the model",
    "turns": "it reached its limit of turns",
    "budget": "it reached its limit of money",
    "denied": "it was not allowed what it needed",
    "crashed": "it could not go on",
}


def _gave_up(end: EndLine, exit: Exit) -> str:
    words = f" ({' '.join(end.text.split())[:200]})" if end.text.strip() else ""
    return f"It gave up after {exit.seconds:.0f} s: {_REASONS[end.outcome]}{words}."


def read_report(path: Path) -> tuple[AgentReport, str]:
    """The report a program left, and why it cannot be read. Without a file: an empty report, and no problem."""
    try:
        # The program chose what lies there: a link could lead anywhere, and a pipe would never be opened.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return AgentReport(), "Its report is not a file."
            data = file.read(REPORT_BYTES + 1)
    except FileNotFoundError:
        return AgentReport(), ""
    except OSError as error:
        return AgentReport(), f"Its report cannot be read: {error.strerror}."
    if len(data) > REPORT_BYTES:
        return AgentReport(), f"Its report is larger than {REPORT_BYTES} bytes."
    try:
        return _report.decode(data).report(), ""
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return AgentReport(), f"Its report ({len(data)} bytes) cannot be read: {error}."
