"""Several agents in one run, through the command line: who does what, and who goes on when a quota is used up."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_world import World

REFUSED = 'print(\'{"event": "end", "outcome": "rate", "retry_at": 4000000000.0, "text": "5-hour limit"}\'); exit(1)'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path).make()
    yield made
    made.end()


def commanded(world: World, *more: str) -> tuple[str, ...]:
    argv = json.dumps([sys.executable, "-c", REFUSED])
    script = world.scripted[world.scripted.index("--agent") + 2 :]
    return ("run", "times", "--agent", "command", "--set", f"agent.command.argv={argv}", *script, *more)


def test_another_agent_goes_on_where_the_user_allowed_it_and_the_report_says_so(world: World) -> None:
    done = world.run(*commanded(world, "--set", 'agent.instead=["scripted", "claude"]', "--yes", "--json"))
    assert done.code == 0, done.err
    (single,) = done.json["units"]
    assert [(a["agent"], a["outcome"]) for a in single["attempts"]] == [("command", "rate"), ("scripted", "ok")]
    (quota,) = [t for t in done.json["triggers"] if t["id"] == "quota_exhausted"]
    assert quota["action"] == "retry"
    assert "scripted goes on in its place" in quota["evidence"]
    assert any("claude could not go on for another agent" in notice for notice in done.json["notices"])


def test_one_that_is_to_do_a_part_and_cannot_is_refused_before_anything_begins(world: World) -> None:
    done = world.run(*commanded(world, "--set", "agent.for.unit=claude:opus", "--yes", "--json"))
    assert done.code == 2
    error = done.json["error"]
    assert (error["code"], error["where"]) == ("agent_not_usable", "agent.for.unit")
    assert world.run("status", "--json").code == 2  # there is no run


def test_who_does_the_whole_feature_can_be_another_than_the_runs_own(world: World) -> None:
    done = world.run(*commanded(world, "--set", "agent.for.single=scripted:loud", "--yes", "--json"))
    assert done.code == 0, done.err
    assert [(a["agent"], a["model"]) for a in done.json["units"][0]["attempts"]] == [("scripted", "loud")]


def test_consent_shows_who_does_what_with_which_model_and_whom_no_sandbox_confines(world: World) -> None:
    asked = commanded(world, "--set", "agent.for.unit=host", "--set", 'agent.instead=["scripted:loud", "claude"]')
    seen = " ".join(world.at_terminal(*asked, answers=[("Go on? [Y/n]", "n\n")]).screen.split())
    assert "for units" in seen
    assert "goes on when another's quota is used up (loud)" in seen
    assert seen.count("claude could not go on for another agent (agent.instead)") == 1
    assert "There can be none around them: your host starts them" in seen


def test_a_program_that_is_gone_at_a_resume_parks_the_run_and_is_no_failed_try(world: World) -> None:
    program = world.folder / "agent.py"
    program.write_text(f"#!{sys.executable}\n{REFUSED}\n")
    program.chmod(0o755)
    args = ("--agent", "command", "--set", f'agent.command.argv=["{program}"]', "--mode", "single")
    assert world.run("run", "times", *args, "--yes", "--json").code == 4
    program.unlink()
    done = world.run("resume", "--json")
    assert (done.code, done.json["state"]) == (4, "parked")
    last = done.json["triggers"][-1]
    assert (last["id"], last["action"]) == ("agent_not_usable", "park")
    assert f"There is no program '{program}' that can be run" in last["evidence"]
    assert "Then `ropeteam resume` goes on" in last["evidence"]
    assert len(done.json["units"][0]["attempts"]) == 1  # none was begun
    program.write_text(f"#!{sys.executable}\nopen('times.py', 'w').write('def times(a, b):\\n    return a * b\\n')\n")
    program.chmod(0o755)
    done = world.run("resume", "--json")
    assert (done.code, done.json["outcome"]) == (0, "delivered_single"), done.err
