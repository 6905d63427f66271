"""A running attempt is followed with a clock that the test moves, and ended when it must be ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from ropeteam import git, process, sandbox
from ropeteam.agents.command import CommandAgent
from ropeteam.checks import CommandCheck
from ropeteam.context import RunContext
from ropeteam.core import events as ev
from ropeteam.core.model import Answers, Feature, RepoFacts
from ropeteam.core.settings import AgentSettings, Limits, Settings
from ropeteam.following import Follower
from ropeteam.ports import Exit, Finish, Task
from ropeteam.testing.clock import ManualClock

RUN = "20261122-101530-checkout-7f3a"


class Attempt:
    """One program under a follower. Its folders are those of an attempt; there is no repository behind it."""

    def __init__(self, folder: Path, program: str, limits: Limits) -> None:
        self.clock = ManualClock()
        self.events: list[ev.AnyEvent] = []
        self.told: list[str] = []
        self.kept = 0
        self.asked = ""
        settings = Settings(limits=limits, agents={"command": AgentSettings(argv=("x",))})
        repo = RepoFacts(
            top="/r", common_dir="/r/.git", branch="main", head="b", base="b", user_name="U", user_email="u@e"
        )
        self.context = RunContext(
            started=ev.RunStarted(
                run=RUN,
                feature=Feature(name="checkout", source="stdin"),
                repo=repo,
                settings=settings,
                answers=Answers(agent="command"),
            ),
            repo=cast(git.Repo, None),
            store=cast(git.Store, None),
            agent=CommandAgent(),
            agents=lambda _name: CommandAgent(),
            clock=self.clock,
            folder=folder,
            lock_fd=-1,
            sandbox=sandbox.Availability(ok=False),
            env={},
            checks=CommandCheck,
            tell=lambda _attempt, text: self.told.append(text),
        )
        base = folder / "single-1"
        for part in ("io", "log", "tree"):
            (base / part).mkdir(parents=True)
        self.child = process.launch(
            process.Spec(
                argv=(sys.executable, "-u", "-c", program),
                env={"PATH": "/usr/bin:/bin"},
                cwd=str(base / "tree"),
                folder=str(base / "log"),
                grace_seconds=0.2,
            )
        )
        task = Task(
            run=RUN,
            unit="single",
            attempt=1,
            kind="single",
            goal="g",
            feature="checkout",
            tree=base / "tree",
            folder=base / "io",
            shared_prompt="",
            own_prompt="",
            prompt_file=base / "io" / "prompt.md",
            report_file=base / "io" / "report.json",
            slot=0,
            deadline=0.0,
        )
        command = ev.RunAgent(
            attempt="single/1", unit="single", kind="single", start="b", base="b", seconds=limits.attempt_seconds
        )
        self.follower = Follower(
            self.context,
            command,
            task,
            self.child,
            self.events.append,
            self.clock.now(),
            asked=lambda: self.asked,
            keep=self._keep,
            tree=base / "tree",
        )

    def _keep(self) -> None:
        self.kept += 1

    def follow(self, meanwhile: Callable[[Attempt], Awaitable[None]]) -> tuple[Exit, Finish]:
        async def both() -> tuple[Exit, Finish]:
            following = asyncio.ensure_future(self.follower.until_it_ends())
            await meanwhile(self)
            return await asyncio.wait_for(following, 60)

        return asyncio.run(both())

    async def until(self, condition: Callable[[], bool]) -> None:
        async def look() -> None:
            while not condition():
                await asyncio.sleep(0)  # the follower's own waiting lets time pass

        await asyncio.wait_for(look(), 30)


Start = Callable[..., Attempt]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Attempt] = []

    def begin(program: str, **limits: float) -> Attempt:
        made.append(Attempt(tmp_path / "run", program, Limits(**limits)))  # type: ignore[arg-type]
        return made[-1]

    yield begin
    for attempt in made:
        attempt.child.kill()
        assert not attempt.child.alive()


WAITS = "import time\nprint('here')\ntime.sleep(600)\n"


def test_silence_ends_it(start: Start) -> None:
    async def silence(attempt: Attempt) -> None:
        await attempt.clock.advance(599.0)
        await attempt.clock.advance(300.0)

    exit, finish = start(WAITS, stall_seconds=600.0).follow(silence)
    assert exit.stopped == "stalled"
    assert finish.outcome == "stalled"


def test_its_time_limit_ends_it(start: Start) -> None:
    async def pass_time(attempt: Attempt) -> None:
        await attempt.clock.advance(101.0)

    exit, finish = start(WAITS, attempt_seconds=100.0).follow(pass_time)
    assert (exit.stopped, finish.outcome) == ("timeout", "timeout")
    assert exit.signal or exit.code


def test_output_is_a_sign_of_life(start: Start) -> None:
    """Each line comes only after time was let pass, by a file that the program waits for."""
    program = """
import pathlib, time
for n in range(3):
    while not pathlib.Path(f"go-{n}").exists():
        time.sleep(0.01)
    print('{"event": "progress", "text": "step %d"}' % n)
"""
    attempt = start(program, stall_seconds=100.0)

    async def in_steps(attempt: Attempt) -> None:
        tree = attempt.context.folder / "single-1" / "tree"
        for n in range(3):
            await attempt.clock.advance(90.0)
            (tree / f"go-{n}").touch()
            await attempt.until(lambda n=n: f"step {n}" in attempt.told)  # type: ignore[misc]

    exit, finish = attempt.follow(in_steps)
    assert (exit.stopped, exit.code, finish.outcome) == ("", 0, "ok")


def test_the_user_asks_it_to_stop(start: Start) -> None:
    async def ask(attempt: Attempt) -> None:
        attempt.asked = "cancel"

    exit, finish = start(WAITS).follow(ask)
    assert (exit.stopped, finish.outcome) == ("asked", "killed")


def test_its_work_is_kept_now_and_then(start: Start) -> None:
    attempt = start(WAITS, snapshot_seconds=50.0, stall_seconds=10_000.0)

    async def pass_time(attempt: Attempt) -> None:
        for n in range(3):
            await attempt.clock.advance(51.0)
            await attempt.until(lambda n=n: attempt.kept == n + 1)  # type: ignore[misc]
        attempt.asked = "cancel"

    attempt.follow(pass_time)
    assert attempt.kept == 3


def test_a_context_that_fills_up_is_journalled_at_once(start: Start) -> None:
    """It is a reason to fall back while the attempt runs, and not when it is over."""
    program = """
import time
for used in (10, 20, 170_000):
    print('{"event": "usage", "input": %d, "context_used": %d, "context_limit": 200000}' % (used, used), flush=True)
time.sleep(600)
"""
    attempt = start(program)

    async def pass_time(attempt: Attempt) -> None:
        await attempt.until(lambda: bool(attempt.events))
        attempt.asked = "cancel"

    attempt.follow(pass_time)
    (event,) = attempt.events
    assert isinstance(event, ev.UsageReported)
    assert event.usage.context_used == 170_000


def test_usage_is_journalled_when_time_has_passed(start: Start) -> None:
    program = """
import time
print('{"event": "usage", "input": 10, "output": 2, "cost_usd": 0.5}')
time.sleep(600)
"""
    attempt = start(program)

    async def pass_time(attempt: Attempt) -> None:
        await attempt.until(lambda: attempt.follower.usage.input == 10)
        assert attempt.events == []
        await attempt.clock.advance(11.0)
        await attempt.until(lambda: bool(attempt.events))
        attempt.asked = "cancel"

    attempt.follow(pass_time)
    (event,) = attempt.events
    assert isinstance(event, ev.UsageReported)
    assert (event.usage.input, event.usage.cost_usd) == (10, 0.5)
