"""Agents that, meaning to or not, could keep a run from ending; repositories whose own code must not run in ours."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import AT_ONCE, DEADLINE, HELD, Project, make_project

from repositories import commit_all, write_files
from ropeteam import sandbox


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Project]:
    made = make_project(tmp_path, sets=("limits.tries=1",))
    yield made
    made.close()


@pytest.mark.parametrize(
    "plant",
    [
        'os.unlink(task["prompt_file"]); os.mkfifo(task["prompt_file"])',
        'os.unlink(task["prompt_file"]); os.symlink("/dev/zero", task["prompt_file"])',
    ],
    ids=["a pipe", "an endless file"],
)
def test_what_it_was_given_is_replaced_by_what_cannot_be_read(world: Project, plant: str) -> None:
    world.agent(f"{AT_ONCE}; {plant}")
    done = world.ropeteam(*world.run_args("--json"))
    assert (done.code, done.json["outcome"]) == (1, "not_delivered"), done
    assert done.json["triggers"][0]["id"] == "context_corrupted"
    assert "prompt.md" in done.json["triggers"][0]["evidence"]


@pytest.mark.parametrize(
    "path", ["app.py\0", "x" * 300_000, "../../../etc/passwd", "/etc/passwd"], ids=["NUL", "long", "up", "absolute"]
)
def test_a_report_names_what_cannot_be_a_file_of_the_tree(world: Project, path: str) -> None:
    world.agent(f'everything(); report(files=[{{"path": {path!r}, "purpose": "p"}}])')
    done = world.ropeteam(*world.run_args("--json"))
    assert (done.code, done.json["outcome"]) == (1, "not_delivered"), done
    assert done.json["triggers"][0]["id"] == "context_corrupted"


@pytest.mark.slow
def test_who_writes_faster_than_we_read_is_stopped_in_time(world: Project) -> None:
    world.agent('everything(); os.execvp("yes", ["yes"])')
    done = world.ropeteam(*world.run_args("--json", "--set", "limits.attempt_seconds=2"))
    (attempt,) = done.json["units"][0]["attempts"]
    assert attempt["outcome"] == "timeout", done
    assert attempt["seconds"] < 10


def test_half_a_line_is_a_sign_of_life(world: Project) -> None:
    dots = 'for _ in range(40): os.write(1, b"."); time.sleep(0.1)'
    world.agent(f"{AT_ONCE}\n{dots}")
    done = world.ropeteam(*world.run_args("--json", "--set", "limits.stall_seconds=2"))
    assert done.json["outcome"] == "delivered_single", done


def test_a_detached_run_does_not_load_modules_of_the_repository(world: Project) -> None:
    planted = "import pathlib; pathlib.Path(__file__).with_name('ran').touch(); raise SystemExit(3)\n"
    write_files(world.top, {f"{name}.py": planted for name in ("click", "msgspec", "ropeteam", "sqlite3")})
    commit_all(world.top, "modules with common names")
    ours = [sys.executable, "-P", "-m", "ropeteam"]  # as the installed program does: without the current folder
    for args in (world.run_args("--detach"), ("wait", "--json", "--timeout", "60")):
        done = subprocess.run([*ours, *args], cwd=world.top, env=world.env, capture_output=True, timeout=DEADLINE)
        assert done.returncode == 0, done
    assert json.loads(done.stdout)["outcome"] == "delivered_single"
    assert not (world.top / "ran").exists()


@pytest.mark.parametrize("command", [("run", "greeting"), ("agents",), ("doctor",)], ids=lambda words: words[0])
def test_a_program_that_the_repository_names_is_not_run_before_consent(
    world: Project, command: tuple[str, ...]
) -> None:
    ran = world.folder / "ran"
    write_files(
        world.top,
        {
            "claude.sh": f"#!/bin/sh\n: > {ran}\necho 2.1.330\n",
            "ropeteam.toml": 'agent.claude.argv = ["./claude.sh"]\n',
        },
    )
    (world.top / "claude.sh").chmod(0o755)
    commit_all(world.top, "an agent of its own")
    done = world.ropeteam(*command)
    assert not ran.exists(), done
    if command[0] == "run":
        assert done.code == 2
        assert "consent" in done.err


def test_a_run_begun_with_a_sandbox_is_not_resumed_without_one(tmp_path: Path) -> None:
    if not sandbox.available().ok:
        pytest.skip("there is no sandbox here")
    world = make_project(tmp_path, sandbox=True, does=HELD)
    try:
        driver = world.start(*world.run_args())
        world.wait_agent()
        driver.send_signal(signal.SIGINT)
        assert world.ended(driver).code == 130
        tools = world.folder / "tools"
        tools.mkdir()
        for program in ("git", "sh", "cp"):  # and no bwrap
            found = shutil.which(program)
            assert found is not None
            (tools / program).symlink_to(found)
        done = world.ropeteam("resume", "--json", env={"PATH": str(tools)})
        assert (done.code, done.json["error"]["code"]) == (2, "no_sandbox"), done
        assert world.starts() == ["single/1"]
        assert world.ropeteam("cancel", "--json", env={"PATH": str(tools)}).json["outcome"] == "cancelled"
    finally:
        world.close()
