"""Real claude programs that go on from the conversation in which another wrote the contract, each in its own tree."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claude_runs import NAME, ClaudeRun, claude_run
from driving import FEATURE, Done, must_hold, wait_until
from test_claude_plans import SERVER
from test_several_claude import HELD

from ropeteam.agents.claude import bundled
from ropeteam.testing.model_server import Request, Shell, StructuredReport, Turn, WriteFile

pytestmark = [
    pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed"),
    pytest.mark.slow,
]

UNITS = ("farewell", "thanks", "welcome")
CONTRACT = "names"


def plan() -> dict[str, Any]:
    units: list[dict[str, Any]] = [
        {
            "id": CONTRACT,
            "kind": "contract",
            "title": "Names",
            "goal": "Declare names.py.",
            "writes": ["names.py", "at.txt"],
        }
    ]
    for unit in UNITS:
        goal = f"A module {unit}.py that says it."
        units.append(
            {"id": unit, "goal": goal, "needs": [CONTRACT], "writes": [f"{unit}.py", f"{unit}.txt", f"{unit}.more"]}
        )
    return {"units": units, "contract": CONTRACT}


def report(*paths: str) -> Turn:
    files = [{"path": path, "purpose": "needed"} for path in paths]
    return Turn(calls=(StructuredReport(content={"files": files, "decisions": [], "deviations": []}),))


def task_of(unit: str) -> str:
    return f"This is the unit `{unit}` of the feature"


@pytest.fixture(params=["sandbox", "no sandbox"])
def sandboxed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "sandbox")


@pytest.fixture
def c(tmp_path: Path, sandboxed: bool) -> Iterator[ClaudeRun]:
    with claude_run(tmp_path, sandbox=sandboxed) as made:
        made.model()
        yield made


def args(c: ClaudeRun) -> tuple[str, ...]:
    path = c.p.folder / "plan.json"
    path.write_text(json.dumps(plan()))
    sets = [part for setting in c.sets for part in ("--set", setting)]
    mode = ("--agent", "claude", "--mode", "parallel", "--plan", str(path), "--yes", "--json", *sets)
    return ("run", FEATURE, *mode)


def scripts(c: ClaudeRun, before: tuple[Turn, ...] = ()) -> None:
    """The contract's agent reads, declares and says where it is; each unit writes to every kind of path it knows.

    before: turns of the units before they write.
    """
    for unit in UNITS:
        relative = WriteFile(path=f"{unit}.py", content=f"import names\n\nSAID = names.of({unit!r})\n")
        shell = Shell(command=f"pwd > {unit}.txt")
        # what the conversation knows of the other tree: the shell would write there without asking anybody
        inherited = Shell(command=f"echo {unit} > $(cat at.txt)/{unit}.more || echo refused")
        c.server.script_for(
            NAME,
            task_of(unit),
            (*before, Turn(calls=(relative, shell)), Turn(calls=(inherited,)), report(f"{unit}.py")),
        )
    names = WriteFile(path="names.py", content="def of(word):\n    return word\n")
    look = Shell(command="cat app.py; pwd > at.txt")
    c.server.script_for(
        NAME,
        f"This is the contract `{CONTRACT}`",
        (Turn(calls=(look,)), Turn(calls=(names,)), report("names.py")),
    )


TURNS_OF_CONTRACT = 3
MAP = "# A map of the repository"


def ended(c: ClaudeRun, done: Done) -> Any:
    must_hold(c.p)
    wait_until(lambda: not c.claudes(), "the end of every claude", seconds=5)
    assert c.p.report() == done.json
    return done.json


def firsts(c: ClaudeRun) -> dict[str, Request]:
    """The first request of each agent that goes on from the contract's."""
    found: dict[str, Request] = {}
    for request in c.server.requests(NAME):
        for unit in UNITS:
            if request.main and task_of(unit) in request.text:
                found.setdefault(unit, request)
    return found


def blocks(request: Request) -> list[str]:
    """What the model reads, in order, without the marks for the cache."""
    body = request.body
    parts: list[Any] = [*body["tools"], *body["system"]]
    for message in body["messages"]:
        content = message["content"]
        parts += [content] if isinstance(content, str) else [(message["role"], block) for block in content]
    return [json.dumps(_bare(part), sort_keys=True) for part in parts]


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if key != "cache_control"}
    return [_bare(item) for item in value] if isinstance(value, list | tuple) else value


def test_forks_share_all_that_was_read_and_write_in_their_own_trees(c: ClaudeRun, sandboxed: bool) -> None:
    scripts(c)
    done = c.p.ropeteam(*args(c))
    assert done.code == 0, done
    said = ended(c, done)
    assert said["outcome"] == "delivered_parallel", done
    assert said["triggers"] == []
    events = {event["attempt"]: event for event in c.p.events("AttemptStarted")}
    assert {id: event.get("fork", "") for id, event in events.items()} == {
        "names/1": "",
        **{f"{unit}/1": "names/1" for unit in UNITS},
    }

    # the prefix: everything that the contract's agent sent and was answered, to the byte, before anything of their own
    last = [r for r in c.server.requests(NAME) if r.main and "This is the contract" in r.text][TURNS_OF_CONTRACT - 1]
    shared = blocks(last)
    told = "\n".join(shared)
    for part in ("Architecture patterns", "What is wanted", "How this project does such things", "def of(word)"):
        assert part in told
    # by default nobody of them is given a map: what the contract's agent opened is in every conversation
    assert not [r for r in c.server.requests(NAME) if r.main and MAP in r.text]
    assert len({json.dumps(_bare(r.body["system"])) for r in c.server.requests(NAME) if r.main}) == 1
    assert "one conversation that has read" in said["decision"]["reading"]
    requests = firsts(c)
    assert set(requests) == set(UNITS)
    for request in requests.values():
        assert blocks(request)[: len(shared)] == shared
    answered = [one for one in c.server.answered(NAME) if one.part in map(task_of, UNITS)]
    for unit in UNITS:
        use = next(one.use for one in answered if one.part == task_of(unit))
        assert use.cached > 10 * use.full + 5 * use.written

    # the trees: each has its own, and nobody else's
    scout = Path(events["names/1"]["tree"])
    assert scout.is_dir(), "it is back when nobody needs it away"
    for unit in UNITS:
        tree = Path(events[f"{unit}/1"]["tree"])
        assert not [path.name for u in UNITS if u != unit for path in tree.glob(f"{u}.*")], "the others' are not here"
        assert not list(scout.glob(f"{unit}.*")), "nothing leaks into the other's tree"
        assert (tree / f"{unit}.py").exists()
        where = (tree / f"{unit}.txt").read_text().strip()
        if sandboxed:
            assert where == (scout / "at.txt").read_text().strip() == events[f"{unit}/1"]["at_path"]
            assert (tree / f"{unit}.more").read_text() == f"{unit}\n", "the path is its own"
        else:
            assert Path(where) == tree
            assert not (tree / f"{unit}.more").exists(), "it could not be written at all"

    # what it used is its own part of the conversation
    costs = {u["id"]: u["attempts"][0]["cost_usd"] for u in said["units"]}
    assert [u["attempts"][0]["fork"] for u in said["units"]] == [None, *["names/1"] * len(UNITS)]
    whole = sum(costs.values())
    assert said["actual"]["cost_usd"] == pytest.approx(whole, abs=0.001)
    assert all(0 < costs[unit] < costs[CONTRACT] for unit in UNITS)


def test_killed_in_the_middle_and_resumed_they_go_on_and_the_tree_comes_back(tmp_path: Path) -> None:
    with claude_run(tmp_path, sandbox=False) as c:
        c.model()
        scripts(c, before=(HELD,))
        child = c.p.start(*args(c))
        c.p.wait_event("AttemptStarted", 1 + len(UNITS))
        events = {event["attempt"]: event for event in c.p.events("AttemptStarted")}
        scout = Path(events["names/1"]["tree"])
        trees = [Path(events[f"{unit}/1"]["tree"]) for unit in UNITS]
        wait_until(lambda: all((tree / "at-it").exists() for tree in trees), "three claudes at work at once")
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert "ropeteam" in scout.read_text(), "a plain file stands where the tree was"

        resumed = c.p.start("resume", "--json", "--yes")
        c.p.wait_event("Resumed")
        for tree in trees:
            (tree / "go").touch()
        done = c.p.ended(resumed)
        assert done.code == 0, done
        said = ended(c, done)
        assert said["outcome"] == "delivered_parallel"
        assert [len(unit["attempts"]) for unit in said["units"]] == [1] * 4, "those that lived were attached to"
        assert (scout / "at.txt").read_text().strip() == str(scout), "the tree is back as it was"
        assert not [path for unit in UNITS for path in scout.glob(f"{unit}.*")]
        costs = {u["id"]: u["attempts"][0]["cost_usd"] for u in said["units"]}
        assert all(0 < costs[unit] < costs[CONTRACT] for unit in UNITS), "what the contract cost is not counted again"
        assert c.p.ropeteam("clean", "--json").code == 0
        assert not scout.parent.exists()


def test_the_contract_goes_on_from_the_conversation_that_planned(tmp_path: Path) -> None:
    """Who plans may not edit; it is offered the same tools and the same report, or nothing of it could be shared."""
    with claude_run(tmp_path, sandbox=True) as c:
        c.model()
        scripts(c)
        writing = WriteFile(path="names.py", content="not its task\n")
        proposal = plan()
        for unit in proposal["units"]:
            unit |= {"title": unit["id"], "goal": f"Do {unit['id']}.", "provides": [], "requirements": ["REQ-001"]}
            unit.setdefault("needs", [])
        files = [{"path": path, "status": "A", "lines": 90} for unit in proposal["units"] for path in unit["writes"]]
        planned = StructuredReport(content={"plan": {**proposal, "files": files}})
        look = Turn(calls=(Shell(command="ls"), writing))
        c.server.script_for(NAME, "Plan how the feature", (look, Turn(calls=(planned,))))
        server = tmp_path / "mcp" / "thinking"
        server.parent.mkdir()
        server.write_text(SERVER.format(python=sys.executable))
        server.chmod(0o755)
        sets = [part for one in (*c.sets, f'plan.thinking_argv=["{server}"]') for part in ("--set", one)]
        done = c.p.ropeteam(
            "run", FEATURE, "--agent", "claude", "--planner", "agent", "--mode", "parallel", "--yes", "--json", *sets
        )
        assert done.code == 0, (done, c.p.events("TriggerFired"))
        ended(c, done)
        forks = {event["attempt"]: event.get("fork", "") for event in c.p.events("AttemptStarted")}
        assert forks == {"plan/1": "", "names/1": "plan/1", **{f"{unit}/1": "names/1" for unit in UNITS}}
        (plan_tree,) = [Path(e["tree"]) for e in c.p.events("AttemptStarted") if e["attempt"] == "plan/1"]
        assert not (plan_tree / "names.py").exists(), "it was refused"

        main = [r for r in c.server.requests(NAME) if r.main]
        planning = [r for r in main if "This is the contract" not in r.text]
        declaring = [r for r in main if r not in planning and not any(task_of(unit) in r.text for unit in UNITS)]
        whole = blocks(declaring[-1])
        assert blocks(declaring[0])[: len(blocks(planning[-1]))] == blocks(planning[-1])
        for request in firsts(c).values():
            assert blocks(request)[: len(whole)] == whole


def test_where_the_conversation_is_gone_they_read_for_themselves(tmp_path: Path) -> None:
    """No fall, no try lost: whoever looked for it in vain begins anew, and nobody looks for it again."""
    with claude_run(tmp_path, sandbox=False) as c:
        c.model()
        scripts(c)
        opened = tmp_path / "opened"
        wait = f"while [ ! -e {opened} ]; do sleep 0.05; done"
        check = f'checks.commands=[{{name="held", argv=["sh", "-c", "{wait}"]}}]'
        child = c.p.start(*args(c), "--set", check)
        c.p.wait_event("AttemptSucceeded")
        shutil.rmtree(Path(c.p.env["HOME"]) / ".claude" / "projects")
        opened.touch()
        done = c.p.ended(child)
        assert done.code == 0, done
        said = ended(c, done)
        assert said["outcome"] == "delivered_parallel"
        assert {(t["id"], t["action"]) for t in said["triggers"]} == {("agent_crashed", "retry")}
        for unit in said["units"][1:]:
            assert [(a["outcome"], a["fork"]) for a in unit["attempts"]][-1] == ("ok", None)

        # they are told what they would be told without forks, behind a beginning that is the same for all of them
        main = [r for r in c.server.requests(NAME) if r.main]
        anew = [r for r in main if any(task_of(unit) in r.text for unit in UNITS)]
        for request in anew:
            assert MAP in request.text
            assert request.text.index(MAP) < request.text.index("# Read for you") < request.text.index("# Your task")
            assert "`names.py` (the contract declares it; whole)" in request.text
        assert not [r for r in main if MAP in r.text and r not in anew], "the contract's agent read for all"
        assert len({json.dumps(_bare(r.body["system"])) for r in main}) == 1
        maps = {r.text.partition(MAP)[2].partition("# The units of this feature")[0] for r in anew}
        assert len(maps) == 1, "one map, the same to the byte"
        assert "app.py" in maps.pop()
