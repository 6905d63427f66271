"""An agent plans: its plan is carried out, mended, refused once and asked for again, or done without."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_world import FILES, WORK, Done, World

from repositories import git

INTENT = (
    "# Multiplication\n\n## Request\nA function `times(a, b)`.\n\n## Requirements\n\n"
    "| ID | Requirement |\n| --- | --- |\n| REQ-001 | Two numbers are multiplied |\n"
)
MODULE = "times.py"
TEST = "tests/test_times.py"
DOC = "docs/times.md"
GOOD: dict[str, Any] = {
    "units": [
        {
            "id": "times",
            "title": "Times",
            "goal": "Write times(a, b).",
            "needs": [],
            "writes": [MODULE, TEST],
            "provides": ["times"],
            "requirements": ["REQ-001"],
        },
        {"id": "docs", "title": "Docs", "goal": "Say what times does.", "needs": [], "writes": [DOC]},
    ],
    "files": [{"path": MODULE, "status": "A", "lines": 2}, {"path": DOC, "status": "A", "lines": 3}],
    "confidence": {"value": 0.7, "reasons": []},
}
DOCUMENTED = [
    {"do": "write", "path": DOC, "content": "times(2, 3) is 6.\n"},
    {"do": "report", "files": [{"path": DOC}]},
]


def unit(id: str, *writes: str, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"id": id, "goal": f"Do {id}.", "needs": list(needs), "writes": list(writes), "requirements": ["REQ-001"]}


UNSERVED = {"units": [{**one, "requirements": []} for one in GOOD["units"]]}
WRONG: dict[str, tuple[Any, str]] = {
    "cycle": ({"units": [unit("a", MODULE, needs=("b",)), unit("b", DOC, needs=("a",))]}, "in a circle: a -> b -> a"),
    "unknown file": (
        {"units": [unit("a", "gone.py")], "files": [{"path": "gone.py", "status": "M"}]},
        "`gone.py` of `a` is an unknown file",
    ),
    "unknown unit": ({"units": [unit("a", MODULE, needs=("models",))]}, "needs 'models', which is no unit"),
    "outside": ({"units": [unit("a", "../other/x.py")]}, "leads out of the repository"),
    "overlap": ({"units": [unit("a", "**/t*.py"), unit("b", "tests/")]}, "both own tests/"),
    "missing requirement": (UNSERVED, "No unit serves REQ-001 (Two numbers are multiplied)"),
    "prose": ("I would write times.py first, and then its documentation.", "no JSON object with `units`"),
    "empty": ({"units": []}, "at least one"),
    "10,000 units": ({"units": [unit(f"u{n}", f"{n}.py") for n in range(10_000)]}, "there are 10,000 units"),
}
MENDED: dict[str, tuple[Any, str]] = {
    "prose around it": (f"Here is the plan:\n```json\n{json.dumps(GOOD)}\n```\nThat is all.", ""),
    "overlap": (
        {"units": [unit("times", MODULE, TEST, DOC), unit("docs", DOC)]},
        "`docs/times.md` had several owners and is `docs`'s alone",
    ),
    "a test apart": (
        {"units": [unit("times", MODULE), unit("docs", DOC, TEST)]},
        "Tests stay with the code they test: `tests/test_times.py` of `docs` go to `times`",
    ),
    "ids and paths": (
        {"units": [unit("Times", f"./{MODULE}", TEST), unit("docs", DOC, needs=("times.py",))]},
        "The unit 'Times' is called `times`",
    ),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).make({**FILES, ".workspace/features/times/01-intent.md": INTENT})
    yield made
    made.end()


def plays(world: World, *plans: Any, **more: Any) -> None:
    """What is proposed, try by try, and that everybody else does their work."""
    tries = {f"plan/{n}": [{"do": "report", "plan": plan}] for n, plan in enumerate(plans, start=1)}
    units = {**tries, "times": WORK, "docs": DOCUMENTED, "single": WORK, "rest": WORK, **more}
    (world.folder / "script.json").write_text(json.dumps({"units": units}))


def run(world: World, *more: str) -> Done:
    done = world.run("run", "times", "--planner", "agent", *world.scripted, "--yes", "--json", *more)
    assert done.code == 0, (done.out, done.err)
    return done


def attempts(done: Done) -> dict[str, list[str]]:
    return {u["id"]: [a["outcome"] for a in u["attempts"]] for u in done.json["units"] if u["attempts"]}


def test_its_plan_is_carried_out(world: World) -> None:
    plays(world, GOOD)

    done = run(world, "--mode", "parallel")

    assert attempts(done) == {"plan": ["ok"], "times": ["ok"], "docs": ["ok"]}
    assert done.json["outcome"] == "delivered_parallel"
    assert git(world.repo, "ls-files", MODULE, TEST, DOC).split() == [DOC, TEST, MODULE]
    assert not done.json["triggers"] or {t["action"] for t in done.json["triggers"]} == {"notice"}
    without = "It planned without a tool to think with: the agent scripted takes no MCP server."
    assert any(without in notice for notice in done.json["notices"])


def mostly_slow(names: Iterable[str], quick: str) -> list[Any]:
    return [name if name == quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(MENDED, "prose around it"))
def test_what_can_be_mended_is_mended_and_said(world: World, name: str) -> None:
    plan, said = MENDED[name]
    plays(world, plan)

    planned = world.run("plan", "times", "--planner", "agent", *world.scripted, "--yes", "--explain")
    went_on = world.run("resume", "--json")

    assert planned.code == 0, (planned.out, planned.err)
    assert said in " ".join(planned.out.split()), planned.out
    assert "planned by scripted" in planned.out
    assert went_on.code == 0, (went_on.out, went_on.err)
    assert attempts(went_on)["plan"] == ["ok"]
    assert (world.repo / MODULE).exists()


@pytest.mark.parametrize("name", mostly_slow(WRONG, "cycle"))
def test_a_wrong_plan_is_refused_twice_and_the_run_goes_on_without(world: World, name: str) -> None:
    plan, fault = WRONG[name]
    plays(world, plan, plan)

    done = run(world)

    assert attempts(done) == {"plan": ["ok", "ok"], "single": ["ok"]}
    assert done.json["outcome"] == "delivered_single"
    refused = [t for t in done.json["triggers"] if t["id"] == "plan_refused"]
    assert [t["action"] for t in refused] == ["retry", "notice"]
    assert all(fault in t["evidence"] for t in refused), refused
    second = next(world.folder.glob("trees/**/plan-2/io/prompt.md")).read_text()
    assert "What was wrong with your plan" in second
    assert fault in second
    page = " ".join(world.run("report").out.split())
    assert "cannot be carried out" in page
    assert "The static plan counts." in page
    assert (world.repo / MODULE).exists()


@pytest.mark.slow
def test_asked_again_it_does_better(world: World) -> None:
    plays(world, WRONG["cycle"][0], GOOD)

    done = run(world, "--mode", "parallel")

    assert attempts(done) == {"plan": ["ok", "ok"], "times": ["ok"], "docs": ["ok"]}
    assert [t["action"] for t in done.json["triggers"] if t["id"] == "plan_refused"] == ["retry"]


@pytest.mark.slow
def test_what_a_planner_writes_is_kept_and_never_used(world: World) -> None:
    plays(world, GOOD)
    script = json.loads((world.folder / "script.json").read_text())
    script["units"]["plan/1"].insert(0, {"do": "write", "path": "harm.py", "content": "x = 1\n"})
    (world.folder / "script.json").write_text(json.dumps(script))

    done = run(world, "--mode", "parallel")

    (attempt,) = next(u for u in done.json["units"] if u["id"] == "plan")["attempts"]
    assert "harm.py" in git(world.repo, "ls-tree", "--name-only", attempt["ref"]).split()
    assert "harm.py" not in git(world.repo, "ls-tree", "--name-only", "HEAD").split()
    assert "harm.py" not in {f["path"] for f in done.json["files"]["created"]}


@pytest.mark.slow
@pytest.mark.parametrize("play", [[{"do": "exit", "code": 3}], []], ids=["crash", "no plan"])
def test_an_agent_that_gives_no_plan_is_done_without(world: World, play: list[dict[str, Any]]) -> None:
    plays(world, **{"plan": play})

    done = run(world)

    assert len(attempts(done)["plan"]) == 2
    assert attempts(done)["single"] == ["ok"]
    assert done.json["outcome"] == "delivered_single"
