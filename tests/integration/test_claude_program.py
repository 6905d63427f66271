"""The real claude program against the loopback model: no key, no network beyond loopback."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from claude_cases import CASES, DONE, MODEL, OWN, SHARED, WRITE, Case, a_task, environment, play

from repositories import files_of
from ropeteam import process, sandbox
from ropeteam.agents.claude import ClaudeAgent, bundled
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Exit
from ropeteam.testing.model_server import Broken, ModelServer, Shell, Turn, WriteFile

pytestmark = pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed")

OUTCOMES = {
    "success": "ok",
    "no-report": "ok",
    "bad-report": "corrupted",
    "subagent": "ok",
    "denied": "ok",
    "auth-401": "auth",
    "not-logged-in": "auth",
    "window-used-up": "rate",
    "server-500": "overload",
    "cut-once": "ok",
    "cut": "overload",
    "refused": "overload",
    "too-long": "context",
    "turns": "turns",
    "budget": "budget",
    "sigterm": "killed",
    "sigint": "killed",
    "sigkill": "killed",
}
"""The cases that are worth their half second each; all are covered by recordings (`tests/unit`)."""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.mark.parametrize("name", OUTCOMES)
def test_each_ending_of_the_real_program(name: str, tmp_path: Path, server: ModelServer) -> None:
    played = play(name, CASES[name], tmp_path, server)

    assert played.finish.outcome == OUTCOMES[name], played.finish.evidence
    assert not [said for said in played.said if said.kind == "garbled"]
    assert not (tmp_path / "outside.txt").exists()
    if OUTCOMES[name] == "ok":
        expected = "x = 2\n" if name == "success" else "x = 1\n"
        assert (played.task.tree / "app/new.py").read_text() == expected
        assert bool(played.finish.report.files) == (name != "no-report")


def test_both_prompts_arrive_where_they_belong(tmp_path: Path, server: ModelServer) -> None:
    played = play("success", CASES["success"], tmp_path, server)
    first = played.requests[0]

    assert SHARED.strip() in first.system
    assert OWN.strip() not in first.system
    assert first.text.rstrip().endswith(OWN.strip()), "what is particular comes last"
    assert str(tmp_path) not in first.system, "nothing of one work tree stands in what all share"
    assert {request.body["model"] for request in played.requests} == {MODEL}
    assert played.finish.session == played.said[0].text, "it took the id that we gave it"


def test_another_tree_reads_the_shared_part_from_the_cache(tmp_path: Path, server: ModelServer) -> None:
    played = [play(name, CASES["success"], tmp_path / name, server) for name in ("one", "two")]
    first, second = (one.requests[0] for one in played)

    assert first.system == second.system
    assert first.body["tools"] == second.body["tools"]
    usage = next(said.usage for said in played[1].said if said.usage is not None)
    assert usage.cached > len(SHARED) / 4 + 5000, "system prompt, tools and the shared prompt"
    assert usage.input < usage.cached / 3


def test_nothing_that_leaves_the_run_is_offered(tmp_path: Path, server: ModelServer) -> None:
    played = play("success", CASES["success"], tmp_path, server)
    words = played.requests[0].text
    offered = {tool["name"] for tool in played.requests[0].body["tools"]}

    assert {"Write", "Edit", "Read", "Bash", "StructuredOutput"} <= offered
    assert not {"EnterWorktree", "SendMessage", "ScheduleWakeup", "AskUserQuestion"} & offered
    assert "EnterWorktree" not in words, "nor as a tool that can be loaded later"


def test_a_hanging_model_is_ended_with_all_its_processes(tmp_path: Path, server: ModelServer) -> None:
    """As the engine runs it: under the wrapper, stopped from outside."""
    agent, case = ClaudeAgent(), Case()
    task = a_task(tmp_path, case, AgentSettings(argv=(str(bundled()),), model=MODEL))
    launch = agent.build(task)
    for path, text in launch.files.items():
        Path(path).write_text(text, encoding="utf-8")
    server.script("hang", faults=[Broken(kind="hang")])
    log = tmp_path / "log"
    log.mkdir()
    child = process.launch(
        process.Spec(
            argv=launch.argv,
            env=environment(launch, tmp_path / "home", server.base_url("hang"), case.key),
            cwd=str(task.tree),
            folder=str(log),
            stdin=launch.stdin,
        )
    )
    server.wait_for_request("hang")
    began = time.monotonic()

    child.stop()
    ended = asyncio.run(process.wait(child, 30.0))

    assert ended is not None
    assert time.monotonic() - began < 5.0, "it follows the polite signal"
    conversation = agent.listen(task)
    said = [said for line in process.Tail(log).read(last=True) for said in conversation.parse(line)]
    assert [one.kind for one in said][:1] == ["session"]
    finish = conversation.finish(Exit(code=ended.code, signal=ended.signal, seconds=ended.seconds), 0.0)
    assert finish.outcome == "killed"
    assert process.sweep(task.tree) == [], "nothing is left in its tree"
    assert not child.alive()


PLANT = """
echo bad > $SETTINGS/settings.json; echo bad > $SETTINGS/settings.local.json; echo bad > $SETTINGS/CLAUDE.md
mkdir -p $SETTINGS/hooks $SETTINGS/skills/bad; echo bad > $SETTINGS/hooks/bad; echo bad > $SETTINGS/skills/bad/SKILL.md
echo bad > $SETTINGS/skills/good/SKILL.md; echo bad > $SETTINGS/../.claude.json; echo bad > $SETTINGS/.claude.json
cat ~/secret > seen
"""


@pytest.mark.parametrize("variable", [False, True], ids=["home", "CLAUDE_CONFIG_DIR"])
def test_it_works_confined_and_can_plant_nothing_for_the_next_session(
    tmp_path: Path, server: ModelServer, variable: bool
) -> None:
    bwrap = sandbox.available()
    if not bwrap.ok:
        pytest.skip(bwrap.why)
    home = tmp_path / "home"
    folder = tmp_path / "elsewhere" / "claude" if variable else home / ".claude"
    hook = {"matcher": "Write", "hooks": [{"type": "command", "command": "echo ran >> hooked"}]}
    files = {
        folder / "settings.json": json.dumps({"hooks": {"PreToolUse": [hook]}}),
        folder / "skills/good/SKILL.md": "---\nname: good\ndescription: A skill of the user's.\n---\nWords.\n",
        folder / "projects/other/1.jsonl": "another conversation",
        folder / ".credentials.json": "{}",
        (folder if variable else home) / ".claude.json": "{}",
        home / "secret": "hidden from agents",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = files_of(home), files_of(folder)
    own = tmp_path / "own"
    own.mkdir()
    task = a_task(tmp_path, Case(), AgentSettings())
    launch = ClaudeAgent().build(task)
    (settings,) = launch.home_folders
    views = (sandbox.View(folder=folder, kept=settings.kept, fresh=settings.fresh, own={"projects": own}),)
    policy = sandbox.Policy(
        tree=task.tree,
        writable=(task.folder,),
        readable=tuple(home / path for path in launch.home_readonly),
        views=views,
        home=home,
    )
    named = {settings.variable: str(folder)} if variable else {}
    # settings.argv comes first in the command line, as the sandbox does.
    argv = (*sandbox.prefix(policy, bwrap.path), str(bundled()))
    plant = Turn(calls=(WriteFile(path="plant.sh", content=PLANT),))
    look = Turn(calls=(Shell(command=f"SETTINGS={folder} sh plant.sh; true"),))
    case = Case(turns=(WRITE, plant, look, DONE), key={"ANTHROPIC_API_KEY": "dummy", **named})

    played = play("confined", case, tmp_path, server, argv=argv)

    assert played.finish.outcome == "ok", played.finish.evidence
    assert (played.task.tree / "app/new.py").exists()
    assert (played.task.tree / "plant.sh").exists(), "what should be planted was tried"
    assert (played.task.tree / "seen").read_text() == ""
    assert (played.task.tree / "hooked").read_text().split() == ["ran", "ran"], "the user's own settings hold"
    assert "A skill of the user's." in played.requests[0].text
    assert (files_of(home), files_of(folder)) == before
    assert list(own.rglob(f"{played.finish.session}.jsonl")), "its conversation is kept, apart from the others"


def test_probe_asks_the_real_program(tmp_path: Path) -> None:
    settings = AgentSettings(argv=(str(bundled()),))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    bare = ClaudeAgent().probe(settings, env)
    with_key = ClaudeAgent().probe(settings, {**env, "ANTHROPIC_API_KEY": "dummy"})

    assert bare.version == with_key.version
    assert bare.version.count(".") == 2
    assert "not logged in" in bare.problem
    assert bare.hint
    assert with_key.problem == ""
