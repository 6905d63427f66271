"""The sample of the demo is a real project: its tests pass, before the recording was played in it and after."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from ropeteam.core.agent_files import ReportFile, TaskFile
from ropeteam.demo import recording, repository
from ropeteam.errors import BadInput


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env=environment(folder), capture_output=True, text=True, check=True
    )
    return done.stdout


def run_tests(folder: Path) -> int:
    """Run the sample's own tests; how many passed."""
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "-v"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ran = re.search(r"^Ran (\d+) tests", done.stderr, re.MULTILINE)
    assert ran is not None
    return int(ran[1])


def play(folder: Path, scratch: Path) -> ReportFile:
    """Let the scripted agent play the recording in `folder`, as fast as it can."""
    scratch.mkdir(exist_ok=True)
    written = recording.write(scratch / "script.json", sys.executable)
    task = TaskFile(
        run="demo",
        unit="single",
        attempt=1,
        kind="single",
        goal="",
        writes=("**",),
        reads=(),
        needs=(),
        feature=repository.FEATURE,
        prompt_file=str(scratch / "prompt.md"),
        report_file=str(scratch / "report.json"),
        slot=0,
        deadline=0.0,
    )
    (scratch / "task.json").write_bytes(msgspec.json.encode(task))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ropeteam.testing.scripted", str(written), "--time-scale", "1e9"],
        cwd=folder,
        env={**environment(folder), "ROPETEAM_TASK": str(scratch / "task.json")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return msgspec.json.decode((scratch / "report.json").read_bytes(), type=ReportFile)


def test_the_sample_is_a_clean_repository_with_tests_that_pass(tmp_path: Path) -> None:
    folder = repository.make(tmp_path / "library")
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "log", "--format=%an %s").splitlines() == ["Demo The lending desk of a small library"]
    assert run_tests(folder) >= 25
    assert git(folder, "status", "--porcelain", "--ignored") == ""


def test_the_recording_implements_the_feature_with_tests_of_its_own(tmp_path: Path) -> None:
    folder = repository.make(tmp_path / "library")
    before = run_tests(folder)
    report = play(folder, tmp_path / "scratch")
    assert run_tests(folder) >= before + 30
    git(folder, "add", "--all")
    changed = dict(reversed(line.split("\t")) for line in git(folder, "diff", "--cached", "--name-status").splitlines())
    assert {note.path for note in report.files} == set(changed)
    assert sum(kind == "A" for kind in changed.values()) >= 8
    assert all(note.purpose for note in report.files)
    assert report.decisions
    assert len(report.deviations) == 1


def test_the_present_tests_of_the_sample_stay_as_they_are(tmp_path: Path) -> None:
    folder = repository.make(tmp_path / "library")
    play(folder, tmp_path / "scratch")
    removed = [line for line in git(folder, "diff", "--", "tests").splitlines() if re.match(r"-(?!--)", line)]
    assert removed == ["-from library.services import Refused, lending"]


def test_playing_it_twice_changes_nothing_more(tmp_path: Path) -> None:
    folder = repository.make(tmp_path / "library")
    play(folder, tmp_path / "scratch")
    git(folder, "add", "--all")
    play(folder, tmp_path / "scratch")
    assert git(folder, "diff") == ""


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        repository.make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
