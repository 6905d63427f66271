"""The recording that the scripted agent plays in the demo, made from real files.

`recording.toml` says in which order and in what time; `feature/` holds each file as it is at the end. A file that the
sample has already is patched, the others are written. So the feature is maintained as code that can be run, and not as
text inside JSON.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ropeteam.core.model import DecisionNote, DeviationNote, FileNote
from ropeteam.testing import script

HERE = Path(__file__).parent
SAMPLE = HERE / "sample"
FEATURE = HERE / "feature"
TESTS = ("-m", "unittest", "discover")


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
    """A stretch of work: what is said, then seconds go by, then files change, then the tests are run."""

    says: tuple[str, ...]
    seconds: float
    usage: Tokens
    files: tuple[str, ...] = ()
    tests: bool = False


class Recording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`recording.toml`."""

    about: str
    context_limit: int
    usd_per_million: Tokens
    stage: tuple[Stage, ...]
    purposes: dict[str, str]
    decisions: tuple[DecisionNote, ...]
    deviations: tuple[DeviationNote, ...]


def load() -> Recording:
    return msgspec.toml.decode((HERE / "recording.toml").read_bytes(), type=Recording)


def record(python: str) -> script.Script:
    """The script for one agent that implements the whole feature. python: runs the sample's tests."""
    recording = load()
    return script.Script(about=recording.about, units={"single": tuple(_steps(recording, python))})


def write(path: Path, python: str) -> Path:
    """Write the script to a file, for `agent.scripted.script`."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(record(python)), indent=1))
    return path


def _steps(recording: Recording, python: str) -> Iterator[script.AnyStep]:
    used = Tokens(input=0, cached=0, output=0)
    for stage in recording.stage:
        share = stage.seconds / len(stage.says)
        for text in stage.says:
            yield script.Progress(text=text)
            yield script.Pause(seconds=share)
        for path in stage.files:
            yield from change(path)
        if stage.tests:
            yield script.Command(argv=(python, *TESTS))
        used = used.plus(stage.usage)
        yield _used(used, recording)
    yield script.Report(
        files=tuple(FileNote(path=path, purpose=purpose) for path, purpose in recording.purposes.items()),
        decisions=recording.decisions,
        deviations=recording.deviations,
    )


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


def change(path: str) -> list[script.AnyStep]:
    """The steps that bring one file of the sample to what it is in the feature."""
    new = (FEATURE / path).read_text(encoding="utf-8")
    present = SAMPLE / path
    pairs = patches(present.read_text(encoding="utf-8"), new) if present.exists() else None
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
