"""`ropeteam demo`: several agents on the sample, and each fault of one of them, played as fast as it can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ropeteam.demo import estimates, faults, playing, recording, repository

FAST = 600.0
SCALED = 100.0
"""So fast that the checks' real time does not look like more than the units' own."""
UNITS = [unit["id"] for unit in estimates.read()["units"]]
CODE = """
import sys
from ropeteam.demo import playing
playing.prepare.__kwdefaults__['time_scale'] = float(sys.argv.pop(1))
sys.argv[0] = 'ropeteam'
from ropeteam.cli import main
sys.exit(main())
"""


@dataclass
class Played:
    repo: Path
    said: str
    report: dict[str, Any]

    def units(self, state: str) -> list[str]:
        return [unit["id"] for unit in self.report["units"] if unit["state"] == state]

    def attempts(self, unit: str) -> list[str]:
        (one,) = [other for other in self.report["units"] if other["id"] == unit]
        return [attempt["outcome"] for attempt in one["attempts"]]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def play(folder: Path, *arguments: str, scale: float = FAST) -> Played:
    """A demo that ends delivered, with the feature on the branch, whatever was played."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "XDG_CACHE_HOME": str(folder / "no")}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(scale), "demo", "--keep", "here", "--json", *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    played = Played(folder / "here" / "library", done.stderr, json.loads(done.stdout))
    assert (played.report["state"], played.report["landed"]) == ("ended", True)
    for path, text in finals(arguments).items():
        assert (played.repo / path).read_text() == text, path
    assert git(played.repo, "status", "--porcelain") == ""
    assert git(played.repo, "log", "-1", "--format=%an") == "Demo"
    assert [check["state"] for check in played.report["checks"]] == ["passed"]
    assert not (folder / "no").exists()
    return played


def finals(arguments: tuple[str, ...]) -> dict[str, str]:
    """Every file of the feature that is played, as it has to be in the end."""
    if "reservations" in arguments or "--fault" in arguments:
        return {path: recording.final(path) for path in recording.load().purposes}
    folder = playing.finals("opening-hours" if "opening-hours" in arguments else "house")
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def test_ropeteam_decides_by_itself_for_several_agents(tmp_path: Path) -> None:
    played = play(tmp_path, scale=SCALED)
    report = played.report
    assert report["outcome"] == "delivered_parallel", report["triggers"]
    assert report["triggers"] == []
    assert report["predicted"]["mode"] == "parallel"
    assert report["predicted"]["speedup_quantile"] >= 1.5
    assert len(played.units("validated")) >= 4
    assert len(git(played.repo, "log", "--format=%(trailers:key=Ropeteam-Unit,valueonly)").split()) >= 4


def test_a_small_feature_is_one_agents_and_it_is_said_why(tmp_path: Path) -> None:
    played = play(tmp_path, "--feature", "opening-hours")
    report = played.report
    assert report["outcome"] == "delivered_single"
    decided = [one["id"] for one in report["triggers"] if one["action"] == "single"]
    assert "sequential_time_below_minimum" in decided
    assert "One agent would take" in played.said
    assert "the least is 300 s" in played.said


def test_a_fault_is_not_played_in_another_feature(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ropeteam", "demo", "--keep", "here", "--feature", "house", "--fault", "crash"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Leave out --feature house" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_plan_that_is_given_is_carried_out(tmp_path: Path) -> None:
    played = play(tmp_path, "--feature", "reservations", scale=25.0)
    assert played.report["outcome"] == "delivered_parallel"
    assert played.report["triggers"] == []
    assert played.units("validated") == UNITS
    assert all(played.attempts(unit) == ["ok"] for unit in UNITS)
    commits = git(played.repo, "log", "--format=%(trailers:key=Ropeteam-Unit,valueonly)").split()
    assert sorted(commits) == UNITS
    assert played.report["predicted"]["mode"] == "parallel"
    assert played.report["predicted"]["speedup_quantile"] >= 1.5


@pytest.mark.parametrize("feature", [pytest.param("house", marks=pytest.mark.slow), "reservations"])
def test_one_agent_does_it_too(feature: str, tmp_path: Path) -> None:
    played = play(tmp_path, "--feature", feature, "--mode", "single")
    assert played.report["outcome"] == "delivered_single"
    assert played.attempts("single") == ["ok"]


def test_a_fault_needs_several_agents(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ropeteam", "demo", "--keep", "here", "--mode", "single", "--fault", "crash"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--mode single" in done.stderr
    assert list(tmp_path.iterdir()) == []


QUICK = ("conflict",)
FALLS = [name for name, fault in faults.FAULTS.items() if fault.trigger != "quota_exhausted"]


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FALLS]
)
def test_a_fault_ends_delivered_by_one_agent_and_explained(name: str, tmp_path: Path) -> None:
    fault = faults.FAULTS[name]
    played = play(tmp_path, "--fault", name)
    report = played.report
    assert report["outcome"] == "delivered_after_fallback"
    (trigger,) = [one for one in report["triggers"] if one["action"] == "salvage"]
    assert trigger["id"] == fault.trigger
    assert trigger["evidence"]
    assert played.attempts("rest") == ["ok"]
    # what is validated was done once
    kept = played.units("validated")
    assert "01-contract" in kept
    assert {unit: played.attempts(unit) for unit in kept} == {unit: ["ok"] for unit in kept}, report["triggers"]
    if name == "budget":  # nothing was wrong with the work itself
        assert trigger["unit"] == fault.unit
    else:
        # of two that change the same lines it is the later one, which is not always the same
        owners = (fault.unit, "02-reservations") if name == "conflict" else (fault.unit,)
        assert trigger["unit"] in owners
        assert trigger["unit"] not in kept
        assert all(attempt["ref"] for unit in report["units"] for attempt in unit["attempts"])
    assert f"Fault {name}: {fault.says}" in played.said
    assert fault.trigger in played.said
    log = played.repo / ".workspace" / "features" / repository.RESERVATIONS / "02-implementation.md"
    assert fault.trigger in log.read_text()


@pytest.mark.slow
def test_a_quota_that_is_used_up_parks_and_goes_on_in_parallel(tmp_path: Path) -> None:
    played = play(tmp_path, "--fault", "quota")
    report = played.report
    assert report["outcome"] == "delivered_parallel"
    assert [one["id"] for one in report["triggers"] if one["action"] == "park"] == ["quota_exhausted"]
    assert played.attempts("04-waiting-list") == ["rate", "rate", "ok"]
    assert played.units("validated") == UNITS
    assert "and does `ropeteam resume`" in played.said
