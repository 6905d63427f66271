"""The recording that the scripted agents play in the demo, made from real files.

`recording.toml` says who does what, in which order and in what time; `feature/` holds each file as it is at the end. A
file that is there already is patched, the others are written. So the feature is maintained as code that can be run,
and not as text inside JSON.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ropeteam.core.model import DecisionNote, DeviationNote, FileNote, RequestNote
from ropeteam.demo.folders import HERE, folder
from ropeteam.testing import script

"""Files as the contract leaves them, where it only declares what other units fill in."""

SINGLE = "single"
TESTS = ("-m", "unittest", "discover")
CONTRACT_UNIT = "01-contract"


class Tokens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens that were read fresh, read from cache, and written; or what a million of each costs, in US dollars."""

    input: float
    cached: float
    output: float

    def plus(self, other: Tokens) -> Tokens:
        return Tokens(
            input=self.input + other.input, cached=self.cached + other.cached, output=self.output + other.output
        )

    def cost(self, usd_per_million: Tokens) -> float:
        price = usd_per_million
        return (self.input * price.input + self.cached * price.cached + self.output * price.output) / 1e6


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of work: what is said, what is written in its time, and whether the tests are run at its end.

    reading: nothing is written yet, what is there is read in.
    """

    says: tuple[str, ...]
    seconds: float
    usage: Tokens
    reading: bool = False
    files: tuple[str, ...] = ()
    tests: bool = False


class Play(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the agent of one unit does. requests: what it asks of the owners of other files."""

    unit: str
    stage: tuple[Stage, ...]
    requests: tuple[RequestNote, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(path for stage in self.stage for path in stage.files)

    def seconds(self, *, reading: bool) -> float:
        """Of the feature's time: for reading in, or for everything else."""
        return sum(stage.seconds for stage in self.stage if stage.reading == reading)


class Decided(DecisionNote, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision, and the unit that makes it. single: one agent on everything makes it too."""

    unit: str
    single: bool = True


class Deviated(DeviationNote, frozen=True, kw_only=True, forbid_unknown_fields=True):
    unit: str


class Recording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`recording.toml`."""

    about: str
    context_limit: int
    usd_per_million: Tokens
    play: tuple[Play, ...]
    purposes: dict[str, str]
    decisions: tuple[Decided, ...]
    deviations: tuple[Deviated, ...]

    def play_of(self, unit: str) -> Play:
        """KeyError when there is none."""
        for play in self.play:
            if play.unit == unit:
                return play
        raise KeyError(unit)

    @property
    def units(self) -> tuple[Play, ...]:
        """The plays of several agents."""
        return tuple(play for play in self.play if play.unit != SINGLE)

    def report(self, unit: str) -> script.Report:
        """What the agent of that unit says it did."""
        single, play = unit == SINGLE, self.play_of(unit)
        return script.Report(
            files=tuple(FileNote(path=path, purpose=self._purpose(path, unit)) for path in play.files),
            decisions=tuple(
                DecisionNote(decision=one.decision, rationale=one.rationale)
                for one in self.decisions
                if (one.single if single else one.unit == unit)
            ),
            deviations=tuple(
                DeviationNote(what=one.what, why=one.why) for one in self.deviations if single or one.unit == unit
            ),
            requests=play.requests,
        )

    def _purpose(self, path: str, unit: str) -> str:
        declared = unit == CONTRACT_UNIT and (folder("contract") / path).exists()
        return f"declared: {self.purposes[path]}" if declared else self.purposes[path]


def load() -> Recording:
    return msgspec.toml.decode((HERE / "recording.toml").read_bytes(), type=Recording)


def record(python: str) -> script.Script:
    """The script for every agent of a run, parallel or not. python: runs the sample's tests."""
    recording = load()
    units = {play.unit: tuple(_steps(recording, play, python)) for play in recording.play}
    return script.Script(
        about=recording.about,
        units={**units, "belay": units[SINGLE], "rest": tuple(_rest(recording, python))},
    )


def write(path: Path, script_: script.Script) -> Path:
    """Write a script to a file, for `agent.scripted.script`."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(script_), indent=1))
    return path


def _steps(recording: Recording, play: Play, python: str) -> Iterator[script.AnyStep]:
    used = Tokens(input=0, cached=0, output=0)
    for stage in play.stage:
        yield from _worked(stage, play.unit) if stage.files else _said(stage.says, stage.seconds)
        if stage.tests:
            yield script.Command(argv=(python, *TESTS))
        used = used.plus(stage.usage)
        yield _used(used, recording)
    yield recording.report(play.unit)


def _rest(recording: Recording, python: str) -> Iterator[script.AnyStep]:
    """One agent that finishes whatever is missing: each unit's part takes time only as far as it is not there."""
    first, last = (recording.play_of(SINGLE).stage[n] for n in (0, -1))
    yield from _said(("Reading what is validated", "Reading what went wrong, and what it left"), first.seconds)
    yield _used(first.usage, recording)
    for play in recording.units[1:]:  # what the contract declares, the others fill in; the rest of it is validated
        for path in play.files:
            yield script.Bring(
                files={path: final(path)},
                text=f"Finishing {play.unit}: {play.stage[-1].says[0]}",
                seconds=play.seconds(reading=False) / len(play.files),
            )
    yield script.Bring(files={path: final(path) for path in recording.purposes})
    yield from _said(last.says, last.seconds)
    yield script.Command(argv=(python, *TESTS))
    yield _used(first.usage.plus(last.usage), recording)
    report = recording.report(SINGLE)
    yield script.Report(files=report.files)


def _said(says: Sequence[str], seconds: float) -> Iterator[script.AnyStep]:
    for text in says:
        yield script.Progress(text=text)
        yield script.Pause(seconds=seconds / len(says))


def _worked(stage: Stage, unit: str) -> Iterator[script.AnyStep]:
    """Files are written one after the other, and looked over for a while. How long an agent read in is measured as the
    time until it writes for the first time."""
    files = len(stage.files)
    for index, path in enumerate(stage.files):
        for text in stage.says[-(-index * len(stage.says) // files) : -(-(index + 1) * len(stage.says) // files)]:
            yield script.Progress(text=text)
        yield from change(path, unit)
        yield script.Pause(seconds=stage.seconds / files)


def _used(used: Tokens, recording: Recording) -> script.Used:
    # The conversation holds everything that was read fresh or written so far.
    return script.Used(
        input=int(used.input),
        cached=int(used.cached),
        output=int(used.output),
        context_used=int(used.input + used.output),
        context_limit=recording.context_limit,
        cost_usd=round(used.cost(recording.usd_per_million), 4),
    )


def final(path: str) -> str:
    """A file as it is at the end."""
    return (folder("feature") / path).read_text(encoding="utf-8")


def change(path: str, unit: str = SINGLE) -> list[script.AnyStep]:
    """The steps that bring one file to what it is when the unit is done, from what it was when it began."""
    declared = folder("contract") / path
    before = folder("sample") / path if unit in (SINGLE, CONTRACT_UNIT) or not declared.exists() else declared
    after = declared if unit == CONTRACT_UNIT and declared.exists() else folder("feature") / path
    new = after.read_text(encoding="utf-8")
    pairs = patches(before.read_text(encoding="utf-8"), new) if before.exists() else None
    if pairs is None:
        return [script.Write(path=path, content=new)]
    return [script.Patch(path=path, find=find, replace=replace) for find, replace in pairs]


def patches(old: str, new: str) -> list[tuple[str, str]] | None:
    """Pairs (find, replace), for one after the other; each `find` is in the text exactly once when its turn comes.

    None when a change cannot be told from the lines before it.
    """
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    pairs: list[tuple[str, str]] = []
    text = old
    # From the end backwards: the lines before a change are then still those of the old text.
    for tag, first, last, b1, b2 in reversed(
        difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    ):
        if tag == "equal":
            continue
        start = _unique_from(text, before, first, last)
        if start is None:
            return None
        find = "".join(before[start:last])
        pairs.append((find, "".join(before[start:first] + after[b1:b2])))
        text = text.replace(*pairs[-1])
    return pairs


def _unique_from(text: str, before: list[str], first: int, last: int) -> int | None:
    """From which line on, up to `last`, the old lines stand in the text exactly once. An insertion needs a line."""
    for start in range(min(first, last - 1), -1, -1):
        find = "".join(before[start:last])
        if text.find(find) == text.rfind(find):  # not `count`, which does not see places that overlap
            return start
    return None
