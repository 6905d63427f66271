"""The real claude plans a run, with an MCP server to think with: from the command line to what landed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_runs import REPORT, WORK, ClaudeRun, claude_run
from driving import RESULT, Done, must_hold

from ropeteam.agents.claude import bundled
from ropeteam.testing.model_server import Call, Shell, StructuredReport, Turn

pytestmark = pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed")

TOOL = "mcp__sequential-thinking__sequentialthinking"
THINK = Turn(calls=(Call(name=TOOL, input={"thought": "What builds on what?"}),))
PLAN = {
    "units": [
        {
            "id": "greet",
            "title": "Greet",
            "goal": "Greet by name.",
            "needs": [],
            "provides": [],
            "writes": ["app.py", "farewell.py", "tests/test_farewell.py"],
            "requirements": ["REQ-001"],
        }
    ],
    "files": [{"path": "app.py", "status": "M", "lines": 1}, {"path": "farewell.py", "status": "A", "lines": 2}],
}
GIVE = Turn(calls=(StructuredReport(content={"plan": PLAN}),))
BAD = Turn(
    calls=(StructuredReport(content={"plan": {**PLAN, "files": [{"path": "a.py", "status": "M", "lines": 1}]}}),)
)
SERVER = """#!{python}
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    answer = {{}}
    if asked["method"] == "initialize":
        version = asked["params"]["protocolVersion"]
        answer = {{"protocolVersion": version, "capabilities": {{"tools": {{}}}},
                  "serverInfo": {{"name": "thinking", "version": "1"}}}}
    elif asked["method"] == "tools/list":
        schema = {{"type": "object", "properties": {{"thought": {{"type": "string"}}}}}}
        answer = {{"tools": [{{"name": "sequentialthinking", "description": "Think.", "inputSchema": schema}}]}}
    elif asked["method"] == "tools/call":
        answer = {{"content": [{{"type": "text", "text": "a thought was counted"}}]}}
    print(json.dumps({{"jsonrpc": "2.0", "id": asked["id"], "result": answer}}), flush=True)
"""


@pytest.fixture
def c(tmp_path: Path) -> Iterator[ClaudeRun]:
    """With the sandbox where it runs."""
    with claude_run(tmp_path) as made:
        yield made


def delivered(c: ClaudeRun, done: Done) -> Any:
    """The report of a run that planned, worked and landed."""
    assert done.code == 0, done
    assert done.json["outcome"] == "delivered_single", done
    must_hold(c.p)
    assert {path: (c.p.top / path).read_text() for path in RESULT} == dict(RESULT)
    return done.json


@pytest.mark.slow
def test_it_thinks_plans_and_the_run_goes_on(c: ClaudeRun, tmp_path: Path) -> None:
    server = tmp_path / "mcp" / "thinking"
    server.parent.mkdir()
    server.write_text(SERVER.format(python=sys.executable))
    server.chmod(0o755)
    c.model(THINK, Turn(calls=(Shell(command="touch harm"),)), GIVE, WORK, REPORT)

    said = delivered(c, c.run("--planner", "agent", "--set", f'plan.thinking_argv=["{server}"]'))

    planning, working = c.conversations()
    told = json.dumps(planning[-1].body["messages"])
    assert "a thought was counted" in told
    assert "needs approval" in told, "nothing can be written while it plans"
    assert "Think with the tool `sequentialthinking`" in planning[0].text
    assert TOOL not in {tool["name"] for tool in working[0].body["tools"]}
    assert [(u["id"], [a["outcome"] for a in u["attempts"]]) for u in said["units"] if u["attempts"]] == [
        ("plan", ["ok"]),
        ("single", ["ok"]),
    ]
    assert c.p.events("Planned")[0]["attempt"] == "plan/1"
    assert not [n for n in said["notices"] if "planned without" in n]


@pytest.mark.slow
def test_told_what_was_wrong_it_plans_once_more(c: ClaudeRun) -> None:
    c.model(BAD, GIVE, WORK, REPORT)

    said = delivered(c, c.run("--planner", "agent", "--set", 'plan.thinking_argv=["no-such-program"]'))

    first, second, _ = c.conversations()
    assert "`a.py` is an unknown file" in second[0].text or "`a.py` of `greet` is an unknown file" in second[0].text
    assert "Think step by step" in first[0].text
    assert any("'no-such-program' was not found" in notice for notice in said["notices"])
    assert c.p.events("Planned")[0]["attempt"] == "plan/2"
