"""The recording of a feature whose plan is made when the demo is played: composed file by file for the plan's units.

What each file is in the end lies in a folder beside the sample; what it is for stands in the feature's own
architecture. How long an agent takes is counted in lines: so much for reading in, for each file, for each line, a
little more or less from file to file, and the same every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from ropeteam.core.model import FileNote, Plan, Unit
from ropeteam.core.patterns import owns
from ropeteam.core.survey import Survey
from ropeteam.demo import recording
from ropeteam.demo.folders import folder
from ropeteam.demo.recording import SINGLE, Tokens
from ropeteam.testing import script

READING_SECONDS = 68.0
FILE_SECONDS = 10.0
LINE_SECONDS = 0.5
"""Of an added line. All three are of the size that is measured on real agents, and are a recording all the same."""
LAST_LOOK_SECONDS = 25.0

READ = Tokens(input=19_000, cached=26_000, output=700)
FILE = Tokens(input=300, cached=20_000, output=60)
LINE = Tokens(input=3, cached=0, output=13)
CONTEXT_LIMIT = 200_000
USD_PER_MILLION = Tokens(input=3.0, cached=0.3, output=15.0)


@dataclass(frozen=True)
class Work:
    """What there is to do. finals: folder with each file as it is in the end. purposes: of each file, in the order of
    the documents."""

    finals: Path
    purposes: dict[str, str]

    def final(self, path: str) -> str:
        return (self.finals / path).read_text(encoding="utf-8")


def work_of(finals: Path, survey: Survey) -> Work:
    """The files that the feature's documents name, as they are in `finals`."""
    return Work(finals, {file.path: file.purpose for file in survey.files})


def record(work: Work, plan: Plan | None, about: str, python: str) -> script.Script:
    """The script for every agent of a run of that plan, and for one agent alone. python: runs the sample's tests."""
    everything = tuple(work.purposes)
    units = {unit.id: tuple(_unit(work, unit.id, shares)) for unit, shares in _shares(work, plan.units if plan else ())}
    alone = tuple(_unit(work, SINGLE, everything, tests=python))
    rest = tuple(_rest(work, python))
    return script.Script(about=about, units={**units, SINGLE: alone, "belay": alone, "rest": rest})


def seconds(path: str, text: str, before: str) -> float:
    """What the work on a file takes: its lines, beyond those that it has already."""
    lines = len(text.splitlines())
    added = lines if not before else max(3, lines - len(before.splitlines()))
    return round((FILE_SECONDS + LINE_SECONDS * added) * _about(path, 0.15), 1)


def _about(name: str, most: float) -> float:
    """A factor near 1, by at most that share above or below: always the same for the same name."""
    return 1.0 + most * (crc32(name.encode()) % 2001 / 1000 - 1.0)


def _shares(work: Work, units: Sequence[Unit]) -> Iterator[tuple[Unit, tuple[str, ...]]]:
    """What each unit writes of its own. A file that a contract declares is left to whoever fills it in: these features'
    parts use nothing of each other, so there is nothing to declare."""
    taken = {unit.id: tuple(path for path in work.purposes if owns(unit.writes, path)) for unit in reversed(units)}
    given: set[str] = set()
    mine: dict[str, tuple[str, ...]] = {}
    for unit in reversed(units):
        mine[unit.id] = tuple(path for path in taken[unit.id] if path not in given)
        given.update(taken[unit.id])
    for unit in units:
        yield unit, mine[unit.id]


def _unit(work: Work, unit: str, files: Sequence[str], tests: str = "") -> Iterator[script.AnyStep]:
    yield script.Progress(text="Reading CLAUDE.md, the feature's documents and the application")
    yield script.Pause(seconds=round(READING_SECONDS * _about(unit, 0.1), 1))
    used = READ
    yield _used(used)
    for path in files:
        before, text = _before(path), work.final(path)
        yield script.Progress(text=_said(path, work.purposes[path]))
        yield from _change(path, before, text)
        yield script.Pause(seconds=seconds(path, text, before))
        lines = len(text.splitlines())
        used = used.plus(FILE).plus(Tokens(input=LINE.input * lines, cached=0, output=LINE.output * lines))
        yield _used(used)
    if tests:
        yield script.Progress(text="Running all tests, and reading the requirements again")
        yield script.Command(argv=(tests, *recording.TESTS))
        yield script.Pause(seconds=LAST_LOOK_SECONDS)
    yield _report(work, files)


def _rest(work: Work, python: str) -> Iterator[script.AnyStep]:
    """One agent that finishes whatever is missing: a file that is as it should be takes no time."""
    yield script.Progress(text="Reading what is validated, and what went wrong")
    yield script.Pause(seconds=READING_SECONDS)
    yield _used(READ)
    for path in work.purposes:
        text = work.final(path)
        yield script.Bring(
            files={path: text}, text=_said(path, work.purposes[path]), seconds=seconds(path, text, _before(path))
        )
    yield script.Progress(text="Running all tests, and reading the requirements again")
    yield script.Command(argv=(python, *recording.TESTS))
    yield script.Pause(seconds=LAST_LOOK_SECONDS)
    yield _used(READ.plus(READ))
    yield _report(work, tuple(work.purposes))


def _before(path: str) -> str:
    present = folder("sample") / path
    return present.read_text(encoding="utf-8") if present.exists() else ""


def _change(path: str, before: str, text: str) -> list[script.AnyStep]:
    pairs = recording.patches(before, text) if before else None
    if pairs is None:
        return [script.Write(path=path, content=text)]
    return [script.Patch(path=path, find=find, replace=replace) for find, replace in pairs]


def _said(path: str, purpose: str) -> str:
    """The purpose without its guess of lines: what the agent says that it writes."""
    head = purpose.partition(", about ")[0].strip()
    return f"{path}: {head}" if head else path


def _used(used: Tokens) -> script.Used:
    return script.Used(
        input=int(used.input),
        cached=int(used.cached),
        output=int(used.output),
        context_used=int(used.input + used.output),
        context_limit=CONTEXT_LIMIT,
        cost_usd=round(used.cost(USD_PER_MILLION), 4),
    )


def _report(work: Work, files: Sequence[str]) -> script.Report:
    return script.Report(
        files=tuple(FileNote(path=path, purpose=work.purposes[path].partition(", about ")[0]) for path in files)
    )
