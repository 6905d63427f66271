"""`/2-code` in the real claude program: it hands the feature to ropeteam and comes back with a short report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from skill_world import (
    FEATURE,
    Host,
    added,
    by_commands,
    by_tools,
    host,
    told,
)

from repositories import git
from ropeteam.agents.claude import bundled

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
