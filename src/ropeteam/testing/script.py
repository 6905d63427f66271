"""What a script for the scripted agent can say, and how it is read.

A script is one JSON object::

    {"units": {"single": [{"do": "write", "path": "a.py", "content": "x = 1\\n"}, {"do": "pause", "seconds": 40}],
               "single/2": [...], "*": [...]}}

Under `units` stands, for each unit, the list of steps it plays, in order. For attempt 2 of the unit `single` the first
of the keys `single/2`, `single`, `*` that is there counts. Paths are relative to the work tree and stay inside it
(`write_outside` excepted). An empty list is an agent that says it is done and has done nothing.
"""

from __future__ import annotations

import functools
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from ropeteam.core.model import DecisionNote, DeviationNote, FileNote, RequestNote
from ropeteam.errors import BadInput

Above0 = Annotated[float, msgspec.Meta(ge=0)]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", omit_defaults=True):
    """One thing the agent does."""


# ---- work


class Write(Step, frozen=True, kw_only=True, tag="write"):
    """Write a whole file, and the folders it needs. executable: sets the mode so."""

    path: str
    content: str
    executable: bool = False


class Patch(Step, frozen=True, kw_only=True, tag="patch"):
    """Replace the first `find` in a file. Already applied is fine; `find` nowhere to be found ends the play."""

    path: str
    find: str
    replace: str


class Bring(Step, frozen=True, kw_only=True, tag="bring"):
    """Bring files to what they have to be in the end, whatever is there: path -> content.

    Where all have it already nothing happens. Otherwise `text` is said, and `seconds` of the feature's time go by, in
    proportion to how many of them differ; then those are written. So an agent can be scripted that finishes what
    others left.
    """

    files: dict[str, str]
    text: str = ""
    seconds: Above0 = 0.0


class Delete(Step, frozen=True, kw_only=True, tag="delete"):
    """Remove a file. Already gone is fine."""

    path: str


class Command(Step, frozen=True, kw_only=True, tag="command"):
    """Run a program in the work tree and wait for it. An exit code other than 0 ends the play, unless `may_fail`."""

    argv: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    may_fail: bool = False


class Pause(Step, frozen=True, kw_only=True, tag="pause"):
    """Let `seconds` of the feature's time go by (the real time is that divided by the time scale)."""

    seconds: Above0


class Wait(Step, frozen=True, kw_only=True, tag="wait"):
    """Wait until a file is there (real time): how a test holds an agent at one point. path: may be absolute."""

    path: str


class Progress(Step, frozen=True, kw_only=True, tag="progress"):
    """Say what is being done, for people."""

    text: str


class Used(Step, frozen=True, kw_only=True, tag="usage"):
    """Report the usage so far: cumulative, the last one counts."""

    input: int = 0
    cached: int = 0
    output: int = 0
    context_used: int = 0
    context_limit: int = 0
    cost_usd: float = 0.0


class Report(Step, frozen=True, kw_only=True, tag="report"):
    """Write the report file: what each file is for, decisions, deviations, for a unit its requests to others.

    plan: for an attempt of kind `plan`: the plan document it proposes, or anything else that it gives for one."""

    files: tuple[FileNote, ...] = ()
    decisions: tuple[DecisionNote, ...] = ()
    deviations: tuple[DeviationNote, ...] = ()
    requests: tuple[RequestNote, ...] = ()
    plan: Any = None


# ---- faults


class ExitWith(Step, frozen=True, kw_only=True, tag="exit"):
    """End at once with this exit code."""

    code: int


class Die(Step, frozen=True, kw_only=True, tag="signal"):
    """End at once by this signal (9: SIGKILL, 15: SIGTERM)."""

    number: int


class Refused(Step, frozen=True, kw_only=True, tag="refused"):
    """The provider refuses to go on: say that it is asked again, give up for that reason, and end with exit code 1.

    status: of HTTP. seconds: of the feature's time until the provider can go on, None when it does not say.
    """

    outcome: Literal["rate", "overload", "auth"] = "rate"
    status: int = 429
    seconds: Above0 | None = None


class Hang(Step, frozen=True, kw_only=True, tag="hang"):
    """Do nothing more, and do not end."""


class Flood(Step, frozen=True, kw_only=True, tag="flood"):
    """Print so many bytes to standard output, or to standard error. line: length of each line, 0 for a single one."""

    bytes: int
    stderr: bool = False
    line: int = 100


class IgnoreTerm(Step, frozen=True, kw_only=True, tag="ignore_sigterm"):
    """From now on take no notice of being asked to stop."""


class Escape(Step, frozen=True, kw_only=True, tag="escape"):
    """Start a background process in a session of its own that outlives the agent, ignores SIGTERM, keeps standard
    output open, and appends a line to `path` (relative to the work tree, or absolute) ten times a second."""

    path: str
    seconds: Above0 = 600.0


class GarbledReport(Step, frozen=True, kw_only=True, tag="garbled_report"):
    """Leave a report file that cannot be read."""


class GarbledLine(Step, frozen=True, kw_only=True, tag="garbled_line"):
    """Print an event that cannot be read."""


class Lie(Step, frozen=True, kw_only=True, tag="lie"):
    """Report a file as written that is not there."""

    path: str = "never-written.txt"


class WriteOutside(Step, frozen=True, kw_only=True, tag="write_outside"):
    """Write a file outside the work tree. path: absolute, or relative to the work tree. refused_is_fine: go on when
    the system does not allow it."""

    path: str
    content: str = ""
    refused_is_fine: bool = True


AnyStep = (
    Write
    | Patch
    | Bring
    | Delete
    | Command
    | Pause
    | Wait
    | Progress
    | Used
    | Report
    | ExitWith
    | Die
    | Refused
    | Hang
    | Flood
    | IgnoreTerm
    | Escape
    | GarbledReport
    | GarbledLine
    | Lie
    | WriteOutside
)


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole script. about: for people."""

    units: dict[str, tuple[AnyStep, ...]]
    about: str = ""

    def play_for(self, unit: str, attempt: int) -> tuple[AnyStep, ...] | None:
        """The steps of one attempt; None when the script has none for it."""
        for key in (f"{unit}/{attempt}", unit, "*"):
            if key in self.units:
                return self.units[key]
        return None


class _Outline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A script with its steps unread, so that an error can name the step it is in."""

    units: dict[str, list[msgspec.Raw]]
    about: str = ""


def load_script(path: Path) -> Script:
    """Read and check a script. Raises `BadInput` with the file and the position of the first fault."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"The script cannot be read: {error.strerror}.", where=str(path), hint="Check the path of the script."
        ) from None
    return parse_script(data, str(path))


def parse_script(data: bytes, where: str) -> Script:
    """Read and check the text of a script. where: its name, for messages."""
    try:
        outline = msgspec.json.decode(data, type=_Outline)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(where, _position(data, str(error)), str(error)) from None
    units: dict[str, tuple[AnyStep, ...]] = {}
    for key, steps in outline.units.items():
        units[key] = tuple(_step(raw, where, f"units[{key!r}][{index}]") for index, raw in enumerate(steps))
    return Script(units=units, about=outline.about)


def _step(raw: msgspec.Raw, where: str, position: str) -> AnyStep:
    try:
        step = _steps().decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(where, position, str(error)) from None
    outside = [path for path in _paths(step) if not _stays_inside(path)]
    if outside:
        raise _bad(where, position, f"The path {outside[0]!r} leads out of the work tree")
    match step:
        case Patch(find=""):
            raise _bad(where, position, "`find` is empty")
        case _:
            return step


def _paths(step: AnyStep) -> tuple[str, ...]:
    """What a step changes inside the work tree."""
    match step:
        case Write(path=path) | Patch(path=path) | Delete(path=path):
            return (path,)
        case Bring(files=files):
            return tuple(files)
        case _:
            return ()


@functools.cache
def _steps() -> msgspec.json.Decoder[AnyStep]:
    return msgspec.json.Decoder(AnyStep)


def _stays_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path


def _position(data: bytes, error: str) -> str:
    """`line:column` (1-based) where msgspec names a byte, else nothing: its message names the field then."""
    _, found, offset = error.partition("(byte ")
    if not found:
        return ""
    before = data[: int(offset.rstrip(")"))].split(b"\n")
    return f"{len(before)}:{len(before[-1]) + 1}"


def _bad(where: str, position: str, problem: str) -> BadInput:
    return BadInput(
        f"The script cannot be played: {problem}.",
        where=f"{where}:{position}" if position else where,
        hint="`python -m ropeteam.testing.scripted --schema` prints what a script may hold.",
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a script."""
    return msgspec.json.schema(Script)
