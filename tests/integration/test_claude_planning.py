"""The real claude program as a planner: it reads, it thinks with an MCP server, it gives a plan. Loopback only."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from claude_cases import MODEL, Case, Played, a_task, environment

from ropeteam import process
from ropeteam.agents.claude import ClaudeAgent, bundled
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Exit
from ropeteam.testing.model_server import Call, ModelServer, Shell, StructuredReport, Turn, WriteFile

pytestmark = pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed")

PLAN = {
    "units": [
        {
            "id": "models",
            "title": "Models",
            "goal": "Add the model.",
            "needs": [],
            "provides": ["Loan"],
            "writes": ["app/loan.py", "tests/test_loan.py"],
            "requirements": [],
        }
    ],
    "files": [{"path": "app/loan.py", "status": "A", "lines": 40}],
}
GIVE = Turn(calls=(StructuredReport(content={"plan": PLAN}),))
TOOL = "mcp__sequential-thinking__sequentialthinking"

SERVER = '''
"""As little of an MCP server as there can be: one tool, which writes down what it is given."""
import json, os, sys
TOOL = {"name": "sequentialthinking", "description": "Think.", "inputSchema": {
    "type": "object", "properties": {"thought": {"type": "string"}}, "required": ["thought"]}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    match asked["method"]:
        case "initialize":
            answer = {"protocolVersion": asked["params"]["protocolVersion"], "capabilities": {"tools": {}},
                      "serverInfo": {"name": "thinking", "version": "1"}}
        case "tools/list":
            answer = {"tools": [TOOL]}
        case "tools/call":
            with open(sys.argv[1], "a") as file:
                json.dump([asked["params"]["arguments"], os.environ.get("DISABLE_THOUGHT_LOGGING")], file)
            answer = {"content": [{"type": "text", "text": "counted"}]}
        case _:
            answer = {}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer}), flush=True)
'''


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


def plan(turns: tuple[Turn, ...], folder: Path, server: ModelServer, *thinking: str) -> Played:
    """Play these turns as an attempt that plans."""
    agent = ClaudeAgent()
    task = a_task(folder, Case(), AgentSettings(argv=(str(bundled()),), model=MODEL))
    task = msgspec.structs.replace(task, kind="plan", unit="plan", thinking=thinking)
    (task.tree / "app.py").write_text("x = 1\n")
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    for words in (["init", "-q"], ["add", "app.py"], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=task.tree, check=True)
    launch = agent.build(task)
    for path, text in launch.files.items():
        Path(path).write_text(text, encoding="utf-8")
    server.script("plan", turns)
    done = subprocess.run(
        launch.argv,
        cwd=task.tree,
        env=environment(launch, folder / "home", server.base_url("plan"), {"ANTHROPIC_API_KEY": "dummy"}),
        input=launch.stdin.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    process.sweep(task.tree)
    conversation = agent.listen(task)
    lines = done.stdout.splitlines()
    said = [said for line in lines for said in conversation.parse(line)]
    finish = conversation.finish(Exit(code=done.returncode, seconds=1.0), 1_800_000_000.0)
    return Played(finish, said, task, lines, done.returncode, server.requests("plan"))


def offered(played: Played) -> set[str]:
    return {tool["name"] for tool in next(r for r in played.requests if r.main).body["tools"]}


def told(played: Played) -> str:
    """Everything that the model was told in the last request, answers of tools included."""
    return json.dumps(played.requests[-1].body["messages"])


def test_it_gives_a_plan_and_can_write_nothing(tmp_path: Path, server: ModelServer) -> None:
    looks = (
        "ls; cat app.py",
        "git grep -n x",
        "git log --oneline -5",
        "git show --stat",
        "git blame app.py",
        "git ls-files | wc -l",
    )
    harms = ("touch made", "echo y > app.py", "sed -i s/1/2/ app.py", "git log --output=made", "git commit -am y")
    turns = [Turn(calls=(Shell(command=command),)) for command in (*looks, *harms)]
    write = Turn(calls=(WriteFile(path="app.py", content="y\n"),))

    played = plan((*turns, write, GIVE), tmp_path, server)

    assert played.finish.outcome == "ok", played.finish.evidence
    assert json.loads(played.finish.report.plan) == PLAN
    assert {path.name for path in played.task.tree.iterdir()} == {".git", "app.py"}
    assert (played.task.tree / "app.py").read_text() == "x = 1\n"
    assert {"Read", "Grep", "Glob", "Bash", "StructuredOutput"} <= offered(played)
    assert not {"Write", "Edit", "NotebookEdit", "ExitPlanMode"} & offered(played)
    assert all(words in told(played) for words in ("app.py:1:x = 1", "first", "1 insertion"))
    assert "It was not allowed 5 things it tried (Bash 5x)." in played.finish.notices


def test_a_plan_in_its_last_words_is_taken_too(tmp_path: Path, server: ModelServer) -> None:
    words = f"Here it is:\n\n```json\n{json.dumps(PLAN)}\n```\nGood luck."

    played = plan((Turn(text=words), Turn(text=words)), tmp_path, server)

    assert played.finish.outcome == "ok", played.finish.evidence
    assert json.dumps(PLAN) in played.finish.report.plan


def test_it_thinks_with_the_server_that_it_is_given(tmp_path: Path, server: ModelServer) -> None:
    program, log = tmp_path / "thinking.py", tmp_path / "thoughts"
    program.write_text(SERVER)
    think = Turn(calls=(Call(name=TOOL, input={"thought": "What depends on what?"}),))

    played = plan((think, GIVE), tmp_path, server, sys.executable, str(program), str(log))

    assert played.finish.outcome == "ok", played.finish.evidence
    assert TOOL in offered(played)
    assert json.loads(log.read_text()) == [{"thought": "What depends on what?"}, "true"]
    assert "counted" in told(played)
    assert played.finish.notices == ()


def test_a_server_that_does_not_start_costs_nothing_but_is_told(tmp_path: Path, server: ModelServer) -> None:
    played = plan((GIVE,), tmp_path, server, "/nowhere/thinking")

    assert played.finish.outcome == "ok", played.finish.evidence
    assert json.loads(played.finish.report.plan) == PLAN
    assert played.finish.notices == ("It worked without the MCP server sequential-thinking, which did not start.",)
