"""What every `ropeteam.ports.Check` keeps to, tried on one check of each way to tell results."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from ropeteam.checks import CommandCheck
from ropeteam.core.settings import CheckCommand
from ropeteam.ports import Check, Place

TAP = "printf 'ok 1 - a\\nnot ok 2 - b\\nok 3 - c # SKIP\\n'"
JUNIT = (
    'echo \'<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase>'
    '<testcase name="c"><skipped/></testcase></testsuite>\' > "$1"'
)
UNITTEST = "printf 'a (m.a) ... ok\\nb (m.b) ... FAIL\\nc (m.c) ... skipped\\nRan 3 tests\\n'"
GOTEST = (
    """printf '{"Action":"pass","Package":"m","Test":"a"}\\n{"Action":"fail","Package":"m","Test":"b"}\\n"""
    """{"Action":"skip","Package":"m","Test":"c"}\\n'"""
)
CARGO = "printf 'test a ... ok\\ntest b ... FAILED\\ntest c ... ignored\\n'"
JEST = (
    """echo '{"testResults":[{"assertionResults":[{"title":"a","status":"passed"},"""
    """{"title":"b","status":"failed"},{"title":"c","status":"pending"}]}]}' > "$1\""""
)
SAYING = {
    "tap": TAP,
    "junit": JUNIT,
    "unittest": UNITTEST,
    "gotest": GOTEST,
    "cargo": CARGO,
    "jest": JEST,
    "exit": "true",
}


@pytest.fixture(params=sorted(SAYING))
def make(request):
    """A check that does what is asked for in shell, and before that tells of a test passed, failed and skipped."""

    def made(then: str) -> Check:
        script = f"{SAYING[request.param]}; {then}"
        command = CheckCommand(name="one", argv=("sh", "-c", script, "sh", "{results}"), format=request.param)
        return CommandCheck(command)

    return made


@pytest.fixture
def place(tmp_path):
    (tmp_path / "tree").mkdir()
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    return Place(tree=tmp_path / "tree", folder=tmp_path / "out", env=env, seconds=30.0)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_failing_check_is_a_value(make, place):
    check = make("exit 1")
    run = asyncio.run(check.run(place, "base"))
    assert (run.name, run.exit_code, run.ran, run.problem) == (check.command.name, 1, True, "")
    states = [test.state for test in run.tests]
    assert states == ([] if check.command.format == "exit" else ["passed", "failed", "skipped"])
    assert 0 < run.seconds < 30


def test_the_exit_code_is_reported_as_it_is(make, place):
    assert asyncio.run(make("exit 0").run(place, "base")).exit_code == 0
    assert asyncio.run(make("exit 77").run(place, "base")).exit_code == 77


def test_one_stopped_at_its_limit_has_no_exit_code_and_says_why(make, place):
    limited = Place(tree=place.tree, folder=place.folder, env=place.env, seconds=0.3)
    run = asyncio.run(make("exec sleep 1000").run(limited, "base"))
    assert (run.exit_code, run.ran) == (None, False)
    assert "time limit" in run.problem


def test_cancelling_leaves_nothing_running(make, place):
    async def cancelled() -> None:
        task = asyncio.ensure_future(make("sleep 1000 & echo $! > half; mv half pid; wait").run(place, "base"))
        deadline = time.monotonic() + 20
        while not (place.tree / "pid").exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert not alive(int((place.tree / "pid").read_text()))


def test_several_runs_at_once_do_not_meet(make, place):
    async def both():
        return await asyncio.gather(*(make(f"exit {code}").run(place, "same") for code in (0, 3, 5)))

    assert [run.exit_code for run in asyncio.run(both())] == [0, 3, 5]


def test_it_writes_below_its_folder_only(make, place):
    before = set(os.listdir(place.tree.parent))
    asyncio.run(make("true").run(place, "base"))
    assert set(os.listdir(place.tree.parent)) == before | {"out"}
    assert os.listdir(place.tree) == []
