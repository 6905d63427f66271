"""Conflicts between attempts that still run are seen early, told once, and cost nothing else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from git_world import World, world

from repositories import write_files
from ropeteam import sandbox
from ropeteam.agents.command import CommandAgent
from ropeteam.attempts import Attempts
from ropeteam.checks import CommandCheck
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.model import Answers, Feature
from ropeteam.core.settings import AgentSettings, Limits, Merge, Settings
from ropeteam.core.state import RunState
from ropeteam.lookahead import Lookahead
from ropeteam.testing.clock import ManualClock

pytestmark = pytest.mark.usefixtures("users_home")

LINES = "".join(f"line {number}\n" for number in range(20))


def context(w: World, program: str = "", clock: ManualClock | None = None, told: list[str] | None = None) -> RunContext:
    settings = Settings(
        merge=Merge(union=("*.md",)),
        limits=Limits(grace_seconds=0.2),
        agents={"command": AgentSettings(argv=(sys.executable, "-u", "-c", program))},
    )
    return RunContext(
        started=ev.RunStarted(
            run="run-1",
            feature=Feature(name="checkout", source="stdin"),
            repo=w.facts,
            settings=settings,
            answers=Answers(agent="command"),
        ),
        repo=w.repo,
        store=w.store,
        agent=CommandAgent(),
        clock=clock or ManualClock(),
        folder=w.folder / "run",
        lock_fd=-1,
        sandbox=sandbox.Availability(ok=False),
        env={"PATH": "/usr/bin:/bin"},
        checks=CommandCheck,
        tell=lambda _attempt, text: told.append(text) if told is not None else None,
    )


class Looking:
    """Trees of attempts, and what the look at them says."""

    def __init__(self, tmp_path: Path) -> None:
        self.w = world(tmp_path, {"a.txt": LINES, "b.txt": LINES, "notes.md": "0\n", "yarn.lock": "0\n"})
        self.tip = ""
        self.ahead = Lookahead(context(self.w), lambda: self.tip)

    def write(self, attempt: str, files: dict[str, str | bytes], base: str | None = None) -> None:
        start = base or self.w.base
        tree = self.w.tree(start)
        write_files(tree.path, files)
        self.ahead.saw(attempt, start, self.w.snapshot(tree, attempt, start=start).commit)

    def look(self, attempt: str) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(one.attempt, one.other, one.paths) for one in self.ahead.look(attempt)]


def test_a_conflict_is_told_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    here = Looking(tmp_path)
    here.write("one/1", {"a.txt": "one\n"})
    assert here.look("one/1") == []
    here.write("two/1", {"a.txt": "two\n"})
    assert here.look("two/1") == [("two/1", "one/1", ("a.txt",))]
    assert here.look("one/1") == []
    here.write("one/1", {"a.txt": "one again\n"})
    assert here.look("one/1") == []
    here.write("one/1", {"a.txt": "one again\n", "b.txt": "one\n"})
    here.write("two/1", {"a.txt": "two\n", "b.txt": "two\n"})
    assert here.look("one/1") == [("one/1", "two/1", ("a.txt", "b.txt"))]


def test_what_merges_by_itself_and_who_has_ended_is_not_told(tmp_path: Path) -> None:
    here = Looking(tmp_path)
    both = {"notes.md": "{}\n", "yarn.lock": "{}\n", "a.txt": LINES.replace("line 2\n", "line {}\n")}
    here.write("one/1", {path: text.format("one") for path, text in both.items()})
    here.write("two/1", {path: text.format("two") for path, text in both.items()})
    assert here.look("one/1") == [("one/1", "two/1", ("a.txt",))]
    here.ahead.forget("one/1")
    here.write("two/1", {"a.txt": "other\n"})
    assert here.look("two/1") == []
    assert here.look("one/1") == []


def test_what_is_merged_already_counts_once(tmp_path: Path) -> None:
    """The conflict of an early attempt with a checkpoint is not told again of each attempt that began on it."""
    here = Looking(tmp_path)
    here.write("one/1", {"a.txt": "one\n"})
    here.tip = here.w.result({"a.txt": "merged\n"}, "zero/1")
    assert here.look("one/1") == [("one/1", "integration", ("a.txt",))]
    here.write("two/1", {"b.txt": "two\n"}, here.tip)
    assert here.look("two/1") == []
    here.write("one/1", {"a.txt": "one\n", "b.txt": "one\n"})
    assert here.look("one/1") == [("one/1", "two/1", ("b.txt",))]


PROGRAM = """
import json, os, pathlib, time
task = json.loads(pathlib.Path(os.environ["ROPETEAM_TASK"]).read_text())
pathlib.Path("a.txt").write_text(task["unit"])
time.sleep(600)
"""


class Running:
    """Two units at work on the same lines, as real processes, with a clock that the test moves."""

    def __init__(self, tmp_path: Path, integration: str) -> None:
        w = world(tmp_path, {"a.txt": LINES})
        self.clock = ManualClock()
        self.told: list[str] = []
        self.events: list[ev.AnyEvent] = []
        self.c = context(w, PROGRAM, self.clock, self.told)
        self.attempts = Attempts(self.c, integration=lambda: integration)
        self.commands = [
            ev.RunAgent(attempt=f"{unit}/1", unit=unit, kind="unit", start=w.base, base=w.base, seconds=100_000.0)
            for unit in ("02-models", "03-api")
        ]

    def run(self, enough: Callable[[], bool]) -> list[ev.AnyEvent]:
        """Let time pass until it is enough, then stop them; what came of them."""

        async def both() -> list[ev.AnyEvent]:
            running = [self.attempts.perform(one, RunState(), self.events.append) for one in self.commands]
            ending = asyncio.gather(*running)
            await self._until(lambda: all(self._has_written(one) for one in self.commands), ending)
            await self.clock.advance(61.0)
            await self._until(enough, ending)
            for one in self.commands:
                self.attempts.stop(one, "cancel")
            return await asyncio.wait_for(ending, 60)

        return asyncio.run(both())

    async def _until(self, condition: Callable[[], bool], ending: asyncio.Future[list[ev.AnyEvent]]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                assert not ending.done(), ending
                await asyncio.sleep(0.01)

    def _has_written(self, command: ev.RunAgent) -> bool:
        path = self.c.attempt_folder(command.attempt) / "tree" / self.c.repo.top.name / "a.txt"
        return path.is_file() and path.read_text() == command.unit


def test_units_at_work_are_compared(tmp_path: Path) -> None:
    running = Running(tmp_path, "")

    def foreseen() -> list[ev.AnyEvent]:
        return [event for event in running.events if isinstance(event, ev.ConflictForeseen)]

    ends = running.run(lambda: bool(foreseen()))
    (event,) = foreseen()
    assert isinstance(event, ev.ConflictForeseen)
    assert {event.attempt, event.other} == {"02-models/1", "03-api/1"}
    assert event.paths == ("a.txt",)
    assert [type(end) for end in ends] == [ev.AttemptFailed, ev.AttemptFailed]


def test_a_look_that_fails_costs_nothing_but_the_look(tmp_path: Path) -> None:
    running = Running(tmp_path, "0" * 40)
    ends = running.run(lambda: sum("could not be compared" in text for text in running.told) >= 2)
    for end in ends:
        assert isinstance(end, ev.AttemptFailed)
        assert end.result.commit is not None
        assert end.outcome == "killed"
    assert not [event for event in running.events if isinstance(event, ev.ConflictForeseen)]
