"""The sample of the demo is a real project: its tests pass, before the recording was played in it and after."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from ropeteam.core.agent_files import ReportFile, TaskFile
from ropeteam.demo import estimates, folders, playing, recording, repository
from ropeteam.errors import BadInput
from ropeteam.testing import script, scripted


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


def passing(folder: Path) -> set[str]:
    """The sample's tests that pass."""
    done = subprocess.run(
        [sys.executable, "-m", "unittest", "discover", "-v"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    return set(re.findall(r"^\w+ \((\S+)\) \.\.\. ok$", done.stderr, re.MULTILINE))


def play(folder: Path, scratch: Path, unit: str = "single", played: script.Script | None = None) -> ReportFile:
    """Let the scripted agent play a unit's part in `folder`, as fast as it can. played: else that of `reservations`."""
    scratch.mkdir(exist_ok=True)
    written = recording.write(scratch / "script.json", played or recording.record(sys.executable))
    task = TaskFile(
        run="demo",
        unit=unit,
        attempt=1,
        kind="single",
        goal="",
        writes=("**",),
        reads=(),
        needs=(),
        feature=repository.RESERVATIONS,
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


@pytest.mark.slow
def test_playing_it_twice_changes_nothing_more(tmp_path: Path) -> None:
    folder = repository.make(tmp_path / "library")
    play(folder, tmp_path / "scratch")
    git(folder, "add", "--all")
    play(folder, tmp_path / "scratch")
    assert git(folder, "diff") == ""


# ---- several agents

NEEDS = {unit["id"]: set(unit["needs"]) for unit in estimates.read()["units"]}


class Team:
    """Units played each in a tree of its own, from as early a checkpoint as what they need allows, and merged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main = repository.make(folder / "library")
        self.plays = recording.record(sys.executable).units
        self.at = {"": git(self.main, "rev-parse", "HEAD").strip()}
        self.merged: list[str] = []

    def merge(self, unit: str) -> None:
        last = [other for other in self.merged if other in NEEDS[unit]]
        tree = self.folder / unit
        git(self.main, "worktree", "add", "--quiet", "--detach", str(tree), self.at[last[-1] if last else ""])
        with contextlib.chdir(tree):
            for step in self.plays[unit]:
                if isinstance(step, script.Write | script.Patch):
                    scripted.change_files(step)
        git(tree, "add", "--all")
        git(tree, "commit", "--quiet", "--message", unit)
        git(self.main, "cherry-pick", git(tree, "rev-parse", "HEAD").strip())
        self.at[unit] = git(self.main, "rev-parse", "HEAD").strip()
        self.merged.append(unit)

    def tree(self) -> str:
        return git(self.main, "rev-parse", "HEAD^{tree}").strip()


OWN_TESTS = {
    "02-reservations": ("reservation_models",),
    "03-notices": ("notices",),
    "08-entrance": ("waiting", "config"),
}
"""Of units whose own tests pass as soon as what they need is there; the others' wait for what runs beside them."""


def any_order(chance: random.Random) -> list[str]:
    order: list[str] = []
    while len(order) < len(NEEDS):
        order.append(chance.choice([unit for unit in NEEDS if unit not in order and NEEDS[unit] <= set(order)]))
    return order


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tree that one agent leaves: the sample with every file as it stands in `demo/feature`."""
    folder = repository.make(tmp_path_factory.mktemp("whole") / "library")
    shutil.copytree(folders.folder("feature"), folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "add", "--all")
    return git(folder, "write-tree").strip()


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_units_can_be_merged_in_any_order_that_their_needs_allow(seed: int, tmp_path: Path, whole: str) -> None:
    """After each of them everything that worked before still works, and in the end all is there."""
    team = Team(tmp_path)
    old = passing(team.main)
    assert len(old) == 50
    for unit in any_order(random.Random(seed)):
        team.merge(unit)
        now = passing(team.main)
        assert old <= now, team.merged
        for module in OWN_TESTS.get(unit, ()):
            written = (team.main / "tests" / f"test_{module}.py").read_text().count("    def test_")
            assert sum(name.startswith(f"tests.test_{module}.") for name in now) == written > 0
    assert team.tree() == whole
    assert run_tests(team.main) == 88


@pytest.mark.slow
def test_what_units_do_and_report_one_after_the_other(tmp_path: Path, whole: str) -> None:
    folder = repository.make(tmp_path / "library")
    reports = {unit: play(folder, tmp_path / "scratch", unit) for unit in NEEDS}
    git(folder, "add", "--all")
    assert git(folder, "write-tree").strip() == whole
    for unit, report in reports.items():
        assert [note.path for note in report.files] == list(recording.load().play_of(unit).files)
    assert sum(len(report.requests) for report in reports.values()) == 2
    assert reports["01-contract"].decisions


@pytest.mark.parametrize("kept", [0, 4, *(pytest.param(kept, marks=pytest.mark.slow) for kept in (1, 8, 9))])
def test_one_agent_finishes_whatever_is_missing(kept: int, tmp_path: Path, whole: str) -> None:
    team = Team(tmp_path)
    for unit in any_order(random.Random(kept))[:kept]:
        team.merge(unit)
    play(team.main, tmp_path / "scratch", "rest")
    git(team.main, "add", "--all")
    assert git(team.main, "write-tree").strip() == whole


# ---- features whose recording is composed


def finals(feature: str) -> Path:
    return playing.finals(feature)


def with_files(folder: Path, feature: str, paths: set[str] | None = None) -> None:
    """Put files of the feature into a copy of the sample; None: all."""
    for path in finals(feature).rglob("*"):
        at = path.relative_to(finals(feature))
        if path.is_file() and "__pycache__" not in at.parts and (paths is None or str(at) in paths):
            (folder / at).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / at)


@pytest.mark.parametrize(("feature", "tests"), [("house", 86), ("opening-hours", 3)])
def test_what_a_feature_ends_as_passes_all_its_tests(feature: str, tests: int, tmp_path: Path) -> None:
    folder = repository.make(tmp_path / "library")
    old = passing(folder)
    with_files(folder, feature)
    assert old <= passing(folder)
    assert run_tests(folder) == len(old) + tests


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> playing.Stage:
    return playing.prepare(tmp_path_factory.mktemp("house") / "demo")


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_units_of_the_house_can_be_merged_in_any_order(seed: int, house: playing.Stage, tmp_path: Path) -> None:
    """After each what worked before still works, and each brings tests that pass; in the end all is there."""
    played = script.load_script(house.recording)
    plan = house.prepared.plan
    assert plan is not None
    folder = repository.make(tmp_path / "library")
    old = passing(folder)
    units = [unit.id for unit in plan.units]
    random.Random(seed).shuffle(units)
    for unit in units:
        with contextlib.chdir(folder):
            for step in played.units[unit]:
                if isinstance(step, script.Write | script.Patch):
                    scripted.change_files(step)
        assert old <= passing(folder), unit
    assert run_tests(folder) == len(old) + 86
    for path in finals("house").rglob("*.py"):
        assert (folder / path.relative_to(finals("house"))).read_text() == path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["single", "rest"])
def test_one_agent_leaves_the_house_as_several_do(unit: str, house: playing.Stage, tmp_path: Path) -> None:
    folder = repository.make(tmp_path / "library")
    report = play(folder, tmp_path / "scratch", unit, script.load_script(house.recording))
    assert len(report.files) == 67
    assert all(note.purpose for note in report.files)
    git(folder, "add", "--all")
    assert len(git(folder, "diff", "--cached", "--name-only").splitlines()) == 67
    with_files(folder, "house")
    assert git(folder, "diff", "--name-only") == ""
    assert run_tests(folder) == 136


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        repository.make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
