"""The fault matrix: every adapter with its real program, against a model on the loopback interface that fails in every
way a provider does. What is to come of each case stands in `tests/golden/<agent>/expected.toml`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_worlds import NOT_FOR_AGENTS, a_folder
from all_rigs import RIGS
from cases import CASES, ENVIRONMENT
from playing import GRACE_SECONDS, Played, play

from agent_expectations import check, expected, has, left_out
from ropeteam.testing.model_server import ModelServer

pytestmark = [pytest.mark.agents, pytest.mark.timeout(600)]

MATRIX = [(agent, case) for agent in RIGS for case in CASES if case not in left_out(agent)]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def folder() -> Iterator[Path]:
    with a_folder() as folder:
        yield Path(folder, "attempt")


@pytest.mark.parametrize("agent", RIGS)
def test_nothing_is_forgotten(agent: str) -> None:
    assert expected(agent).keys() | left_out(agent).keys() == set(CASES)


@pytest.mark.parametrize(("agent", "case"), MATRIX)
def test_what_comes_of_it(agent: str, case: str, folder: Path, server: ModelServer) -> None:
    played = play(RIGS[agent], case, CASES[case], folder, server)

    check(agent, case, played.finish, played.said)
    nothing_is_left_behind(played)
    if played.ending.stopped:
        assert played.stop_seconds < GRACE_SECONDS + 1.0
    if played.finish.outcome == "ok":
        done_as_scripted(agent, played, case)
    if played.finish.outcome == "ok" and case != "cut-once":  # whose first answer the agent never had whole
        usage_is_what_the_server_counted(agent, played)


def nothing_is_left_behind(played: Played) -> None:
    assert played.left == [], "processes that worked in its tree were still there"
    assert played.after == played.before, "it changed the user's own configuration"
    assert not (played.world.folder / "outside.txt").exists(), "it wrote outside of its tree"


def done_as_scripted(agent: str, played: Played, case: str) -> None:
    if case != "nothing":
        assert (played.world.tree / "app/new.py").read_text() == ("x = 2\n" if case == "success" else "x = 1\n")
    if case == "success":
        assert any(one.kind in ("text", "tool") and one.text for one in played.said)
    if case == "success" and has(agent, "shell"):
        seen = (played.world.tree / ENVIRONMENT).read_text()
        assert f"HOME={played.world.home}" in seen, "its shell tells its environment"
        told = [name for name, value in NOT_FOR_AGENTS.items() if f"{name}={value}" in seen]
        assert told == [], "the caller's variables reached it"
    if case == "success" and has(agent, "session"):
        assert played.finish.session
        assert any(one.kind == "session" for one in played.said)


def usage_is_what_the_server_counted(agent: str, played: Played) -> None:
    rig = RIGS[agent]
    usage, counted = played.finish.usage, played.reading
    match rig.agent({}).abilities.usage:
        case "cost" | "tokens" as what if has(agent, "exact"):
            assert (usage.input, usage.cached) == (counted.unread, counted.cached)
            assert usage.output == counted.output
            assert (usage.cost_usd > 0) <= (what == "cost")
        case "some" | "cost" | "tokens":
            assert usage.output > 0
        case "none":
            assert usage.tokens == 0


@pytest.mark.parametrize("agent", RIGS)
def test_the_real_program_is_found_with_its_version(agent: str, tmp_path: Path) -> None:
    rig = RIGS[agent]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}

    probe = rig.agent(environment).probe(rig.settings("http://127.0.0.1:9"), environment)

    assert probe.path == rig.argv()[0]
    assert probe.version
