"""opencode itself, in what the fault matrix does not ask: what it sends first, prompts of any length, planning."""

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

from ropeteam.core.settings import Plan
from ropeteam.ports import Fork, Task
from ropeteam.testing.model_server import McpCall, ModelServer, Shell, Turn, WriteFile

pytestmark = [pytest.mark.agents, pytest.mark.timeout(300)]

RIG = RIGS["opencode"]
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
    one, _ = bodies

    shared = SHARED.strip()
    system, other = (body["messages"][0]["content"] for body in bodies)
    end = system.index(shared) + len(shared)
    assert system[:end] == other[:end]
    assert str(place) not in system[:end], "its place comes after it"
    tools, others = (json.dumps(body["tools"]) for body in bodies)  # they name the temporary folder, which is one
    assert tools.replace("/one/", "/another/") == others
    assert "Do one." in one["messages"][1]["content"]


def test_a_prompt_of_300_kb_arrives_whole(place: Path, server: ModelServer) -> None:
    long = "".join(f"line {number} of a long task\n" for number in range(12_000))
    assert len(long) > 300_000
    world, task = world_and_task(place, "long", server, own_prompt=long)
    server.script("long", [Turn(text="Done.")], directory=str(world.tree))

    finish, _ = run(RIG, world, task, server.base_url("long"))

    assert finish.outcome == "ok", finish.evidence
    assert json.dumps(long.strip())[1:-1] in json.dumps(server.requests("long")[0].body["messages"])


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
    assert [path.name for path in world.tree.iterdir()] == [".git"]
    assert not task.report_file.with_name("other.json").exists()
    offered = {tool["function"]["name"] for tool in server.requests("plan")[0].body["tools"]}
    assert {"read", "write"} <= offered
    assert not {"bash", "task", "webfetch"} & offered


def test_who_plans_thinks_with_the_server_it_is_given(place: Path, server: ModelServer) -> None:
    program = Path(RIG.argv()[0]).parent / Plan().thinking_argv[0]
    world, task = world_and_task(place, "think", server, kind="plan", thinking=(str(program),))
    thought = {"thought": "What builds on what?", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}
    call = McpCall(server="sequential-thinking", tool="sequentialthinking", input=thought)
    server.script("think", [Turn(calls=(call,)), Turn(text="My plan.")], directory=str(world.tree))

    finish, said = run(RIG, world, task, server.base_url("think"))

    assert finish.outcome == "ok", finish.evidence
    assert finish.report.plan == "My plan."
    assert any("What builds on what?" in one.text for one in said)
    assert "thoughtHistoryLength" in json.dumps(server.requests("think")[-1].body["messages"]), "its answer came back"


def test_who_plans_is_offered_what_others_have_who_go_on_from_it_and_is_refused_it(
    place: Path, server: ModelServer
) -> None:
    tools = []
    for name, kind in (("plan", "plan"), ("unit", "unit")):
        world, task = world_and_task(place, name, server, kind=kind, as_planner=True)
        call = Shell(command="echo x > made.txt")
        server.script(name, [Turn(calls=(call,)), Turn(text="Done.")], directory=str(world.tree))
        run(RIG, world, task, server.base_url(name))
        tools.append([tool["function"]["name"] for tool in server.requests(name)[0].body["tools"]])
        assert (world.tree / "made.txt").exists() == (kind == "unit")
    assert tools[0] == tools[1]
    assert "bash" in tools[0]


def test_a_conversation_that_is_not_there_is_seen_at_once(place: Path, server: ModelServer) -> None:
    fork = Fork(session="ses_000000000001AAAAAAAAAAAAAA", tree=place / "lost" / "tree", folder=place)
    world, task = world_and_task(place, "lost", server, kind="unit", fork=fork)
    server.script("lost", [Turn(text="Done.")], directory=str(world.tree))

    finish, _ = run(RIG, world, task, server.base_url("lost"))

    assert finish.unforked, finish
    assert finish.outcome == "crashed"
    assert server.requests("lost") == []
