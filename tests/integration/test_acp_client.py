"""The client of the Agent Client Protocol with a real agent at its other end, under the wrapper, as in the engine."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from ropeteam import process
from ropeteam.agents.acp import AcpAgent
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Exit, Finish, Said, Task

pytestmark = pytest.mark.skipif(
    find_spec("acp") is None, reason="the library agent-client-protocol is not installed (ropeteam[acp])"
)
AGENT = Path(__file__).with_name("acp_agent.py")


class Attempt:
    def __init__(self, folder: Path, what: str, *, kind: str = "unit", model: str | None = None) -> None:
        self.tree, self.io, self.log = (folder / name for name in ("tree", "io", "log"))
        for path in (self.tree, self.io, self.log):
            path.mkdir()
        self.task = Task(
            run="20260101-000000-x-0000",
            unit="single",
            attempt=1,
            kind=kind,  # type: ignore[arg-type]
            goal="",
            feature="x",
            tree=self.tree,
            folder=self.io,
            shared_prompt="shared ünïcödé\n",
            own_prompt="own\n",
            prompt_file=self.io / "prompt.md",
            report_file=self.io / "report.json",
            slot=0,
            deadline=0.0,
            settings=AgentSettings(argv=(sys.executable, str(AGENT), what), model=model),
        )
        self.agent = AcpAgent(env={})
        launch = self.agent.build(self.task)
        for path, text in launch.files.items():
            Path(path).write_text(text, encoding="utf-8")
        env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **launch.env}
        self.child = process.launch(
            process.Spec(argv=launch.argv, env=env, cwd=str(self.tree), folder=str(self.log), stdin=launch.stdin)
        )

    def finish(self, stopped: str = "") -> tuple[Finish, list[Said]]:
        ended = asyncio.run(process.wait(self.child, 60.0))
        assert ended is not None
        conversation = self.agent.listen(self.task)
        said = [one for line in process.Tail(self.log).read(last=True) for one in conversation.parse(line)]
        exit = Exit(code=ended.code, signal=ended.signal, stopped=stopped, seconds=ended.seconds)  # type: ignore[arg-type]
        return conversation.finish(exit, 0.0), said


def test_a_turn_with_permissions_usage_and_a_chosen_model(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, "work", model="big")

    finish, said = attempt.finish()

    assert finish.outcome == "ok", finish.evidence
    assert (attempt.tree / "new.py").read_text() == "shared ünïcödé\nown\n"
    assert (attempt.tree / "model.txt").read_text() == "big"
    assert not (tmp_path / "outside.py").exists()
    assert [one.text for one in said if one.kind == "denied"] == ["Write outside.py"]
    assert "not allowed 1 thing" in finish.notices[0]
    assert (finish.usage.input, finish.usage.cached, finish.usage.output) == (7, 5, 3)
    assert finish.session == "s-1"
    assert [one.kind for one in said][-1] == "end"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "outcome", "words"),
    [
        ("login", "auth", "Authentication required"),
        ("rate", "rate", "slow down"),
        ("die", "killed", "SIGKILL"),
        ("exit", "crashed", "exit code 4"),
        ("garbage", "crashed", "without an answer"),
        ("refuse", "crashed", "refused"),
        ("always wants more", "denied", "outside.py"),
    ],
)
def test_other_ends(what: str, outcome: str, words: str, tmp_path: Path) -> None:
    finish, _ = Attempt(tmp_path, what).finish()

    assert finish.outcome == outcome
    assert words in finish.evidence


@pytest.mark.slow
def test_a_model_that_is_not_offered_is_said_with_those_there_are(tmp_path: Path) -> None:
    finish, _ = Attempt(tmp_path, "work", model="huge").finish()

    assert finish.outcome == "crashed"
    assert "It has big" in finish.evidence


@pytest.mark.slow
def test_an_agent_that_ends_its_turn_when_it_is_refused_is_told_to_go_on(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, "ends when refused")

    finish, said = attempt.finish()

    assert finish.outcome == "ok", finish.evidence
    assert "not allowed: Write outside.py" in (attempt.tree / "told.txt").read_text()
    assert [one.text for one in said if one.kind == "denied"] == ["Write outside.py"]
    assert "not allowed 1 thing" in finish.notices[0]


def test_being_stopped_cancels_the_turn_and_leaves_nothing_alive(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, "hang")
    pid = tmp_path / "tree" / "child.txt"
    until = time.monotonic() + 60
    while not (pid.exists() and pid.read_text()):
        assert time.monotonic() < until, (attempt.log / "wrapper.err").read_text()
        time.sleep(0.02)

    attempt.child.stop()
    finish, _ = attempt.finish("asked")

    assert finish.outcome == "killed"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.slow
def test_who_plans_may_answer_in_words(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, "work", kind="plan")

    finish, said = attempt.finish()

    assert finish.outcome == "ok"
    assert finish.report.plan == "Writing."
    assert not (attempt.tree / "new.py").exists()
    assert len([one for one in said if one.kind == "denied"]) == 2
