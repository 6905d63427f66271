"""gemini itself, in what the fault matrix does not ask: what it sends first, prompts of any length, planning."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from agent_worlds import PLACE, World, make
from all_rigs import RIGS
from cases import Case
from playing import a_task
from starting import run

from ropeteam.ports import Task
from ropeteam.testing.model_server import ModelServer, Turn, WriteFile

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]

RIG = RIGS["gemini"]
SHARED = "What all attempts of a run share, @README.md too.\n" * 50


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        yield Path(folder)


def world_and_task(place: Path, name: str, server: ModelServer, **changes: Any) -> tuple[World, Task]:
    world = make(place / name, RIG.home(server.base_url(name)))
    task = a_task(world, RIG, Case(), server.base_url(name))
    return world, msgspec.structs.replace(task, **{"shared_prompt": SHARED, **changes})


def test_what_all_share_is_sent_first_and_is_the_same_for_every_tree(place: Path, server: ModelServer) -> None:
    bodies = []
    for name in ("one", "another"):
        world, task = world_and_task(place, name, server, unit=name, own_prompt=f"Do {name}.")
        server.script(name, [Turn(text="Done.")], directory=str(world.tree))
        finish, _ = run(RIG, world, task, server.base_url(name))
        assert finish.outcome == "ok", finish.evidence
        bodies.append(server.requests(name)[0].body)
    one, another = bodies

    shared = "What all attempts of a run share, @README.md"
    system, other = (body["systemInstruction"]["parts"][0]["text"] for body in bodies)
    end = system.rindex(shared) + len(shared)
    assert system.count(shared) == 50
    assert system[:end] == other[:end]
    assert str(place) not in system[:end]
    assert one["tools"] == another["tools"]
    assert "Do one." in json.dumps(one["contents"])


def test_a_prompt_of_300_kb_arrives_whole(place: Path, server: ModelServer) -> None:
    long = "".join(f"line {number} of a long task\n" for number in range(12_000))
    assert len(long) > 300_000
    world, task = world_and_task(place, "long", server, own_prompt=long)
    server.script("long", [Turn(text="Done.")], directory=str(world.tree))

    finish, _ = run(RIG, world, task, server.base_url("long"))

    assert finish.outcome == "ok", finish.evidence
    assert json.dumps(long.strip())[1:-1] in json.dumps(server.requests("long")[0].body["contents"])


def test_who_plans_can_write_its_plan_and_nothing_else(place: Path, server: ModelServer) -> None:
    world, task = world_and_task(place, "plan", server, kind="plan")
    plan: dict[str, Any] = {"plan": {"units": []}}
    calls = (
        WriteFile(path=str(task.report_file), content=json.dumps(plan)),
        WriteFile(path="app.py", content="x"),
        WriteFile(path=str(task.report_file.with_name("other.json")), content="x"),
    )
    server.script("plan", [*(Turn(calls=(call,)) for call in calls), Turn(text="Done.")], directory=str(world.tree))

    finish, said = run(RIG, world, task, server.base_url("plan"))

    assert json.loads(finish.report.plan) == plan["plan"]
    assert finish.outcome == "denied", finish.evidence
    assert [one.kind for one in said].count("denied") == 2
    assert list(world.tree.iterdir()) == []
    assert not task.report_file.with_name("other.json").exists()
    (tools,) = server.requests("plan")[0].body["tools"]
    offered = {tool["name"] for tool in tools["functionDeclarations"]}
    assert "read_file" in offered
    assert not {"run_shell_command", "replace", "web_fetch"} & offered
