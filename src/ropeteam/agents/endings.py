"""What the end of a program says by itself, before anything it said is looked at; shared by the adapters."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from signal import Signals
from typing import Any, Final

import msgspec

from ropeteam.core.model import AgentReport, DeviationNote, FileNote, Outcome, RequestNote
from ropeteam.ports import Exit, Finish, Said, Task


def stopped(exit: Exit) -> Finish | None:
    """The verdict on a program that we stopped ourselves; None when it ended of its own accord."""
    seconds = f"{exit.seconds:.0f} s"
    match exit.stopped:
        case "":
            return None
        case "asked":
            return Finish(outcome="killed", evidence=f"Stopped on request after {seconds}.")
        case "stalled":
            return Finish(outcome="stalled", evidence=f"Stopped: it gave no sign of life; it had run for {seconds}.")
        case "timeout":
            return Finish(outcome="timeout", evidence=f"Stopped at its time limit after {seconds}.")
        case "auth":
            return Finish(outcome="auth", evidence=f"Stopped after {seconds}: the provider refused its log-in.")


KILLED_CODES: Final = tuple(128 + number for number in (1, 2, 6, 9, 11, 15))
"""How shells and the sandbox say that what they started was ended by a signal; claude says so of itself (143)."""


def exit_code(exit: Exit) -> tuple[Outcome, str]:
    """The outcome and its evidence from exit code and signal alone."""
    if exit.signal:
        return "killed", f"Ended by {signal_name(exit.signal)} after {exit.seconds:.0f} s."
    if exit.code is None:
        return "unknown", f"Ended after {exit.seconds:.0f} s without an exit code."
    if exit.code in KILLED_CODES:
        return "killed", f"Ended by {signal_name(exit.code - 128)} (exit code {exit.code}) after {exit.seconds:.0f} s."
    if exit.code != 0:
        return "crashed", f"Ended with exit code {exit.code} after {exit.seconds:.0f} s."
    return "ok", f"Ended with exit code 0 after {exit.seconds:.0f} s."


def signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def whole_prompt(task: Task) -> str:
    """Both parts of the prompt, the shared one first, as they stand in the prompt file."""
    return task.shared_prompt + task.own_prompt


def conversation_id(task: Task) -> str:
    """The id we give a conversation: the same whenever it is asked for, and no other attempt's."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"ropeteam:{task.run}/{task.unit}/{task.attempt}"))


def both_outputs(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line with what it writes to standard error led to standard output, where we hear it: of programs that
    say only there that they wait and try again."""
    return ("/bin/sh", "-c", 'exec "$0" "$@" 2>&1', *argv)


def programs(*names: str) -> tuple[str, ...]:
    """What must be readable for programs named by their paths, which may lie anywhere in the home folder: themselves,
    and the packages of npm beside them."""
    found = []
    for name in names:
        if name.startswith("/"):
            packages = [str(above) for above in Path(name).resolve().parents if above.name == "node_modules"]
            found += [name, *packages[:1]]
    return tuple(dict.fromkeys(found))


SHOWN: Final = 160
"""Characters of a text or a command that are shown to people."""


def tool_words(name: str, given: Mapping[str, Any], tree: Path) -> str:
    """What a tool call does, for people: `write_file app/models.py`, `bash pytest -q`."""
    for key in (
        "file_path",
        "filePath",
        "notebook_path",
        "path",
        "command",
        "pattern",
        "description",
        "query",
        "url",
        "thought",
    ):
        value = given.get(key)
        if isinstance(value, str) and value:
            return shortened(f"{name} {value.removeprefix(f'{tree}/')}")
    return name


def unreadable(problem: str) -> Said:
    """What an adapter says of an event that it cannot read."""
    return Said(kind="garbled", text=f"An event that cannot be read: {problem}")


def plain_words(line: bytes, *, began: bool) -> Said | None:
    """A line that is no event, where it may be one of a program around the agent's: before the first event. None where
    it is an event that is broken."""
    if began or line.startswith(b"{"):
        return None
    return Said(kind="text", text=shortened(line.decode(errors="replace")))


def shortened(text: str) -> str:
    """The first line, not longer than is shown."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def inside(report: AgentReport, tree: Path) -> AgentReport:
    """The report with its paths relative to the tree, as far as they lie in it; others stay as they were written.

    A request that nobody can do, because it names no file of the repository, becomes a deviation, so that people see
    it; one that asks for nothing is left out.
    """
    requests, deviations = [], []
    for note in report.requests:
        what, path = note.what.strip(), _relative(note.path.strip(), tree)
        if what and _is_file_of_repository(path):
            requests.append(RequestNote(path=path, what=what))
        elif what:
            named = repr(path) if note.path.strip() else "a file that it did not name"
            deviations.append(DeviationNote(what=f"It asked for a change in {named}: {what}"))
    return msgspec.structs.replace(
        report,
        files=tuple(FileNote(path=_relative(note.path, tree), purpose=note.purpose) for note in report.files),
        deviations=(*report.deviations, *deviations),
        requests=tuple(dict.fromkeys(requests)),
    )


def _is_file_of_repository(path: str) -> bool:
    """Whether a file of that name could be in the repository."""
    parts = path.split("/")
    return path.isprintable() and not any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)


def _relative(path: str, tree: Path) -> str:
    pure = PurePosixPath(path)
    for root in (tree, tree.resolve()):  # a program sees its folder without symbolic links
        if pure.is_relative_to(root):
            return str(pure.relative_to(root))
    return str(pure)
