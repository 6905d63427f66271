"""The scripted agent: a program that plays a script (`ropeteam.testing.script`) by the agent protocol.

    python -m ropeteam.testing.scripted SCRIPT [--time-scale X]      in a work tree, with ROPETEAM_TASK set
    python -m ropeteam.testing.scripted --check SCRIPT               is it a script? exit code 2 and the fault if not
    python -m ropeteam.testing.scripted --schema                     the JSON Schema of a script

It is what an agent is to ropeteam: a program of somebody else's. So it starts its own commands, with the operating
system's means, and knows nothing of what supervises it. Exit codes: 0 played to the end, 1 a step could not be done,
2 no script, no task, or no play for this unit.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn, assert_never

import msgspec

from ropeteam.core.agent_files import EndLine, ProgressLine, ReportFile, RetryLine, TaskFile, UsageLine
from ropeteam.core.model import FileNote
from ropeteam.errors import BadInput
from ropeteam.testing import script as steps
from ropeteam.testing.script import AnyStep, load_script

POLL_SECONDS = 0.02
"""How often a waiting step looks for its file."""


class CannotPlay(Exception):
    """A step that could not be done."""


class Player:
    """Plays steps in the current folder, and keeps what the report will say."""

    def __init__(self, task: TaskFile, time_scale: float) -> None:
        self._report_file = Path(task.report_file)
        self._time_scale = time_scale
        self._report: ReportFile | None = None
        self._usage: UsageLine | None = None

    def play(self, play: tuple[AnyStep, ...]) -> None:
        for step in play:
            self._one(step)

    def _one(self, step: AnyStep) -> None:
        match step:
            case steps.Write() | steps.Patch() | steps.Delete() | steps.WriteOutside():
                change_files(step)
            case steps.Bring():
                self._bring(step)
            case steps.Command():
                run_command(step)
            case steps.Pause():
                time.sleep(step.seconds / self._time_scale)
            case steps.Wait():
                while not Path(step.path).exists():
                    time.sleep(POLL_SECONDS)
            case steps.Progress() | steps.Used() | steps.Report() | steps.Lie():
                self._say(step)
            case _:
                self._fault(step)

    def _bring(self, step: steps.Bring) -> None:
        other = {path: text for path, text in step.files.items() if not holds(Path(path), text)}
        if not other:
            return
        if step.text:
            emit(ProgressLine(text=step.text))
        time.sleep(step.seconds * len(other) / len(step.files) / self._time_scale)
        for path, text in other.items():
            change_files(steps.Write(path=path, content=text))

    def _say(self, step: steps.Progress | steps.Used | steps.Report | steps.Lie) -> None:
        match step:
            case steps.Progress():
                emit(ProgressLine(text=step.text))
            case steps.Used():
                line = UsageLine(**msgspec.structs.asdict(step))
                self._usage = line
                emit(line)
            case steps.Report():
                self._report = ReportFile(
                    files=step.files,
                    decisions=step.decisions,
                    deviations=step.deviations,
                    requests=step.requests,
                    plan=msgspec.Raw(msgspec.json.encode(step.plan)),
                )
            case steps.Lie():
                report = self._report or ReportFile()
                note = FileNote(path=step.path, purpose="A file that was never written")
                self._report = msgspec.structs.replace(report, files=(*report.files, note))
            case _:
                assert_never(step)
        if self._report is not None:
            report = msgspec.structs.replace(self._report, usage=self._usage)
            self._report_file.write_bytes(msgspec.json.encode(report))

    def _fault(
        self,
        step: steps.ExitWith
        | steps.Die
        | steps.Refused
        | steps.Hang
        | steps.Flood
        | steps.IgnoreTerm
        | steps.Escape
        | steps.GarbledReport
        | steps.GarbledLine,
    ) -> None:
        match step:
            case steps.ExitWith():
                raise SystemExit(step.code)
            case steps.Die():
                sys.stdout.flush()
                os.kill(os.getpid(), step.number)
            case steps.Refused():
                self._give_up(step)
            case steps.Hang():
                hang()
            case steps.Flood():
                flood(step)
            case steps.IgnoreTerm():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            case steps.Escape():
                escape(step)
            case steps.GarbledReport():
                self._report = None
                self._report_file.write_bytes(b'{"files": [{"path": \xff')
            case steps.GarbledLine():
                print('{"event": "usage", "input": "many"}', flush=True)
            case _:
                assert_never(step)

    def _give_up(self, step: steps.Refused) -> NoReturn:
        at = None if step.seconds is None else time.time() + step.seconds / self._time_scale
        emit(RetryLine(status=step.status, retry_at=at))
        emit(EndLine(outcome=step.outcome, retry_at=at, text=f"status {step.status}"))
        raise SystemExit(1)


def holds(path: Path, text: str) -> bool:
    """Whether the file is there with exactly this text."""
    try:
        return path.read_bytes() == text.encode("utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return False


def emit(line: ProgressLine | UsageLine | RetryLine | EndLine) -> None:
    print(msgspec.json.encode(line).decode(), flush=True)


def change_files(step: steps.Write | steps.Patch | steps.Delete | steps.WriteOutside) -> None:
    path = Path(step.path)
    match step:
        case steps.Write():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.content, encoding="utf-8", newline="")
            if step.executable:
                path.chmod(0o755)
        case steps.Patch():
            patch(path, step)
        case steps.Delete():
            path.unlink(missing_ok=True)
        case steps.WriteOutside():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.content, encoding="utf-8", newline="")
            except OSError:
                if not step.refused_is_fine:
                    raise
        case _:
            assert_never(step)


def patch(path: Path, step: steps.Patch) -> None:
    text = path.read_bytes().decode("utf-8")
    # Where the new text contains the old one, finding the old one does not tell that it is still to be done.
    if step.find in step.replace and step.replace in text:
        return
    if step.find in text:
        path.write_bytes(text.replace(step.find, step.replace, 1).encode("utf-8"))
    elif step.replace not in text:
        raise CannotPlay(f"{step.path} does not contain {step.find!r}")


def run_command(step: steps.Command) -> None:
    sys.stdout.flush()
    code = os.spawnvp(os.P_WAIT, step.argv[0], step.argv)
    if code != 0 and not step.may_fail:
        raise CannotPlay(f"the command {' '.join(step.argv)} ended with {code}")


def hang() -> NoReturn:
    while True:
        signal.pause()


def flood(step: steps.Flood) -> None:
    out = sys.stderr.buffer if step.stderr else sys.stdout.buffer
    line = b"x" * (step.line - 1) + b"\n" if step.line else b"x" * 65536
    left = step.bytes
    while left > 0:
        out.write(line[:left])
        left -= len(line)
    if not step.line:
        out.write(b"\n")
    out.flush()


def escape(step: steps.Escape) -> None:
    """Twice forked and in a session of its own, as the shells of real agents are."""
    sys.stdout.flush()
    path = Path(step.path).absolute()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + step.seconds
    while time.monotonic() < end:
        try:
            with path.open("a") as file:
                file.write(f"{os.getpid()}\n")
        except OSError:
            pass  # the tree is gone; it lives on all the same
        time.sleep(0.1)
    os._exit(0)


def main(arguments: list[str]) -> int:
    import argparse

    parser = argparse.ArgumentParser(prog="python -m ropeteam.testing.scripted", description="Plays a scripted agent.")
    parser.add_argument("script", nargs="?", type=Path)
    parser.add_argument("--time-scale", type=float, default=1.0, help="seconds of the feature in one real second")
    parser.add_argument("--check", action="store_true", help="only read the script")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of a script")
    options = parser.parse_args(arguments)
    if options.schema:
        print(msgspec.json.format(msgspec.json.encode(steps.json_schema())).decode())
        return 0
    if options.script is None:
        parser.error("which script?")
    try:
        script = load_script(options.script)
        return 0 if options.check else perform(script, options.time_scale)
    except BadInput as error:
        print(f"{error.where}: {error.message}", file=sys.stderr)
        return 2


def perform(script: steps.Script, time_scale: float) -> int:
    """Play the part of the task that the environment names; the exit code."""
    task_path = os.environ.get("ROPETEAM_TASK", "")
    try:
        task = msgspec.json.decode(Path(task_path).read_bytes(), type=TaskFile)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadInput(f"The task cannot be read: {error}.", where=task_path or "ROPETEAM_TASK") from None
    play = script.play_for(task.unit, task.attempt)
    if play is None:
        print(f"The script has no play for {task.unit}/{task.attempt}.", file=sys.stderr)
        return 2
    try:
        Player(task, time_scale).play(play)
    except (CannotPlay, OSError, UnicodeError) as error:
        print(f"The play cannot go on: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
