"""The MCP server for sequential thinking that npm installs, attached to the real claude: it is offered and answers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ropeteam.agents.claude import ClaudeAgent, bundled
from ropeteam.core.settings import AgentSettings, Plan
from ropeteam.ports import Exit, Task
from ropeteam.testing.model_server import Call, ModelServer, StructuredReport, Turn

pytestmark = pytest.mark.agents

TOOL = "mcp__sequential-thinking__sequentialthinking"
PLAN = {
    "units": [
        {"id": "a", "title": "A", "goal": "Do it.", "needs": [], "provides": [], "writes": ["a.py"], "requirements": []}
    ],
    "files": [{"path": "a.py", "status": "A", "lines": 3}],
}


def test_the_model_thinks_with_it(tmp_path: Path) -> None:
    folder, program = os.environ.get("ROPETEAM_TEST_AGENTS", ""), bundled()
    if not folder:
        pytest.skip("ROPETEAM_TEST_AGENTS is not set: `make test-agents` installs the programs and sets it")
    if program is None:
        pytest.skip("the package claude-agent-sdk is not installed")
    server_program = Path(folder) / Plan().thinking_argv[0]
    tree, io, home = (tmp_path / name for name in ("tree", "io", "home"))
    for path in (tree, io, home):
        path.mkdir()
    task = Task(
        run="20260101-000000-x-0000",
        unit="plan",
        attempt=1,
        kind="plan",
        goal="Plan it",
        feature="x",
        tree=tree,
        folder=io,
        shared_prompt="What all attempts share.\n",
        own_prompt="Plan it.\n",
        prompt_file=io / "prompt.md",
        report_file=io / "report.json",
        slot=0,
        deadline=1_900_000_000.0,
        thinking=(str(server_program),),
        settings=AgentSettings(argv=(str(program),), model="claude-sonnet-4-5"),
    )
    agent = ClaudeAgent()
    launch = agent.build(task)
    for path, text in launch.files.items():
        Path(path).write_text(text, encoding="utf-8")
    thought = {"thought": "What builds on what?", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}
    turns = [Turn(calls=(Call(name=TOOL, input=thought),)), Turn(calls=(StructuredReport(content={"plan": PLAN}),))]
    with ModelServer() as server:
        server.script("npm", turns)
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home), **launch.env}
        own = {"ANTHROPIC_BASE_URL": server.base_url("npm"), "ANTHROPIC_API_KEY": "dummy"}
        done = subprocess.run(
            launch.argv,
            cwd=tree,
            env={**env, **own},
            input=launch.stdin.encode(),
            capture_output=True,
            timeout=120,
            check=False,
        )
        requests = [request for request in server.requests("npm") if request.main]
    conversation = agent.listen(task)
    for line in done.stdout.splitlines():
        conversation.parse(line)
    finish = conversation.finish(Exit(code=done.returncode, seconds=1.0), 1_800_000_000.0)

    assert finish.outcome == "ok", finish.evidence
    assert json.loads(finish.report.plan) == PLAN
    assert finish.notices == ()
    assert TOOL in {tool["name"] for tool in requests[0].body["tools"]}
    assert "thoughtHistoryLength" in json.dumps(requests[-1].body["messages"]), "its answer came back"
