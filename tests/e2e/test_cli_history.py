"""`ropeteam history` through the program: a repository's real runs, of one agent and of several."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cli_world import World

from repositories import git

PARTS = ("one", "two")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).make()
    yield made
    made.end()


def several(world: World, *, quantile: float = 1.2, middle: float = 1.5) -> tuple[str, ...]:
    """Arguments of a run of two units, with a prediction."""
    units = [{"id": p, "goal": f"Write {p}.", "needs": [], "writes": [f"{p}.py"]} for p in PARTS]
    plan: dict[str, Any] = {
        "units": [{**u, "estimate": {"seconds_p50": 200.0}} for u in units],
        "confidence": {"value": 0.95, "reasons": ["two files"]},
        "estimate": {
            "workers": 2,
            "gate_quantile": 0.25,
            "speedup_quantile": quantile,
            "speedup_p50": middle,
            "single": {"seconds_p50": 500.0, "tokens_p50": 4000, "cost_usd_p50": 0.2},
            "parallel": {"seconds_p50": 320.0, "tokens_p50": 5000, "cost_usd_p50": 0.3},
        },
    }
    (world.folder / "plan.json").write_text(json.dumps(plan))
    plays = {
        p: [
            {"do": "write", "path": f"{p}.py", "content": f"NAME = {p!r}\n"},
            {"do": "pause", "seconds": 200},
            {"do": "usage", "input": 1000, "cached": 200, "output": 300, "cost_usd": 0.25},
        ]
        for p in PARTS
    }
    (world.folder / "several.json").write_text(json.dumps({"units": plays}))
    sets = (f"agent.scripted.script={world.folder / 'several.json'}", "agent.scripted.time_scale=400")
    options = [part for each in sets for part in ("--set", each)]
    return (
        *("run", "times", "--agent", "scripted", "--mode", "parallel", "--plan", str(world.folder / "plan.json")),
        *("--yes", "--land", "yes", *options),
    )


def test_without_a_run_there_is_nothing_to_compare(world: World) -> None:
    done = world.run("history")
    assert done.code == 0, done.err
    assert "No run has ended here yet" in done.out
    assert not (world.repo / ".git" / "ropeteam").exists()  # looking leaves nothing behind
    said = world.run("history", "--json")
    assert said.code == 0
    assert (said.json["runs"], said.json["costs"]) == ([], [])


@pytest.mark.slow
def test_a_run_of_one_agent_and_one_of_several(world: World) -> None:
    first = world.run("run", "times", *world.scripted, "--yes", "--mode", "single")
    assert first.code == 0, first.err
    second = world.run(*several(world))
    assert second.code == 0, second.err + second.out
    said = world.run("history", "--json").json
    alone, both = said["runs"]
    report = world.run("report", "--json").json
    assert (alone["mode"], alone["outcome"]) == ("single", "delivered_single")
    before = world.run("report", alone["run"], "--json").json
    assert alone["predicted"]["single_seconds_p50"] == before["predicted"]["single_seconds_p50"]
    assert alone["actual"]["single_seconds"] == alone["actual"]["seconds"] == before["actual"]["seconds"]
    assert both["run"] == report["run"]
    assert both["actual"]["seconds"] == report["actual"]["seconds"]
    assert both["actual"]["speedup"] == report["actual"]["speedup_estimated"]
    assert both["predicted"]["speedup_quantile"] == report["predicted"]["speedup_quantile"] == 1.2
    assert both["predicted"]["confidence"] == report["predicted"]["confidence"] == 0.95
    assert (both["predicted"]["tokens_p50"], both["actual"]["tokens"]) == (5000, 3000)
    (line,) = said["calibration"]
    assert (line["agent"], line["runs"]) == ("scripted", 1)
    assert line["single_runs"] == (alone["predicted"]["single_seconds_p50"] is not None)
    assert line["held"] == (both["actual"]["speedup"] >= 1.2)
    assert said["fitted_runs"] == 2
    assert {c["name"] for c in said["costs"]} >= {"reading_seconds", "validation_seconds", "optimism"}

    text = world.run("history", env={"COLUMNS": "80"}).out
    assert max(len(row) for row in text.splitlines()) <= 80
    assert "several agents" in text
    assert "~" in text
    assert "too few to say" in text
    assert "feature time" in text
    assert not re.search(r"\x1b", text)

    chart = world.folder / "charts" / "past.svg"
    done = world.run("history", "--format", "html", "--chart", str(chart))
    assert done.code == 0, done.err
    assert done.out.startswith("<!doctype html>")
    assert "<svg" in done.out
    assert ElementTree.fromstring(chart.read_text()).tag.endswith("svg")
    assert world.run("history", "--format", "md").out.startswith("# ")
    assert git(world.repo, "status", "--porcelain") == ""


def test_a_run_that_cannot_be_read_is_left_out_and_the_rest_is_told(world: World) -> None:
    import sqlite3

    done = world.run("run", "times", *world.scripted, "--yes")
    assert done.code == 0, done.err
    with sqlite3.connect(world.repo / ".git" / "ropeteam" / "journal.sqlite") as db:
        db.execute(
            "INSERT INTO events VALUES ('20200101-000000-old-0000', 1, 1.0, 'RunStarted', ?)", (b'{"type":"X"}',)
        )
    db.close()
    said = world.run("history", "--json")
    assert said.code == 0, said.err
    assert len(said.json["runs"]) == 1
    assert "20200101-000000-old-0000 is left out" in said.json["skipped"][0]
    assert "Left out" in world.run("history").out


def test_there_is_no_chart_of_nothing(world: World) -> None:
    done = world.run("history", "--chart", str(world.folder / "c.svg"))
    assert done.code == 2
    assert "nothing to draw" in done.err
    assert not (world.folder / "c.svg").exists()
