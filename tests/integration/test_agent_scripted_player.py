"""The scripted agent as a process: every step and every fault, seen from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ropeteam import process
from ropeteam.agents import program
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Task

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
PATIENCE = 30.0


class Stage:
    """A tree, a task and a script to play in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree, self.io = folder / "tree", folder / "io"
        self.tree.mkdir()
        self.io.mkdir()
        self.report_file = self.io / "report.json"

    def start(self, *play: dict[str, object], unit: str = "single", attempt: int = 1) -> subprocess.Popen[bytes]:
        return self.start_script({"units": {"single": play}}, unit, attempt)

    def start_script(self, script: object, unit: str = "single", attempt: int = 1) -> subprocess.Popen[bytes]:
        task = Task(
            run="r",
            unit=unit,
            attempt=attempt,
            kind="single",
            goal="g",
            feature="x",
            tree=self.tree,
            folder=self.io,
            shared_prompt="",
            own_prompt="",
            prompt_file=self.io / "prompt.md",
            report_file=self.report_file,
            slot=0,
            deadline=0.0,
            settings=AgentSettings(),
        )
        path = self.folder / "play.json"
        path.write_text(json.dumps(script))
        (self.io / "task.json").write_text(program.task_json(task))
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "ropeteam.testing.scripted", str(path), "--time-scale", "1000"],
            cwd=self.tree,
            env={**ENVIRONMENT, "ROPETEAM_TASK": str(self.io / "task.json")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def play(self, *play: dict[str, object]) -> tuple[int, bytes, bytes]:
        with self.start(*play) as running:
            out, err = running.communicate(timeout=PATIENCE)
        return running.returncode, out, err

    def report(self) -> dict[str, object]:
        return json.loads(self.report_file.read_bytes())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)


def write(path: str, content: str = "x\n") -> dict[str, object]:
    return {"do": "write", "path": path, "content": content}


def test_files_are_written_patched_and_deleted(stage: Stage) -> None:
    (stage.tree / "old").write_text("gone soon")
    code, out, err = stage.play(
        write("deep/er/a.txt", "öne\r\ntwo\n"),
        {"do": "write", "path": "run.sh", "content": "#!/bin/sh\n", "executable": True},
        {"do": "patch", "path": "deep/er/a.txt", "find": "two", "replace": "2"},
        {"do": "delete", "path": "old"},
        {"do": "delete", "path": "never-there"},
    )

    assert (code, out, err) == (0, b"", b"")
    assert (stage.tree / "deep/er/a.txt").read_bytes() == "öne\r\n2\n".encode()
    assert os.access(stage.tree / "run.sh", os.X_OK)
    assert not (stage.tree / "old").exists()
    assert not stage.report_file.exists()


def test_playing_twice_comes_to_the_same(stage: Stage) -> None:
    play = (
        write("a", "one\ntwo\n"),
        {"do": "patch", "path": "b", "find": "one\n", "replace": "one\nmore\n"},
        {"do": "patch", "path": "b", "find": "two\n", "replace": ""},
        {"do": "patch", "path": "b", "find": "three", "replace": "3"},
    )
    (stage.tree / "b").write_text("one\ntwo\nthree\n")
    for _ in range(2):
        assert stage.play(*play)[0] == 0
        assert (stage.tree / "b").read_text() == "one\nmore\n3\n"


def test_bringing_files_to_an_end_does_only_what_is_missing(stage: Stage) -> None:
    bring = {"do": "bring", "files": {"a/b": "one\r\n", "c": "two\n"}, "text": "finishing", "seconds": 400}
    (stage.tree / "c").write_text("something else\n")

    code, out, err = stage.play(bring)

    assert (code, err) == (0, b"")
    assert json.loads(out) == {"event": "progress", "text": "finishing"}
    assert (stage.tree / "a/b").read_bytes() == b"one\r\n"
    assert (stage.tree / "c").read_bytes() == b"two\n"
    before = (stage.tree / "c").stat().st_mtime_ns
    assert stage.play(bring) == (0, b"", b"")
    assert (stage.tree / "c").stat().st_mtime_ns == before


def test_a_patch_that_does_not_fit_ends_the_play(stage: Stage) -> None:
    code, _, err = stage.play(
        write("a", "one\n"), {"do": "patch", "path": "a", "find": "five", "replace": "six"}, write("never")
    )

    assert code == 1
    assert b"five" in err
    assert not (stage.tree / "never").exists()


def test_commands_run_in_the_tree_and_their_failure_counts(stage: Stage) -> None:
    code, out, _ = stage.play({"do": "command", "argv": ["sh", "-c", "pwd; echo hi > made"]})
    assert code == 0
    assert out.decode().strip() == str(stage.tree)
    assert (stage.tree / "made").exists()

    assert stage.play({"do": "command", "argv": ["false"], "may_fail": True}, write("on"))[0] == 0
    assert (stage.tree / "on").exists()
    code, _, err = stage.play({"do": "command", "argv": ["sh", "-c", "exit 7"]})
    assert code == 1
    assert b"ended with 7" in err
    assert stage.play({"do": "command", "argv": ["no-such-program"]})[0] == 1


def test_modules_in_the_tree_do_not_replace_the_players_own(stage: Stage) -> None:
    for name in ("json.py", "msgspec.py", "ropeteam.py", "sitecustomize.py"):
        (stage.tree / name).write_text("raise SystemExit(99)")

    assert stage.play(write("a"))[0] == 0


def test_pauses_are_in_the_features_time(stage: Stage) -> None:
    began = time.monotonic()
    assert stage.play({"do": "pause", "seconds": 600})[0] == 0
    assert 0.6 <= time.monotonic() - began < PATIENCE


def test_progress_usage_and_report(stage: Stage) -> None:
    code, out, _ = stage.play(
        {"do": "progress", "text": "wörking"},
        {"do": "usage", "input": 1},
        {
            "do": "report",
            "files": [{"path": "a", "purpose": "p"}],
            "requests": [{"path": "b", "what": "w"}],
            "plan": {"units": []},
        },
        {"do": "usage", "input": 5, "output": 2},
    )

    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in lines] == ["progress", "usage", "usage"]
    assert lines[0]["text"] == "wörking"
    report = stage.report()
    assert report["files"] == [{"path": "a", "purpose": "p"}]
    assert report["requests"] == [{"path": "b", "what": "w"}]
    assert report["plan"] == {"units": []}
    assert msgspec.convert(report["usage"], dict)["input"] == 5


def test_waiting_for_a_file_holds_the_agent_at_one_point(stage: Stage) -> None:
    gate = stage.folder / "gate"
    with stage.start(write("before"), {"do": "wait", "path": str(gate)}, write("after")) as running:
        until((stage.tree / "before").exists)
        assert running.poll() is None
        assert not (stage.tree / "after").exists()
        gate.touch()
        assert running.wait(PATIENCE) == 0
        assert running.stdout is not None
    assert (stage.tree / "after").exists()


def test_each_attempt_has_its_own_play(stage: Stage) -> None:
    script = {"units": {"single": [write("first")], "single/2": [write("second")], "*": [write("other")]}}
    for unit, attempt in (("single", 1), ("single", 2), ("rest", 1)):
        with stage.start_script(script, unit, attempt) as running:
            running.communicate(timeout=PATIENCE)
        assert running.returncode == 0
    assert sorted(path.name for path in stage.tree.iterdir()) == ["first", "other", "second"]


def test_no_play_bad_script_and_no_task_are_told_apart(stage: Stage) -> None:
    with stage.start_script({"units": {}}) as running:
        _, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, b"no play for single/1" in err) == (2, True)
    with stage.start_script({"units": {"single": [{"do": "dance"}]}}) as running:
        _, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, b"units['single'][0]" in err) == (2, True)
    (stage.folder / "play.json").write_text('{"units": {"*": []}}')
    command = [sys.executable, "-m", "ropeteam.testing.scripted"]
    done = subprocess.run([*command, str(stage.folder / "play.json")], env=ENVIRONMENT, capture_output=True)
    assert (done.returncode, b"ROPETEAM_TASK" in done.stderr) == (2, True)
    assert subprocess.run([*command, "--check", str(stage.folder / "play.json")], env=ENVIRONMENT).returncode == 0
    schema = subprocess.run([*command, "--schema"], env=ENVIRONMENT, capture_output=True, check=True).stdout
    assert "Script" in json.loads(schema)["$defs"]


# ---- faults


def test_ends_by_code_and_by_signal(stage: Stage) -> None:
    assert stage.play({"do": "exit", "code": 5}, write("never"))[0] == 5
    assert stage.play({"do": "signal", "number": 9}, write("never"))[0] == -9
    assert list(stage.tree.iterdir()) == []


def test_giving_up_because_the_provider_refuses(stage: Stage) -> None:
    before = time.time()
    code, out, _ = stage.play({"do": "refused", "seconds": 5000}, write("never"))

    retry, end = map(json.loads, out.splitlines())
    assert code == 1
    assert (retry["event"], retry["status"]) == ("retry", 429)
    assert (end["event"], end["outcome"]) == ("end", "rate")
    assert before + 5 <= end["retry_at"] == retry["retry_at"] < time.time() + 5
    assert not (stage.tree / "never").exists()

    _, out, _ = stage.play({"do": "refused", "outcome": "auth", "status": 401})
    assert json.loads(out.splitlines()[-1]) == {
        "event": "end",
        "outcome": "auth",
        "retry_at": None,
        "text": "status 401",
    }


def test_a_hanging_agent_follows_the_polite_signal(stage: Stage) -> None:
    with stage.start(write("up"), {"do": "hang"}) as running:
        until((stage.tree / "up").exists)
        running.terminate()
        assert running.wait(PATIENCE) == -signal.SIGTERM


def test_one_that_ignores_it_does_not(stage: Stage) -> None:
    with stage.start({"do": "ignore_sigterm"}, write("up"), {"do": "hang"}) as running:
        until((stage.tree / "up").exists)
        running.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.2)
        running.kill()
        assert running.wait(PATIENCE) == -signal.SIGKILL


def test_floods(stage: Stage) -> None:
    code, out, err = stage.play(
        {"do": "flood", "bytes": 300_000}, {"do": "flood", "bytes": 100_000, "stderr": True, "line": 0}
    )

    assert code == 0
    assert len(out) == 300_000
    assert len(err) == 100_001
    assert err.count(b"\n") == 1


def test_an_escaped_child_outlives_the_agent_in_a_session_of_its_own(stage: Stage) -> None:
    beat = stage.tree / "beat"
    with stage.start({"do": "escape", "path": "beat"}) as running:
        assert running.wait(PATIENCE) == 0
        until(lambda: beat.exists() and beat.stat().st_size > 0)
        child = int(beat.read_text().split()[0])
        assert os.getsid(child) != os.getsid(0)
        os.kill(child, signal.SIGTERM)
        size = beat.stat().st_size
        until(lambda: beat.stat().st_size > size)  # it lives on
        assert process.sweep(stage.tree) == [child]
        running.communicate(timeout=PATIENCE)  # and held the output open until then


def test_reports_that_are_wrong(stage: Stage) -> None:
    report = {"do": "report", "files": [{"path": "a", "purpose": "p"}]}
    assert stage.play(report, {"do": "garbled_report"})[0] == 0
    assert program.read_report(stage.report_file)[1]
    assert stage.play(report, {"do": "lie", "path": "ghost.py"})[0] == 0
    assert [note["path"] for note in stage.report()["files"]] == ["a", "ghost.py"]  # type: ignore[attr-defined]
    assert not (stage.tree / "ghost.py").exists()
    assert b'"many"' in stage.play({"do": "garbled_line"})[1]


def test_writing_outside(stage: Stage) -> None:
    target = stage.folder / "elsewhere" / "x"
    outside = {"do": "write_outside", "path": str(target), "content": "hello"}
    assert stage.play(outside, {"do": "write_outside", "path": "../beside"})[0] == 0
    assert target.read_text() == "hello"
    assert (stage.folder / "beside").exists()
    impossible = {"do": "write_outside", "path": "/proc/nothing/x"}
    assert stage.play(impossible)[0] == 0
    assert stage.play({**impossible, "refused_is_fine": False})[0] == 1
