"""`ropeteam plan` as a user starts it: what it prints, that it changes nothing and needs no agent, that its plan can be
given back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import FILES, World

from repositories import git

PLAN = {
    "units": [
        {"id": "01-times", "title": "Multiply", "goal": "Add times.", "writes": ["times.py", "tests/test_times.py"]},
        {"id": "02-power", "title": "Powers", "goal": "Add power.", "writes": ["power.py", "tests/test_power.py"]},
    ]
}
NO_AGENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).make()
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    yield made
    made.end()


def given(world: World) -> tuple[str, ...]:
    return "plan", "times", "--plan", str(world.folder / "plan.json")


def everything(world: World) -> tuple[str, list[tuple[str, bytes]]]:
    """Refs and every file, those of ropeteam in the common git directory included."""
    skipped = {"index"}  # git itself refreshes it
    files = [p for p in world.repo.rglob("*") if p.is_file() and p.name not in skipped]
    return git(world.repo, "for-each-ref"), sorted((str(p), p.read_bytes()) for p in files)


def test_a_plan_is_shown_and_nothing_is_changed(world: World) -> None:
    before = everything(world)
    done = world.run(*given(world), env=NO_AGENT)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith(("✓ Several agents: ", "● One agent: "))
    for part in ("What several agents need", "Predicted: ", "2 units in 1 batch, at most 2 at once", "Multiply"):
        assert part in done.out
    assert f"ropeteam run times --plan {world.folder / 'plan.json'}" in " ".join(done.out.split())
    assert everything(world) == before


def test_at_80_columns_no_line_is_longer(world: World) -> None:
    done = world.run(*given(world), "--explain", env={"COLUMNS": "80"})
    assert max(len(line) for line in done.out.splitlines() if "ropeteam " not in line) <= 80
    assert "Where the figures come from: " in done.out


def test_what_json_prints_can_be_given_back(world: World) -> None:
    first = world.run(*given(world), "--json")
    assert (first.code, first.err) == (0, "")
    assert [u["id"] for u in first.json["units"]] == ["01-times", "02-power"]
    assert first.json["base"] == git(world.repo, "rev-parse", "HEAD").strip()
    assert first.json["estimate"]["single"]["seconds_p50"] > 0
    (world.folder / "again.json").write_text(first.out)
    again = world.run("plan", "times", "--plan", str(world.folder / "again.json"), "--json")
    assert again.json == first.json
    explained = world.run(*given(world), "--json", "--explain").json
    assert explained.keys() - first.json.keys() == {"explanation", "survey", "costs"}
    ran = world.run("run", "times", "--plan", str(world.folder / "again.json"), *world.scripted, "--yes", "--json")
    assert ran.json["decision"]["mode"] == first.json["decision"]["mode"]
    assert ran.json["predicted"]["single_seconds_p50"] == first.json["estimate"]["single"]["seconds_p50"]
    assert first.json["sentence"] in ran.err


def test_the_same_plan_has_the_same_figures(world: World) -> None:
    assert world.run(*given(world), "--json").out == world.run(*given(world), "--json").out


def test_without_a_plan_it_is_planned_without_a_model(world: World) -> None:
    done = world.run("plan", "times", "--planner", "static", "--json", env=NO_AGENT)
    assert (done.code, done.err) == (0, "")
    assert done.json["planner"] == "static"
    assert done.json["decision"]["mode"] == "single"


def test_the_mode_that_is_asked_for_is_the_decision(world: World) -> None:
    for mode in ("single", "parallel"):
        done = world.run(*given(world), "--mode", mode, "--json")
        assert done.json["decision"]["mode"] == mode
    assert done.json["decision"]["triggers"] == []


def test_quiet_is_the_decision_in_one_sentence(world: World) -> None:
    done = world.run(*given(world), "--quiet")
    assert done.out == world.run(*given(world), "--json").json["sentence"] + "\n"


def test_what_is_not_committed_is_in_the_way_of_an_agent_only(world: World) -> None:
    (world.repo / "calc.py").write_text(FILES["calc.py"] + "\n# changed\n")
    done = world.run(*given(world))
    assert done.code == 0
    assert "planned on the last commit, without them" in " ".join(done.out.split())
    asked = world.run("plan", "times", "--planner", "agent", *world.scripted, "--yes", "--json")
    assert (asked.code, asked.json["error"]["code"]) == (2, "dirty")


def test_an_agent_plans_only_with_consent(world: World) -> None:
    before = everything(world)
    done = world.run("plan", "times", "--planner", "agent", *world.scripted, "--json")
    assert (done.code, done.json["error"]["code"]) == (2, "consent_needed")
    after = everything(world)
    assert (after[0], [f for f in after[1] if ".git/ropeteam/" not in f[0]]) == before


def test_a_feature_on_standard_input(world: World) -> None:
    done = world.run("plan", "-", "--planner", "static", stdin="# Division\n\nAdd `divide`.\n")
    assert done.code == 0
    assert "feature stdin" in done.out
    assert "Next" not in done.out


PROPOSED = [{"do": "progress", "text": "Reading"}, {"do": "report", "plan": PLAN}]


def plays(world: World, **units: object) -> None:
    (world.folder / "script.json").write_text(json.dumps({"units": {"single": world.script, **units}}))


def test_what_an_agent_planned_is_carried_out_by_resume(world: World) -> None:
    plays(world, plan=PROPOSED)
    done = world.run("plan", "times", "--planner", "agent", *world.scripted, "--yes", env={"COLUMNS": "100"})
    assert done.code == 0
    assert "planned by scripted" in done.out
    assert "plan/1: scripted reads the code and plans." in done.err
    assert "02-power" in done.out
    status = world.status()
    assert (status["state"], status["outcome"]) == ("interrupted", None)
    assert [u["id"] for u in status["units"]] == ["plan"]
    assert f"ropeteam resume {status['run']}" in done.out
    assert "Planned. Nothing has been begun yet." in world.run("report").out
    assert git(world.repo, "log", "--format=%s") == "first"
    ended = world.run("resume", "--yes", "--json")
    assert (ended.code, ended.json["outcome"], ended.json["run"]) == (0, "delivered_single", status["run"])
    assert ended.json["decision"] == status["decision"]


def test_an_agents_plan_as_json(world: World) -> None:
    plays(world, plan=PROPOSED)
    done = world.run("plan", "times", "--planner", "agent", *world.scripted, "--yes", "--json")
    assert (done.json["planner"], done.json["run"]) == ("agent", world.status()["run"])
    assert [u["id"] for u in done.json["units"]] == ["01-times", "02-power"]


@pytest.mark.slow
def test_without_a_usable_plan_of_an_agent_the_static_one_is_shown_and_said(world: World) -> None:
    plays(world, plan=[{"do": "report", "plan": {"units": []}}])
    done = world.run("plan", "times", "--planner", "agent", *world.scripted, "--yes")
    assert done.code == 0
    assert "planned without a model" in done.out
    assert "The static plan counts." in " ".join(done.out.split())
    assert "plan/2: scripted plans once more, told what was wrong." in done.err
