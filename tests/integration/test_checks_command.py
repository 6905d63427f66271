"""One command as a check: what it gets, what is kept of it, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest
from measuring import measure

from ropeteam.checks import CommandCheck
from ropeteam.core.model import CheckRun
from ropeteam.core.settings import CheckCommand
from ropeteam.ports import Place


@pytest.fixture
def place(tmp_path):
    (tmp_path / "tree").mkdir()
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    return Place(tree=tmp_path / "tree", folder=tmp_path / "out", env=env, seconds=30.0)


def shell(script: str, **more) -> CommandCheck:
    return CommandCheck(CheckCommand(name="check", argv=("sh", "-c", script), **more))


def run(check: CommandCheck, place: Place, label: str = "base") -> CheckRun:
    return asyncio.run(check.run(place, label))


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


async def until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)


def test_it_runs_in_the_tree_with_both_streams_as_output(place):
    done = run(shell("pwd; echo wrong >&2; exit 3"), place)
    assert (done.name, done.exit_code, done.tests, done.problem) == ("check", 3, (), "")
    assert done.output == f"{place.tree}\nwrong"
    assert done.seconds > 0


def test_its_environment(place):
    (place.tree / "sub").mkdir()
    script = 'echo "$PYTHONDONTWRITEBYTECODE $CI $WHERE"; pwd; env | grep -c "^SECRET" || true'
    os.environ["SECRET_OF_THE_CALLER"] = "x"
    try:
        done = run(shell(script, cwd="sub", env={"WHERE": "{tree}!{results}"}), place)
    finally:
        del os.environ["SECRET_OF_THE_CALLER"]
    first, second, third = done.output.splitlines()
    assert first.startswith(f"1 1 {place.tree}!{place.folder}/base-")
    assert (second, third) == (f"{place.tree}/sub", "0")


def test_options_for_node_are_added_to_the_projects_own(tmp_path, place):
    env = {**place.env, "NODE_OPTIONS": "--max-old-space-size=100"}
    check = shell('echo "$NODE_OPTIONS"', env={"NODE_OPTIONS": "--test-reporter=junit"})
    done = run(check, Place(tree=place.tree, folder=place.folder, env=env))
    assert done.output == "--max-old-space-size=100 --test-reporter=junit"


def test_the_prefix_comes_first(place):
    wrapped = Place(tree=place.tree, folder=place.folder, env=place.env, prefix=("env", "SANDBOX=yes"))
    assert run(shell("echo $SANDBOX"), wrapped).output == "yes"


def test_the_end_of_a_long_output_is_kept_without_colours(place):
    done = run(shell("seq 100000; printf '\\033[31mred\\033[0m'"), place)
    assert 3990 < len(done.output) <= 4000
    assert done.output.startswith("99"), "the line that was cut is left out"
    assert len(run(shell("seq -s, 10000"), place).output) == 4000
    assert done.output.endswith("99999\n100000\nred")


def test_the_same_label_twice_has_two_folders(place):
    assert run(shell("exit 0"), place, "a label / with..").exit_code == 0
    assert run(shell("exit 1"), place, "a label / with..").exit_code == 1
    assert len(list(place.folder.iterdir())) == 2


JUNIT = '<testsuite><testcase classname="t" name="x"/></testsuite>'


def test_results_are_read_from_the_file_it_was_given(place):
    check = CommandCheck(CheckCommand(name="c", argv=("sh", "-c", f"echo '{JUNIT}' > '{{results}}'"), format="junit"))
    assert [test.name for test in run(check, place).tests] == ["t::x"]


@pytest.mark.parametrize("make", ["mkfifo", "ln -s /etc/passwd", "mkdir", "ln -s /dev/zero"])
def test_results_that_are_no_plain_file_are_none(place, make):
    check = CommandCheck(CheckCommand(name="c", argv=("sh", "-c", f"{make} '{{results}}'"), format="junit"))
    assert run(check, place) == CheckRun(name="c", exit_code=0, seconds=pytest.approx(1, abs=10))


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (
            "python3 -c 'import sys; sys.exit(\"/x/python: No module named pytest\")'",
            "/x/python: No module named pytest",
        ),
        ("echo 'sh: 1: jest: not found'; exit 127", "sh: 1: jest: not found"),
        ("exit 127", "its program was not found (exit code 127)"),
        (
            "echo 'Could not open input file: vendor/bin/phpunit'; exit 1",
            "Could not open input file: vendor/bin/phpunit",
        ),
        ("echo 'bwrap: no'; exit 1", "bwrap: no"),
    ],
)
def test_a_runner_that_is_not_there_did_not_run(place, script, problem):
    done = run(shell(script), place)
    assert (done.exit_code, done.problem) == (None, problem)


def test_a_failing_program_that_only_speaks_of_it_did_run(place):
    done = run(shell("echo 'E   ModuleNotFoundError: No module named numpy'; exit 1"), place)
    assert (done.exit_code, done.problem) == (1, "")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (CheckCommand(name="c", argv=("no-such-program",)), "no-such-program is not installed"),
        (CheckCommand(name="c", argv=("{tree}/.venv/bin/python", "-V")), "{tree}/.venv/bin/python is not installed"),
        (CheckCommand(name="c", argv=("true",), cwd="gone"), "the folder gone is not there"),
    ],
)
def test_what_cannot_be_started_is_said(place, command, problem):
    done = run(CommandCheck(command), place)
    assert (done.exit_code, done.problem) == (None, problem.replace("{tree}", str(place.tree)))


def test_a_program_that_may_not_be_executed_is_said(place):
    (place.tree / "check.sh").write_text("#!/nonexistent/interpreter\n")
    (place.tree / "check.sh").chmod(0o755)
    done = run(CommandCheck(CheckCommand(name="c", argv=("./check.sh",))), place)
    assert done.exit_code is None
    assert done.problem


def test_a_signal_is_a_negative_exit_code(place):
    assert run(shell("kill -9 $$"), place).exit_code == -9


def test_the_time_limit_ends_everything_it_started(place):
    script = "sleep 1000 & echo $! > pid; (setsid sleep 1000 & echo $! > pid2); echo started; wait"
    limited = Place(tree=place.tree, folder=place.folder, env=place.env, seconds=1.0)
    done = run(shell(script), limited)
    assert (done.exit_code, done.problem) == (None, "stopped at its time limit of 1 s")
    assert done.output == "started"
    assert all(gone(int((place.tree / name).read_text())) for name in ("pid", "pid2"))


def test_what_it_leaves_behind_is_ended_with_it(place):
    assert run(shell("sleep 1000 & echo $! > pid"), place).exit_code == 0
    assert gone(int((place.tree / "pid").read_text()))


def test_cancelling_ends_everything_it_started(place):
    async def cancelled() -> None:
        script = "sleep 1000 & echo $! > half; mv half pid; (setsid sleep 1000 & echo $! > half2; mv half2 pid2); wait"
        task = asyncio.ensure_future(shell(script).run(place, "base"))
        await until(lambda: (place.tree / "pid2").exists() and (place.tree / "pid").exists())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all(gone(int((place.tree / name).read_text())) for name in ("pid", "pid2"))

    asyncio.run(cancelled())


def test_cancelling_again_and_again_still_waits_for_the_end(place):
    async def cancelled() -> None:
        script = "trap 'sleep 0.3; echo ended > ended; exit 1' TERM; echo $$ > pid; while :; do sleep 0.05; done"
        task = asyncio.ensure_future(shell(script).run(place, "base"))
        await until(lambda: (place.tree / "pid").exists())
        while not task.done():
            task.cancel()
            await asyncio.sleep(0.02)
        assert task.cancelled()
        assert (place.tree / "ended").exists()

    asyncio.run(cancelled())


def test_cancelling_while_it_is_being_started(place):
    async def cancelled() -> None:
        task = asyncio.ensure_future(shell("echo $$ > pid; exec sleep 1000").run(place, "base"))
        await until(place.folder.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        pid = place.tree / "pid"
        assert not pid.exists() or gone(int(pid.read_text()))

    asyncio.run(cancelled())


def test_a_cancelled_canary_leaves_the_tree_as_it_was(place):
    source = place.tree / "shop.py"
    source.write_text("x = 1\n")

    async def cancelled() -> None:
        script = "grep -q canary shop.py || exit 0; touch seen; sleep 1000"
        task = asyncio.ensure_future(measure(shell(script), place, ["shop.py"]))
        await until((place.tree / "seen").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert source.read_text() == "x = 1\n"


@pytest.mark.parametrize("moments", [5, 50, 500, 5000])
def test_a_canary_cancelled_at_any_moment_leaves_the_tree_as_it_was(place, moments):
    files = [f"f{number}.py" for number in range(300)]
    for name in files:
        (place.tree / name).write_text("x = 1\n")

    async def cancelled() -> None:
        task = asyncio.ensure_future(measure(shell("exit 0"), place, files))
        await until(place.folder.exists)
        await until(lambda: any(place.folder.glob("*/process/exit.json")))
        for _ in range(moments):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancelled())
    assert {(place.tree / name).read_text() for name in files} == {"x = 1\n"}
    assert sorted(path.name for path in place.tree.iterdir()) == sorted(files)
