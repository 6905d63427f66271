"""What every adapter owes the engine, from what real programs said in each case of the fault matrix: no program needed.

`make record-agents` writes the recordings (`tests/golden/<agent>/<version>`); `expected.toml` beside them says, written
by hand, what is to come of each. The same cases are played with the programs themselves by `make test-agents`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from agent_expectations import GOLDEN, adapter_of, check, expected, has, left_out
from ropeteam import app
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent, Exit, Finish, Said, Task

NOW = 1_800_000_000.0
FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/*/endings.json"))
AGENTS = sorted({folder.parent.name for folder in FOLDERS})
ENDINGS: dict[Path, dict[str, Any]] = {
    folder: json.loads((folder / "endings.json").read_text(encoding="utf-8")) for folder in FOLDERS
}
RECORDED = [
    pytest.param(folder, case, id=f"{folder.parent.name}-{folder.name}-{case}")
    for folder in FOLDERS
    for case in ENDINGS[folder]
    if case not in left_out(folder.parent.name)
]
Stopped = Literal["asked", "stalled", "timeout", "auth"]


class Replay:
    """A recording brought back to where the adapter under test looks: its files, and its lines with these paths."""

    def __init__(self, folder: Path, case: str, world: Path) -> None:
        ending = ENDINGS[folder][case]
        text = (folder / f"{case}.jsonl").read_text(encoding="utf-8")
        self.lines = [line.encode() for line in text.replace("/attempt", str(world)).splitlines()]
        self.exit = Exit(code=ending["code"], signal=ending["signal"], stopped=ending["stopped"], seconds=2.0)
        self.agent = app.agent(adapter_of(folder.parent.name))
        self.task = a_task(world)
        for name, content in ending.get("files", {}).items():
            path = world / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace("/attempt", str(world)), encoding="utf-8")

    def hear(self, lines: list[bytes], exit: Exit) -> tuple[Finish, list[Said]]:
        conversation = self.agent.listen(self.task)
        said = [said for line in lines for said in conversation.parse(line)]
        return conversation.finish(exit, NOW), said


def a_task(world: Path, settings: AgentSettings | None = None) -> Task:
    tree, io = world / "tree", world / "io"
    for path in (tree, io):
        path.mkdir(parents=True, exist_ok=True)
    return Task(
        run="20260101-000000-x-0000",
        unit="single",
        attempt=1,
        kind="single",
        goal="Do it",
        feature="x",
        tree=tree,
        folder=io,
        shared_prompt="What all attempts of a run share. ünïcödé\n",
        own_prompt="What is particular to this attempt.\n",
        prompt_file=io / "prompt.md",
        report_file=io / "report.json",
        slot=0,
        deadline=1_900_000_000.0,
        settings=settings or AgentSettings(argv=("/opt/agent/program",), model="maker/model-1"),
    )


@pytest.fixture
def world(users_home: Path) -> Path:
    """The folder of an attempt, with the user's home in it; nothing of this machine's environment."""
    return users_home.parent


@pytest.fixture(params=AGENTS)
def agent(request: pytest.FixtureRequest) -> Agent:
    return app.agent(adapter_of(request.param))


@pytest.mark.parametrize("name", AGENTS)
def test_every_recording_is_expected_and_every_expectation_recorded(name: str) -> None:
    newest = max((folder for folder in FOLDERS if folder.parent.name == name), key=lambda folder: folder.name)

    assert set(expected(name)) == set(ENDINGS[newest]) - left_out(name).keys()


@pytest.mark.parametrize(("folder", "case"), RECORDED)
def test_outcome_and_evidence(folder: Path, case: str, world: Path) -> None:
    replay = Replay(folder, case, world)

    finish, said = replay.hear(replay.lines, replay.exit)

    check(folder.parent.name, case, finish, said)
    told = [one.usage.tokens for one in said if one.usage is not None]
    assert told == sorted(told), "usage is cumulative"
    if finish.outcome == "ok":
        assert finish.session or not has(folder.parent.name, "session")
        assert finish.usage.output > 0 or replay.agent.abilities.usage == "none"
        assert finish.usage.cost_usd > 0 or replay.agent.abilities.usage != "cost"


@pytest.mark.parametrize(("folder", "case"), RECORDED)
def test_a_stream_that_breaks_off_is_never_a_success(folder: Path, case: str, world: Path) -> None:
    replay = Replay(folder, case, world)

    for length in range(len(replay.lines)):
        finish, said = replay.hear(replay.lines[:length], Exit(code=0, seconds=2.0))
        if not any(one.kind == "end" for one in said):
            assert finish.outcome != "ok", f"the first {length} lines, then exit code 0"
        assert finish.evidence


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_success_is_not_believed_when_the_program_ended_badly(folder: Path, world: Path) -> None:
    replay = Replay(folder, "success", world)

    for exit in (Exit(code=3), Exit(code=None, signal=9), Exit(code=143), Exit(code=None)):
        assert replay.hear(replay.lines, exit)[0].outcome != "ok", exit
    assert replay.hear(replay.lines, Exit(code=None, signal=9))[0].outcome == "killed"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
@pytest.mark.parametrize("stopped", ["asked", "stalled", "timeout", "auth"])
def test_our_own_stop_is_never_a_success(folder: Path, stopped: Stopped, world: Path) -> None:
    replay = Replay(folder, "success", world)

    finish, _ = replay.hear(replay.lines[:2], Exit(code=0, stopped=stopped, seconds=61.0))

    assert finish.outcome == {"asked": "killed"}.get(stopped, stopped)
    assert "61 s" in finish.evidence


def test_an_end_that_nobody_saw_is_unknown(agent: Agent, world: Path) -> None:
    assert agent.listen(a_task(world)).finish(Exit(code=None), NOW).outcome == "unknown"


def test_what_is_built_can_be_started_as_it_is(agent: Agent, world: Path) -> None:
    task = a_task(world)

    launch = agent.build(task)

    assert launch.argv
    assert all(part and "\0" not in part for part in launch.argv)
    assert all(Path(path).is_relative_to(task.folder) for path in launch.files), "it writes nothing outside its folder"
    assert launch.files[str(task.prompt_file)] == task.shared_prompt + task.own_prompt
    whole = "".join([*launch.argv, launch.stdin, *launch.files.values()])
    assert task.own_prompt.strip() in whole
    assert agent.build(task) == launch, "the same task gives the same start"
    assert not set(launch.env) & set(launch.pass_env)
    assert list(task.tree.iterdir()) == [], "building starts and writes nothing"


def test_settings_reach_the_environment(agent: Agent, world: Path) -> None:
    task = a_task(world, AgentSettings(argv=("/opt/agent/program",), model="maker/model-1", env={"MY_OWN": "1"}))

    assert agent.build(task).env["MY_OWN"] == "1"


def test_a_program_that_is_not_there_is_said_so(agent: Agent, world: Path) -> None:
    settings = AgentSettings(argv=(str(world / "nowhere"),))

    probe = agent.probe(settings, {"PATH": "/usr/bin:/bin", "HOME": str(world / "home")})

    assert probe.problem
    assert probe.hint
    assert probe.name == agent.name


def test_what_it_can_do_is_told(agent: Agent) -> None:
    assert msgspec.structs.asdict(agent.abilities)
    assert agent.report_by in ("file", "structured")
