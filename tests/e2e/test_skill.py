"""`/2-code` in the real claude program: it hands the feature to ropeteam and comes back with a short report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from skill_world import (
    BEGINS,
    FEATURE,
    MODEL,
    PLUGIN,
    ROOT,
    Host,
    added,
    agent,
    by_commands,
    by_host,
    by_tools,
    first_phases,
    host,
    last_phases,
    told,
)

from repositories import git
from ropeteam.agents.claude import bundled
from ropeteam.demo import playing
from ropeteam.testing.model_server import Call, Shell, Turn, WriteFile

MOST_TOKENS = 3000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed"),
]


@pytest.fixture
def h(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def delivered(h: Host) -> None:
    report = h.report()
    assert (report["outcome"], report["landed"], len(report["units"])) == ("delivered_parallel", True, 8)
    log = (h.repo / f".workspace/features/{FEATURE}/02-implementation.md").read_text()
    assert "delivered_parallel" in log
    assert git(h.repo, "status", "--porcelain") == ""


def test_a_whole_run_through_the_tools(h: Host) -> None:
    pytest.importorskip("mcp")
    h.install()

    done = h.code(by_tools(h))

    assert done.code == 0, done
    delivered(h)
    requests = h.conversation()
    answers = [json.loads(text.partition("\n\n<system")[0]) for text in told(requests[-1]) if text.startswith("{")]
    assert [a.get("started") for a in answers[:2]] == [False, True]
    assert "Several agents" in answers[0]["text"]
    assert answers[0]["ask"]
    assert answers[2]["done"] is False
    assert (answers[3]["done"], answers[3]["outcome"], answers[3]["landed"]) == (True, "delivered_parallel", True)
    assert added(requests) < MOST_TOKENS


def test_a_whole_run_by_the_command_line(h: Host) -> None:
    h.install()

    done = h.code(by_commands(h))

    assert done.code == 0, done
    delivered(h)
    requests = h.conversation()
    answers = told(requests[-1])
    assert answers[2].startswith("Ask the user first")
    assert "code 5" in answers[4]
    assert answers[5].startswith("Delivered by several agents and landed on main.")
    assert added(requests) < MOST_TOKENS


def test_a_whole_run_with_the_hosts_own_subagents(h: Host) -> None:
    pytest.importorskip("mcp")
    h.install()

    done = h.code(by_host(h))

    assert done.code == 0, done
    delivered(h)
    assert {a["agent"] for unit in h.report()["units"] for a in unit["attempts"]} == {"host"}
    assert added(h.conversation()) < MOST_TOKENS


def test_without_ropeteam_one_agent_does_all_of_it(h: Host) -> None:
    """Nothing breaks for who has only the plugin: the MCP server cannot start, the skill goes on."""
    h.install()
    h.without_ropeteam()
    folder = h.repo / ".workspace/features" / FEATURE
    brief = PLUGIN / "skills/2-code/references/one-agent.md"
    log = f"# Implementation Log - {FEATURE}\n\n## Run (2026-11-26)\n\nMode: one agent (ropeteam is not installed)\n"
    turns = [
        *first_phases(),
        Turn(text=BEGINS, calls=(Shell(command="ropeteam --version"),)),
        Turn(calls=(Call(name="Read", input={"file_path": str(brief)}),)),
        Turn(calls=(agent("Implement", f"Implement the feature {FEATURE} in this repository."),)),
        Turn(calls=(WriteFile(path=str(folder / "02-implementation.md"), content=log),)),
        *last_phases(),
    ]
    work = Shell(command=f"cp -r {playing.finals('house')}/. {h.repo}")

    done = h.code(turns, subagents={f"Implement the feature {FEATURE} in": [Turn(calls=(work,)), Turn(text="Done.")]})

    assert done.code == 0, done
    answers = told(h.conversation()[-1])
    assert "not found" in answers[1]
    assert "one general subagent" in answers[2]
    assert (folder / "02-implementation.md").read_text() == log
    assert (h.repo / "library/controllers/desks.py").exists()
    servers = {s["name"]: s["status"] for e in done.events if e.get("subtype") == "init" for s in e["mcp_servers"]}
    assert servers["plugin:ropeteam:ropeteam"] != "connected"


def test_the_real_program_finds_no_fault_in_the_plugin(h: Host) -> None:
    for place in (ROOT, PLUGIN):
        done = h.claude("plugin", "validate", str(place))
        assert done.code == 0, done
    h.install(PLUGIN)
    assert "ropeteam@ropeteam" in h.claude("plugin", "list").out
    assert h.ropeteam("install-skill", "--for", "claude", "--yes").code == 0
    done = h.claude("-p", "Hello", "--output-format", "stream-json", "--verbose", "--model", MODEL)
    (init,) = [event for event in done.events if event.get("subtype") == "init"]
    wanted = {"1-plan", "2-code", "3-verify"}
    assert wanted | {f"ropeteam:{name}" for name in wanted} <= set(init["skills"]), "as the plugin, and without it"
