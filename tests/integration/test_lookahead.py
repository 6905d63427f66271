"""Conflicts between attempts that still run are seen early, told once, and cost nothing else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from git_world import World, world

from repositories import write_files
from ropeteam import process, sandbox
from ropeteam.agents.command import CommandAgent
from ropeteam.checks import CommandCheck
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.model import Answers, Feature
from ropeteam.core.settings import AgentSettings, Limits, Merge, Settings
from ropeteam.following import Follower
from ropeteam.lookahead import Lookahead
from ropeteam.ports import Task
from ropeteam.testing.clock import ManualClock

pytestmark = pytest.mark.usefixtures("users_home")

LINES = "".join(f"line {number}\n" for number in range(20))


def context(w: World, clock: ManualClock | None = None, told: list[str] | None = None) -> RunContext:
    settings = Settings(
        merge=Merge(union=("*.md",)),
        limits=Limits(grace_seconds=0.2),
        agents={"command": AgentSettings(argv=("x",))},
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
        agents=lambda _name: CommandAgent(),
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


def test_what_the_journal_has_is_not_told_again(tmp_path: Path) -> None:
    here = Looking(tmp_path)
    here.ahead.was_told([ev.ConflictForeseen(attempt="one/1", other="two/1", paths=("a.txt",))])
    here.write("one/1", {"a.txt": "one\n"})
    here.write("two/1", {"a.txt": "two\n"})
    assert here.look("two/1") == []


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
import pathlib, sys, time
pathlib.Path("a.txt").write_text(sys.argv[1])
time.sleep(600)
"""


class Unit:
    """A unit at work on `a.txt`: a real process in a tree of its own, followed."""

    def __init__(self, here: Looking, c: RunContext, unit: str) -> None:
        self.w, self.ahead = here.w, here.ahead
        self.id = f"{unit}/1"
        self.tree = here.w.tree()
        self.written = f"{unit}\n"
        self.events: list[ev.AnyEvent] = []
        self.asked = ""
        self.snapshots = 0
        folder = c.attempt_folder(self.id)
        for part in ("io", "log"):
            (folder / part).mkdir(parents=True)
        self.child = process.launch(
            process.Spec(
                argv=(sys.executable, "-c", PROGRAM, self.written),
                env={"PATH": "/usr/bin:/bin"},
                cwd=str(self.tree.path),
                folder=str(folder / "log"),
                grace_seconds=0.2,
            )
        )
        task = Task(
            run=c.run,
            unit=unit,
            attempt=1,
            kind="unit",
            goal="g",
            feature="checkout",
            tree=self.tree.path,
            folder=folder / "io",
            shared_prompt="",
            own_prompt="",
            prompt_file=folder / "io" / "prompt.md",
            report_file=folder / "io" / "report.json",
            slot=0,
            deadline=0.0,
        )
        self.follower = Follower(
            c,
            ev.RunAgent(attempt=self.id, unit=unit, kind="unit", start=here.w.base, base=here.w.base, seconds=1e6),
            task,
            self.child,
            self.events.append,
            c.clock.now(),
            asked=lambda: self.asked,
            keep=self._keep,
            look=lambda: self.ahead.look(self.id),
            tree=self.tree.path,
        )

    def _keep(self) -> None:
        with self.child.frozen():
            commit = self.w.snapshot(self.tree, self.id).commit
        self.ahead.saw(self.id, self.w.base, commit)
        self.snapshots += 1

    def has_written(self) -> bool:
        return (self.tree.path / "a.txt").read_text() == self.written


def follow(here: Looking, enough: Callable[[list[Unit]], bool], told: list[str]) -> list[Unit]:
    """Two units change the same lines; a minute passes; when it is enough they are stopped."""
    clock = ManualClock()
    c = context(here.w, clock, told)
    units = [Unit(here, c, name) for name in ("02-models", "03-api")]

    async def both() -> None:
        ending = asyncio.gather(*(unit.follower.until_it_ends() for unit in units))

        async def until(condition: Callable[[], bool]) -> None:
            async with asyncio.timeout(60):
                while not condition():
                    assert not ending.done()
                    await asyncio.sleep(0)  # the followers' own waiting lets time pass

        await until(lambda: all(unit.has_written() for unit in units))
        await clock.advance(61.0)
        await until(lambda: enough(units))
        for unit in units:
            unit.asked = "cancel"
        for exit, finish in await asyncio.wait_for(ending, 60):
            assert (exit.stopped, finish.outcome) == ("asked", "killed")

    try:
        asyncio.run(both())
    finally:
        for unit in units:
            unit.child.kill()
    return units


def test_units_at_work_are_compared_every_minute(tmp_path: Path) -> None:
    units = follow(Looking(tmp_path), lambda units: any(unit.events for unit in units), [])
    (event,) = [event for unit in units for event in unit.events]
    assert isinstance(event, ev.ConflictForeseen)
    assert {event.attempt, event.other} == {"02-models/1", "03-api/1"}
    assert event.paths == ("a.txt",)


def test_a_look_that_fails_costs_nothing_but_the_look(tmp_path: Path) -> None:
    here = Looking(tmp_path)
    here.tip = "0" * 40  # no commit
    told: list[str] = []
    units = follow(here, lambda _: sum("could not be compared" in text for text in told) == 2, told)
    assert [(unit.snapshots, unit.events) for unit in units] == [(1, []), (1, [])]
