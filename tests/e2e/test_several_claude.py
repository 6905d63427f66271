"""Three real claude programs at once, each on a unit of one plan, against a model on the loopback interface."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_runs import NAME, ClaudeRun, claude_run
from driving import FEATURE, Done, must_hold, wait_until

from repositories import git
from ropeteam.agents.claude import bundled
from ropeteam.testing.model_server import Shell, Status, StructuredReport, Turn, WriteFile

pytestmark = pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed")

HELD = Turn(calls=(Shell(command="touch at-it; while [ ! -e go ]; do sleep 0.01; done; rm at-it go"),))
"""The model's shell command waits for a file in the work tree."""
UNITS = ("farewell", "thanks", "welcome")


def files_of_unit(unit: str) -> dict[str, str]:
    test = f"import unittest\n\nimport {unit}\n\n\nclass {unit.title()}(unittest.TestCase):\n"
    return {
        f"{unit}.py": f'def say(name):\n    return f"{unit} {{name}}"\n',
        f"tests/test_{unit}.py": f'{test}    def test_names(self):\n        self.assertIn("you", {unit}.say("you"))\n',
    }


def plan() -> dict[str, Any]:
    return {
        "units": [
            {"id": unit, "title": f"Say {unit}", "goal": f"A module {unit}.py that says it.", "writes": files}
            for unit in UNITS
            for files in [list(files_of_unit(unit))]
        ]
    }


def work(unit: str) -> Turn:
    calls = tuple(WriteFile(path=path, content=text) for path, text in files_of_unit(unit).items())
    return Turn(text=f"Writing {unit}.", calls=calls)


def said(unit: str) -> Turn:
    content = {
        "files": [{"path": path, "purpose": f"purpose of {path}"} for path in files_of_unit(unit)],
        "decisions": [{"decision": f"{unit} is a module", "rationale": "So are the others."}],
        "deviations": [],
    }
    return Turn(calls=(StructuredReport(content=content),))


def own_task(unit: str) -> str:
    """What only the prompt of that unit says."""
    return f"This is the unit `{unit}` of the feature"


@pytest.fixture(params=["sandbox", pytest.param("no sandbox", marks=pytest.mark.slow)])
def c(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ClaudeRun]:
    with claude_run(tmp_path, sandbox=request.param == "sandbox") as made:
        made.model()
        yield made


def args(c: ClaudeRun, *more: str) -> tuple[str, ...]:
    path = c.p.folder / "plan.json"
    path.write_text(json.dumps(plan()))
    sets = [part for setting in c.sets for part in ("--set", setting)]
    return (
        "run",
        FEATURE,
        "--agent",
        "claude",
        "--mode",
        "parallel",
        "--plan",
        str(path),
        "--yes",
        "--json",
        *sets,
        *more,
    )


def let_go_once_all_are_at_work(c: ClaudeRun) -> list[Path]:
    """Wait until each of the three stands at its gate, at the same time, then open the gates. Gives the trees."""
    c.p.wait_event("AttemptStarted", 3)
    trees = [Path(event["tree"]) for event in c.p.events("AttemptStarted")]
    wait_until(lambda: all((tree / "at-it").exists() for tree in trees), "three claudes at work at once")
    for tree in trees:
        (tree / "go").touch()
    return trees


def ended(c: ClaudeRun, done: Done) -> Any:
    must_hold(c.p)
    wait_until(lambda: not c.claudes(), "the end of every claude", seconds=5)
    report = done.json
    assert c.p.report() == report
    return report


@pytest.mark.slow
def test_three_claudes_work_at_once_and_all_of_it_lands(c: ClaudeRun) -> None:
    for unit in UNITS:
        c.server.script_for(NAME, own_task(unit), (HELD, work(unit), said(unit)))
    child = c.p.start(*args(c))
    trees = let_go_once_all_are_at_work(c)
    done = c.p.ended(child)
    assert done.code == 0, done
    report = ended(c, done)

    assert (report["outcome"], report["winner"], report["landed"]) == ("delivered_parallel", "parallel", True)
    assert report["triggers"] == []
    assert len(set(trees)) == 3
    units = {unit["id"]: unit for unit in report["units"]}
    assert list(units) == list(UNITS)
    for unit in units.values():
        (attempt,) = unit["attempts"]
        assert (unit["state"], attempt["outcome"], attempt["agent"]) == ("validated", "ok", "claude")
        assert attempt["cost_usd"] > 0
        assert sum(attempt["tokens"].values()) > 1000
    money = sum(unit["attempts"][0]["cost_usd"] for unit in units.values())
    assert report["actual"]["cost_usd"] == pytest.approx(money, abs=0.001)
    for unit in UNITS:
        for path, text in files_of_unit(unit).items():
            assert (c.p.top / path).read_text() == text
    assert [(check["state"], check["added"]) for check in report["checks"]] == [("passed", 3)]
    subjects = git(c.p.top, "log", "--format=%s", f"{report['base']}..main").splitlines()
    assert sorted(subjects[1:]) == [f"Say {unit}" for unit in UNITS], "one commit a unit, below the run's documents"
    assert git(c.p.top, "status", "--porcelain") == ""
    assert sorted({event["slot"] for event in c.p.events("AttemptStarted")}) == [1, 2, 3]


@pytest.mark.slow
def test_each_is_told_its_own_part_after_what_is_the_same_for_all(c: ClaudeRun) -> None:
    for unit in UNITS:
        c.server.script_for(NAME, own_task(unit), (work(unit), said(unit)))
    done = c.p.ropeteam(*args(c))
    assert done.code == 0, done
    ended(c, done)
    firsts = [conversation[0] for conversation in c.conversations()]
    assert len(firsts) == 3
    texts = {unit: next(one.text for one in firsts if own_task(unit) in one.text) for unit in UNITS}
    for unit, text in texts.items():
        shared, _, task = text.partition("# Your task")
        assert all(f"{other}.py" in shared for other in UNITS), "who owns what is told to everybody"
        assert f"A module {unit}.py that says it." in task
        assert not any(f"A module {other}.py" in task for other in UNITS if other != unit)
    prompts = [(Path(e["folder"]) / "io" / "prompt.md").read_text() for e in c.p.events("AttemptStarted")]
    same = {re.split("^# (?:Read for you|Your task)$", prompt, flags=re.MULTILINE)[0] for prompt in prompts}
    assert len(same) == 1, "the beginning is the same to the byte"
    assert "# The units of this feature" in same.pop()


@pytest.mark.slow
def test_one_that_gives_up_leaves_the_rest_to_a_claude_that_finishes_it(c: ClaudeRun) -> None:
    c.server.script_for(NAME, own_task("farewell"), (work("farewell"), said("farewell")))
    c.server.script_for(NAME, own_task("thanks"), (), (Status(status=400),))
    c.server.script_for(NAME, own_task("welcome"), (work("welcome"), said("welcome")))
    c.server.script_for(NAME, "## What is done already", (work("thanks"), said("thanks")))
    done = c.p.ropeteam(*args(c))
    assert done.code == 0, done
    report = ended(c, done)
    assert (report["outcome"], report["landed"]) == ("delivered_after_fallback", True)
    units = {unit["id"]: unit["state"] for unit in report["units"]}
    assert units == {"farewell": "validated", "thanks": "superseded", "welcome": "validated", "rest": "validated"}
    (trigger,) = report["triggers"]
    assert (trigger["id"], trigger["unit"], trigger["action"]) == ("agent_crashed", "thanks", "salvage")
    for unit in UNITS:
        for path, text in files_of_unit(unit).items():
            assert (c.p.top / path).read_text() == text
