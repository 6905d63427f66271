"""One case of the matrix with a real program, from `build` to `finish`, under the wrapper, as the engine does it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from agent_worlds import World, fingerprint, make
from cases import Case
from rigs import Rig

from ropeteam import process, sandbox
from ropeteam.core.settings import Limits
from ropeteam.ports import Conversation, Exit, Finish, Launch, Said, Task
from ropeteam.testing.model_server import ModelServer, Reading, Request

NOW = 1_800_000_000.0
NOBODY = "http://127.0.0.1:9"
"""Port 9 ("discard") is closed on any machine of our time."""
GRACE_SECONDS = 5.0
STARTED_SECONDS = 120.0
STALL_SECONDS = Limits().stall_seconds


@dataclass(frozen=True)
class Played:
    """What came of a case. ending: how the program ended. stop_seconds: from being asked to stop to its end. before,
    after: of the user's own configuration. left: processes that were still there. errors: its error output."""

    world: World
    task: Task
    launch: Launch
    lines: list[bytes]
    said: list[Said]
    ending: Exit
    finish: Finish
    requests: list[Request]
    reading: Reading
    before: dict[str, str]
    after: dict[str, str]
    left: list[int]
    errors: str
    stop_seconds: float = 0.0


def a_task(world: World, rig: Rig, case: Case, url: str) -> Task:
    return Task(
        run="20260101-000000-x-0000",
        unit="single",
        attempt=1,
        kind="single",
        goal="Do it",
        feature="x",
        tree=world.tree,
        folder=world.io,
        shared_prompt="What all attempts of a run share.\n" * 20,
        own_prompt="What is particular to this attempt.\n",
        prompt_file=world.io / "prompt.md",
        report_file=world.io / "report.json",
        slot=0,
        deadline=1_900_000_000.0,
        turns=case.turns,
        budget_usd=case.budget_usd,
        settings=rig.settings(url),
    )


def play(rig: Rig, name: str, case: Case, folder: Path, server: ModelServer) -> Played:
    """Run it in `folder`, which is to be empty. The server is given the script under `name`."""
    url = NOBODY if case.refused else server.base_url(name)
    world = make(folder, rig.home(url))
    process.run(["git", "init", "-q", "."], cwd=world.tree, env={"PATH": os.environ["PATH"], "HOME": str(world.home)})
    before = fingerprint(world.home, rig.configuration)
    task = a_task(world, rig, case, url)
    faults = list(case.faults)
    if rig.asks_once:
        faults = [fault for fault in faults if fault is not None]
    turns, tree = rig.turns(case.steps, task), str(world.tree)
    server.script(name, turns, faults, forever=case.forever, directory=tree, every=rig.every)
    caller = world.caller(rig.caller(url, key=case.key))
    agent = rig.agent(caller)
    launch = agent.build(task)
    for path, text in launch.files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    child = process.launch(
        process.Spec(
            argv=launch.argv,
            env=sandbox.environment(caller, launch.env, launch.pass_env),
            cwd=str(task.tree),
            folder=str(world.log),
            stdin=launch.stdin,
            grace_seconds=GRACE_SECONDS,
        )
    )
    listening = _Listening(agent.listen(task), world.log)
    try:
        stopped, stop_seconds = _wait(child, case, name, server, listening, rig.asks_once)
    finally:
        child.kill()
    left = process.sweep(world.tree)
    ended = process.ended(world.log)
    assert ended is not None, (world.log / "wrapper.err").read_text()
    listening.hear(last=True)
    ending = Exit(code=ended.code, signal=ended.signal, stopped=stopped, seconds=round(ended.seconds, 1))  # type: ignore[arg-type]
    return Played(
        world=world,
        task=task,
        launch=launch,
        lines=listening.lines,
        said=listening.said,
        ending=ending,
        finish=listening.conversation.finish(ending, NOW),
        requests=server.requests(name),
        reading=server.reading(name),
        before=before,
        after=fingerprint(world.home, rig.configuration),
        left=left,
        errors=b"\n".join(process.Tail(world.log, "err").read(last=True)).decode(errors="replace"),
        stop_seconds=stop_seconds,
    )


class _Listening:
    """Takes in what the program says while it runs."""

    def __init__(self, conversation: Conversation, log: Path) -> None:
        self.conversation = conversation
        self.lines: list[bytes] = []
        self.said: list[Said] = []
        self._tail = process.Tail(log)

    def hear(self, *, last: bool = False) -> list[Said]:
        lines = self._tail.read(100_000, last=last)
        new = [said for line in lines for said in self.conversation.parse(line)]
        self.lines += lines
        self.said += new
        return new


def _wait(
    child: process.Child, case: Case, name: str, server: ModelServer, listening: _Listening, once: bool
) -> tuple[str, float]:
    """Until it has ended. Why we stopped it, empty if we did not, and how long that took."""
    if case.stop or case.signal:
        server.wait_for_request(name, 1 if once else 2, seconds=STARTED_SECONDS)
        if case.stop:
            return case.stop, _stop(child)
        os.kill(_program(child), case.signal)
    until = time.monotonic() + case.seconds
    while asyncio.run(process.wait(child, 0.1)) is None and child.alive():
        new = listening.hear()
        if any(said.kind == "retry" and said.status in (401, 403) for said in new):
            return "auth", _stop(child)  # as the engine does it: the next tries would be refused, too
        if any(said.kind == "retry" and said.seconds > STALL_SECONDS for said in new):
            return "stalled", _stop(child)  # likewise: it would be, in the middle of a wait that is known already
        if time.monotonic() > until:
            return "stalled", _stop(child)
    return "", 0.0


def _stop(child: process.Child) -> float:
    began = time.monotonic()
    child.stop()
    asyncio.run(process.wait(child, GRACE_SECONDS + 30.0))
    return time.monotonic() - began


def _program(child: process.Child) -> int:
    """The program itself, the only child of its wrapper at first."""
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    return int(children[0])


def name_of(number: int) -> str:
    return signal.Signals(number).name if number else ""
