"""Short calls and pipelines, with real programs."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from process_programs import is_alive, until

from ropeteam import locks, process
from ropeteam.process import Stage


def test_output_code_input_and_place(tmp_path: Path) -> None:
    done = process.run(["sh", "-c", "cat; pwd; echo $A >&2; exit 4"], cwd=tmp_path, env={"A": "b"}, input=b"in\n")
    assert (done.returncode, done.stdout, done.stderr) == (4, f"in\n{tmp_path}\n".encode(), b"b\n")
    assert process.run(["cat"]).stdout == b""
    assert process.run(["sh", "-c", "kill -9 $$"]).returncode == -9
    assert process.run([b"printf", b"%s", b"\xff"]).stdout == b"\xff"


def test_a_missing_program_is_told_apart() -> None:
    with pytest.raises(FileNotFoundError):
        process.run(["/no/such/program"])


def test_a_time_limit_kills_what_the_call_started(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"sh -c .* longer than 0.2 s"):
        process.run(["sh", "-c", f"sleep 300 & echo $! > {tmp_path}/pid; wait"], timeout=0.2)
    assert time.monotonic() - began < 20
    until(lambda: not is_alive(int((tmp_path / "pid").read_text())))


@pytest.mark.skipif(sys.platform != "linux", reason="needs setsid")
def test_a_time_limit_holds_although_an_escapee_keeps_the_pipe(tmp_path: Path) -> None:
    code = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 300' & while :; do sleep 0.01; done"
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        process.run(["sh", "-c", code], timeout=0.3)
    assert time.monotonic() - began < 20
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_call_can_be_stopped(tmp_path: Path) -> None:
    code = "seq 100000; sleep 0.3; seq 100000; echo err >&2; exit 3"  # heard over several looks
    done = process.run(["sh", "-c", code], stopped=lambda: False, timeout=60)
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (3, 200_000, b"err\n")
    began = time.monotonic()
    with pytest.raises(InterruptedError):
        process.run(["sh", "-c", "echo $$ > pid; exec sleep 300"], cwd=tmp_path, stopped=(tmp_path / "pid").exists)
    with pytest.raises(TimeoutError):
        process.run(["sleep", "300"], timeout=0.15, stopped=lambda: False)
    assert time.monotonic() - began < 20
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_a_child_holds_the_lock_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    os.mkfifo(tmp_path / "go")
    lock = locks.try_lock(path)
    assert lock is not None
    call = threading.Thread(target=process.run, args=(["sh", "-c", "echo > up; read line < go"],), kwargs={
        "cwd": tmp_path, "pass_fds": [lock.fd]})  # fmt: skip
    call.start()
    until((tmp_path / "up").exists)
    lock.release()
    assert locks.held(path)
    assert locks.try_lock(path) is None
    (tmp_path / "go").write_text("on\n")
    call.join()
    assert not locks.held(path)
    again = locks.try_lock(path)
    assert again is not None
    process.run(["true"])  # is given nothing
    again.release()
    assert not locks.held(path)


def test_a_pipeline_passes_everything_on() -> None:
    text = b"".join(b"line %d\n" % number for number in range(300_000))
    stages = [Stage(argv=["cat"]), Stage(argv=["sh", "-c", "echo middle >&2; cat"]), Stage(argv=["wc", "-c"])]
    first, middle, last = process.pipeline(stages, input=text)
    assert int(last.stdout) == len(text)
    assert (first.stdout, middle.stdout) == (b"", b"")
    assert (first.stderr, middle.stderr, last.stderr) == (b"", b"middle\n", b"")
    assert [done.returncode for done in (first, middle, last)] == [0, 0, 0]


def test_each_stage_of_a_pipeline_has_its_own_code_and_environment() -> None:
    stages = [Stage(argv=["sh", "-c", "echo $A; exit 3"], env={"A": "one"}), Stage(argv=["sh", "-c", "cat; exit 4"])]
    assert [(done.returncode, done.stdout) for done in process.pipeline(stages)] == [(3, b""), (4, b"one\n")]


def test_a_pipeline_ends_when_its_last_stage_does() -> None:
    first, last = process.pipeline([Stage(argv=["yes"]), Stage(argv=["head", "-c", "4"])], timeout=20)
    assert (first.returncode, last.stdout) == (-signal.SIGPIPE, b"y\ny\n")


def test_a_pipeline_with_a_missing_program_leaves_nothing(tmp_path: Path) -> None:
    stages = [Stage(argv=["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 300"]), Stage(argv=["/no/such/program"])]
    with pytest.raises(FileNotFoundError):
        process.pipeline(stages)
    assert not (tmp_path / "pid").exists() or not is_alive(int((tmp_path / "pid").read_text() or 0))


def test_a_pipeline_has_a_time_limit() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        process.pipeline([Stage(argv=["sleep", "300"]), Stage(argv=["cat"])], timeout=0.1)
    assert time.monotonic() - began < 20
