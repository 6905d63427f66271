"""What every adapter owes the engine, checked on each with real programs: `ropeteam.ports.Agent`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam import app
from ropeteam.agents.claude import ClaudeAgent, bundled
from ropeteam.agents.command import CommandAgent
from ropeteam.agents.scripted import ScriptedAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Agent, Exit, Finish, Launch, Said, Task
from ropeteam.testing.model_server import (
    ModelServer,
    Shell,
    Status,
    StructuredReport,
    Turn,
    WriteFile,
)

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
NOTE = {"path": "app/new.py", "purpose": "the new module"}
DECISION = {"decision": "one module", "rationale": "it is small"}
DEVIATION = {"what": "no cache", "why": "not needed"}
REQUEST = {"path": "./app/routes.py", "what": "register new.router"}

PROGRAM = """
import json, os, signal, sys
task = json.load(open(os.environ["ROPETEAM_TASK"]))
assert sys.stdin.read() == open(task["prompt_file"]).read()
what = sys.argv[1]
if what == "crash":
    sys.exit(3)
if what == "signal":
    os.kill(os.getpid(), signal.SIGKILL)
if what == "nothing":
    sys.exit(0)
if what == "garbled":
    open(task["report_file"], "w").write('{"files": 3}')
    sys.exit(0)
os.makedirs("app")
open("app/new.py", "w").write("x = 1\\n")
print("just a word")
print(json.dumps({"event": "progress", "text": "writing"}))
print(json.dumps({"event": "usage", "input": 10, "output": 1}))
print(json.dumps({"event": "usage", "input": 20, "cached": 5, "output": 3, "cost_usd": 0.25}))
json.dump(REPORT, open(task["report_file"], "w"))
"""


class Rig(Protocol):
    """An adapter together with the means to have its program behave as asked."""

    agent: Agent

    def prepare(self, behaviour: str) -> tuple[AgentSettings, dict[str, str]]:
        """Settings for the task, and further variables of its environment."""
        ...


class CommandRig:
    def __init__(self, folder: Path) -> None:
        self.agent = CommandAgent()
        report = {"files": [NOTE], "decisions": [DECISION], "deviations": [DEVIATION], "requests": [REQUEST]}
        self._program = folder / "agent.py"
        self._program.write_text(PROGRAM.replace("REPORT", repr(report)))

    def prepare(self, behaviour: str) -> tuple[AgentSettings, dict[str, str]]:
        return AgentSettings(argv=(sys.executable, str(self._program), behaviour)), {}


class ScriptedRig:
    def __init__(self, folder: Path) -> None:
        self.agent = ScriptedAgent()
        self._script = folder / "play.json"

    def prepare(self, behaviour: str) -> tuple[AgentSettings, dict[str, str]]:
        good = [
            {"do": "write", "path": "app/new.py", "content": "x = 1\n"},
            {"do": "pause", "seconds": 10},
            {"do": "progress", "text": "writing"},
            {"do": "usage", "input": 20, "cached": 5, "output": 3, "cost_usd": 0.25},
            {
                "do": "report",
                "files": [NOTE],
                "decisions": [DECISION],
                "deviations": [DEVIATION],
                "requests": [REQUEST],
            },
        ]
        plays = {
            "good": good,
            "nothing": [],
            "crash": [{"do": "exit", "code": 3}],
            "signal": [{"do": "signal", "number": 9}],
            "garbled": [*good, {"do": "garbled_report"}],
        }
        self._script.write_text(json.dumps({"units": {"single": plays[behaviour]}}))
        return AgentSettings(script=str(self._script), time_scale=1000), {}


class ClaudeRig:
    """The real program against the loopback model."""

    def __init__(self, folder: Path, server: ModelServer) -> None:
        self.agent = ClaudeAgent()
        self._server = server
        self._home = folder / "home"
        self._home.mkdir()

    def prepare(self, behaviour: str) -> tuple[AgentSettings, dict[str, str]]:
        empty = {"files": [], "decisions": [], "deviations": []}
        full = {"files": [NOTE], "decisions": [DECISION], "deviations": [DEVIATION], "requests": [REQUEST]}
        write = Turn(text="Writing.", calls=(WriteFile(path="app/new.py", content="x = 1\n"),))
        plays = {
            "good": [write, Turn(calls=(StructuredReport(content=full),))],
            "nothing": [Turn(text="There is nothing to do.", calls=(StructuredReport(content=empty),))],
            "crash": [],
            "signal": [Turn(calls=(Shell(command="kill -9 $PPID"),))],
            "garbled": [Turn(calls=(StructuredReport(content={"files": 3}),))] * 10,
        }
        faults = [Status(status=400)] if behaviour == "crash" else []
        self._server.script(behaviour, plays[behaviour], faults, forever=True)
        env = {
            "HOME": str(self._home),
            "TMPDIR": str(self._home),
            "ANTHROPIC_API_KEY": "dummy",
            "ANTHROPIC_BASE_URL": self._server.base_url(behaviour),
        }
        return AgentSettings(argv=(str(bundled()),), model="claude-sonnet-4-5"), env


@pytest.fixture(params=["command", "scripted", "claude"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "command":
        yield CommandRig(tmp_path)
    elif request.param == "scripted":
        yield ScriptedRig(tmp_path)
    elif bundled() is None:
        pytest.skip("the package claude-agent-sdk, which brings claude along, is not installed")
    else:
        with ModelServer() as server:
            yield ClaudeRig(tmp_path, server)


def a_task(tmp_path: Path, settings: AgentSettings) -> Task:
    tree, folder = tmp_path / "tree", tmp_path / "io"
    tree.mkdir()
    folder.mkdir()
    return Task(
        run="20260101-000000-x-0000",
        unit="single",
        attempt=1,
        kind="single",
        goal="Do it",
        feature="x",
        tree=tree,
        folder=folder,
        shared_prompt="What all share. ünïcödé\n",
        own_prompt="What is particular.\n",
        prompt_file=folder / "prompt.md",
        report_file=folder / "report.json",
        slot=0,
        deadline=1_900_000_000.0,
        settings=settings,
    )


def perform(rig: Rig, behaviour: str, tmp_path: Path) -> tuple[Finish, list[Said], Task, Launch]:
    """One attempt from `build` to `finish`, as the engine does it."""
    chosen, more = rig.prepare(behaviour)
    task = a_task(tmp_path, chosen)
    launch = rig.agent.build(task)
    for path, text in launch.files.items():
        Path(path).write_text(text, encoding="utf-8")
    done = subprocess.run(
        launch.argv,
        cwd=task.tree,
        env={**ENVIRONMENT, **launch.env, **more},
        input=launch.stdin.encode(),
        capture_output=True,
        timeout=60,
        start_new_session=True,
    )
    conversation = rig.agent.listen(task)
    said = [said for line in done.stdout.splitlines() for said in conversation.parse(line)]
    exit = Exit(code=done.returncode if done.returncode >= 0 else None, signal=max(0, -done.returncode), seconds=1.5)
    return conversation.finish(exit, 1_800_000_000.0), said, task, launch


def test_a_good_run_brings_report_usage_and_progress(rig: Rig, tmp_path: Path) -> None:
    finish, said, task, _ = perform(rig, "good", tmp_path)

    assert finish.outcome == "ok", finish.evidence
    assert (task.tree / "app/new.py").read_text() == "x = 1\n"
    assert [(note.path, note.purpose) for note in finish.report.files] == [("app/new.py", "the new module")]
    assert [(note.decision, note.rationale) for note in finish.report.decisions] == [("one module", "it is small")]
    assert [(note.what, note.why) for note in finish.report.deviations] == [("no cache", "not needed")]
    assert [(note.path, note.what) for note in finish.report.requests] == [("app/routes.py", "register new.router")]
    assert finish.usage.input > 0
    assert finish.usage.cached > 0
    assert finish.usage.output > 0
    assert finish.usage.cost_usd > 0
    told = [one.usage for one in said if one.usage is not None]
    assert told, "usage is told while it runs"
    assert [usage.tokens for usage in told] == sorted(usage.tokens for usage in told), "and is cumulative"
    assert any(one.kind in ("text", "tool") and one.text for one in said)
    assert not [one for one in said if one.kind == "garbled"]


def test_what_is_built_can_be_started_as_it_is(rig: Rig, tmp_path: Path) -> None:
    settings, _ = rig.prepare("good")
    task = a_task(tmp_path, settings)
    launch = rig.agent.build(task)

    assert launch.argv
    assert all(isinstance(part, str) and part and "\0" not in part for part in launch.argv)
    assert all(Path(path).parent == task.folder for path in launch.files), "it writes nothing outside its folder"
    assert launch.files[str(task.prompt_file)] == task.shared_prompt + task.own_prompt
    assert task.own_prompt in launch.stdin
    assert rig.agent.build(task) == launch, "the same task gives the same start"
    assert not set(launch.env) & set(launch.pass_env)
    assert list(task.tree.iterdir()) == [], "building starts and writes nothing"


def test_settings_reach_the_environment(rig: Rig, tmp_path: Path) -> None:
    settings, _ = rig.prepare("good")
    given = AgentSettings(argv=settings.argv, script=settings.script, env={"MY_OWN": "1"})

    assert rig.agent.build(a_task(tmp_path, given)).env["MY_OWN"] == "1"


def test_a_run_without_a_change_is_the_agents_word_only(rig: Rig, tmp_path: Path) -> None:
    finish, _, task, _ = perform(rig, "nothing", tmp_path)

    assert finish.outcome == "ok", "that nothing was changed is found in the tree, not by the adapter"
    assert finish.report.files == ()
    assert list(task.tree.iterdir()) == []


def test_a_crash_is_told_with_its_numbers(rig: Rig, tmp_path: Path) -> None:
    finish, *_ = perform(rig, "crash", tmp_path)

    assert finish.outcome == "crashed"
    assert any(character.isdigit() for character in finish.evidence)


def test_death_by_a_signal_is_told(rig: Rig, tmp_path: Path) -> None:
    finish, *_ = perform(rig, "signal", tmp_path)

    assert finish.outcome == "killed"
    assert signal.Signals.SIGKILL.name in finish.evidence


def test_a_garbled_report_is_corruption(rig: Rig, tmp_path: Path) -> None:
    finish, *_ = perform(rig, "garbled", tmp_path)

    assert finish.outcome == "corrupted"
    assert "report" in finish.evidence
    assert finish.report.files == ()


@pytest.mark.parametrize("stopped", ["asked", "stalled", "timeout", "auth"])
def test_our_own_stop_is_never_a_success(rig: Rig, tmp_path: Path, stopped: str) -> None:
    settings, _ = rig.prepare("good")
    conversation = rig.agent.listen(a_task(tmp_path, settings))
    exit = Exit(code=0, stopped=stopped, seconds=61.0)  # type: ignore[arg-type]

    finish = conversation.finish(exit, 1_800_000_000.0)

    assert finish.outcome == {"asked": "killed"}.get(stopped, stopped)
    assert "61 s" in finish.evidence


def test_an_end_that_nobody_saw_is_unknown(rig: Rig, tmp_path: Path) -> None:
    settings, _ = rig.prepare("good")
    conversation = rig.agent.listen(a_task(tmp_path, settings))

    assert conversation.finish(Exit(code=None), 1_800_000_000.0).outcome == "unknown"


def test_the_program_is_found_and_named(rig: Rig) -> None:
    settings, more = rig.prepare("good")

    probe = rig.agent.probe(settings, {**ENVIRONMENT, **more})

    assert probe.problem == ""
    assert Path(probe.path).exists()
    assert probe.name == rig.agent.name


# ---- arbitrary output

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
NAMES = """
    type subtype event message content usage id input text session_id modelUsage
    item thread_id error status stats models role delta tool_name parameters
    part tokens cache cost state sessionID output reason changes
"""
VALUES = """
    system assistant result init api_retry progress usage tool_use success
    thread.started turn.completed turn.failed item.completed agent_message file_change
    message tool_result error step_start step_finish text end retry
"""
KEYS = st.sampled_from(NAMES.split()) | st.text(max_size=5)
WORDS = st.sampled_from(VALUES.split())
JSON = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)
LINES = st.lists(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), max_size=12)


@pytest.mark.parametrize("name", sorted(set(app.AGENTS) - {"host"}))  # nobody listens to what a host's agents print
@settings(max_examples=50)
@given(lines=LINES, code=st.integers(0, 255) | st.none(), number=st.integers(0, 64))
def test_no_output_makes_an_adapter_raise(name: str, lines: list[bytes], code: int | None, number: int) -> None:
    agent = app.agent(name)
    task = Task(
        run="r",
        unit="single",
        attempt=1,
        kind="unit",
        goal="",
        feature="x",
        tree=Path("/nowhere/tree"),
        folder=Path("/nowhere"),
        shared_prompt="",
        own_prompt="",
        prompt_file=Path("/nowhere/prompt.md"),
        report_file=Path("/nowhere/report.json"),
        slot=0,
        deadline=0.0,
    )
    conversation = agent.listen(task)

    for line in lines:
        assert all(isinstance(one, Said) for one in conversation.parse(line))
    finish = conversation.finish(Exit(code=code, signal=number), 0.0)

    assert finish.evidence
    assert (finish.outcome == "ok") <= (code == 0 and number == 0), "no output turns a failed program into a success"
