"""`ropeteam agents`: all are asked at once, and the page says what to do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ropeteam import app
from ropeteam.cli import finding_agents
from ropeteam.cli.page_agents import agents_page
from ropeteam.cli.page_text import as_text
from ropeteam.core.agents_report import AgentAbilities, AgentFound, AgentsReport
from ropeteam.ports import Probe

FOUND = AgentsReport(
    agents=(
        AgentFound(
            name="claude",
            state="usable",
            usable=True,
            chosen=True,
            version="2.1.330",
            path="/opt/bin/claude",
            can=AgentAbilities(
                report="structured", usage="cost", forks=True, stops_at=("money", "turns"), thinks=True, note="A note"
            ),
        ),
        AgentFound(
            name="mini-swe-agent",
            state="missing",
            usable=False,
            problem="The program was not found.",
            hint="Install it.",
        ),
        AgentFound(
            name="codex",
            state="log_in",
            usable=False,
            version="0.169.0",
            problem="Nobody is logged in.",
            hint="Log in.",
        ),
    )
)


def test_the_page_fits_80_columns_and_says_what_to_do() -> None:
    text = as_text(agents_page(FOUND), 80)

    assert max(len(line) for line in text.splitlines()) <= 80
    assert "claude is taken where none is named." in text
    assert "claude  2.1.330  form    tokens, money  yes    money, turns  yes" in " ".join(text.splitlines())
    assert "A note." in text
    assert "0.169.0: Nobody is logged in." in text
    assert "Install it." in text


def test_who_can_go_on_from_others_in_the_sandbox_alone_is_told_so() -> None:
    found = AgentFound(name="mini-swe-agent", state="usable", usable=True, version="1.18.33")
    can = AgentAbilities(usage="cost", forks_confined=True, stops_at=("money", "turns"), thinks=True)
    text = as_text(agents_page(AgentsReport(agents=(msgspec.structs.replace(found, can=can),))), 80)

    assert "tokens, money  sandbox" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_where_none_is_usable_that_is_said() -> None:
    text = as_text(agents_page(AgentsReport(agents=FOUND.agents[1:])), 80)

    assert text.startswith("● 0 agents of 2")
    assert "name one (--agent)" in text


@pytest.mark.parametrize(
    ("probe", "state"),
    [
        (Probe(name="x", path="/x"), "usable"),
        (Probe(name="x", path="/x", problem="Nobody.", log_in=True), "log_in"),
        (Probe(name="x", path="/x", problem="It cannot be run."), "broken"),
        (Probe(name="x", problem="The program 'x' was not found."), "missing"),
        (Probe(name="x", problem="agent.x.argv is not set."), "not_set_up"),
    ],
)
def test_the_state_follows_from_what_was_found(probe: Probe, state: str) -> None:
    assert finding_agents.of_one(app.agent("command"), probe, chosen=False).state == state


def test_all_are_asked_and_a_slow_one_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "codex"
    slow.write_text("#!/bin/sh\nexec sleep 20\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    loaded = app.load_settings(None, app.Request(repo=tmp_path, own_settings=False))

    found = finding_agents.look(loaded, 2.0)

    assert {agent.name for agent in found.agents} == set(app.AGENTS)
    late = next(agent for agent in found.agents if agent.name == "codex")
    assert (late.state, late.usable) == ("broken", False)
    assert found.seconds < 15
    assert next(agent for agent in found.agents if agent.name == "host").usable
