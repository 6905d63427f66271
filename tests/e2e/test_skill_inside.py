"""The real claude as host, and as the agents that ropeteam starts below it, which know nothing of the host."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from driving import FEATURE, FILES
from skill_world import BEGINS, CODING, MODEL, NAME, PLUGIN, TOOL, Host, call, code_of, host_of, look_up, told
from test_forked_claude import CONTRACT, UNITS, plan, report, task_of

from repositories import git, make_repo
from ropeteam import sandbox
from ropeteam.agents.claude import ENVIRONMENT, bundled
from ropeteam.testing.model_server import Call, Request, Shell, StructuredReport, Turn, WriteFile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bundled() is None, reason="the package claude-agent-sdk is not installed"),
]

STARTED = "started as"
ITS_OWN = Shell(
    command=f"echo {STARTED}; " + r"tr '\0' '\n' < /proc/$PPID/environ; echo; tr '\0' ' ' < /proc/$PPID/cmdline"
)
"""The environment and the command line of the claude that runs this shell."""
PASSED = {"PATH", "HOME", "LANG", "TMPDIR", "SHELL", "PWD", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"}
DESCRIPTION = "Implements a planned feature of .workspace/features"
RECURSION = (
    Shell(command=f"ropeteam run {FEATURE} --mode single --yes --json; echo code $?"),
    Call(name="Skill", input={"skill": "ropeteam:2-code", "args": FEATURE}),
    Call(name="Skill", input={"skill": "2-code", "args": FEATURE}),
    Call(name=f"{TOOL}start", input={"feature": FEATURE, "confirm": True}),
)
"""How an agent inside could begin a run of its own."""


def inner(h: Host) -> None:
    """Who plans, the contract and three units, each going on from the one before; a unit tries to hand on its task."""
    for unit in UNITS:
        write = WriteFile(path=f"{unit}.py", content=f"import names\n\nSAID = names.of({unit!r})\n")
        tries = (Turn(calls=RECURSION),) if unit == UNITS[0] else ()
        turns = (Turn(calls=(ITS_OWN,)), *tries, Turn(calls=(write,)), report(f"{unit}.py"))
        h.server.script_for(NAME, task_of(unit), turns)
    names = WriteFile(path="names.py", content="def of(word):\n    return word\n")
    look = Turn(calls=(Shell(command="cat app.py; pwd > at.txt"), ITS_OWN))
    h.server.script_for(NAME, f"This is the contract `{CONTRACT}`", (look, Turn(calls=(names,)), report("names.py")))
    proposal = plan()
    for unit in proposal["units"]:
        unit |= {"title": unit["id"], "goal": f"Do {unit['id']}.", "provides": [], "requirements": ["REQ-001"]}
        unit.setdefault("needs", [])
    files = [{"path": path, "status": "A", "lines": 90} for unit in proposal["units"] for path in unit["writes"]]
    planned = StructuredReport(content={"plan": {**proposal, "files": files}})
    h.server.script_for(NAME, "Plan how the feature", (Turn(calls=(Shell(command="ls"),)), Turn(calls=(planned,))))


def by_tools(h: Host) -> tuple[Turn, ...]:
    start = {"feature": FEATURE, "land": "yes", "mode": "parallel"}
    return (
        Turn(text=BEGINS, calls=(look_up("start", "wait"),)),
        Turn(calls=(call("start", **start),)),
        Turn(text="Shall I begin?", calls=(call("start", **start, confirm=code_of(h, start)),)),
        Turn(calls=(call("wait", timeout_seconds=120),)),
        Turn(text="Done."),
    )


def by_commands(_h: Host) -> tuple[Turn, ...]:
    run = f"ropeteam run {FEATURE} --mode parallel --land yes --detach --json --yes"
    return (
        Turn(text=BEGINS, calls=(Shell(command=run),)),
        Turn(calls=(Shell(command="ropeteam wait --timeout 110 --short"),)),
        Turn(text="Done."),
    )


@contextmanager
def host_with_claude_inside(folder: Path, *, confined: bool) -> Iterator[Host]:
    """With the plugin, and the same skills in the user's own folder."""
    settings = {
        "agent.name": "claude",
        "agent.claude.argv": [str(bundled())],
        "agent.claude.model": MODEL,
        "plan.planner": "agent",
        "sandbox.mode": "on" if confined else "off",
    }
    with host_of(folder, make_repo(folder / "repo", FILES), settings) as made:
        made.install()
        assert made.ropeteam("install-skill", "--for", "claude", "--yes").code == 0
        inner(made)
        yield made


@pytest.mark.parametrize(("turns", "confined"), [(by_tools, True), (by_commands, False)], ids=["tools", "commands"])
def test_agents_below_the_skill_know_nothing_of_who_called_it(
    turns: Callable[[Host], Sequence[Turn]], confined: bool, tmp_path: Path
) -> None:
    """Who plans, the contract and the units are claudes of their own. None is offered the skill or the MCP server, and
    no way to begin a run inside of the run is open."""
    if confined and not sandbox.available().ok:
        pytest.skip("no sandbox here")
    with host_with_claude_inside(tmp_path, confined=confined) as h:
        done = h.code(turns(h), prompt=f"/ropeteam:2-code {FEATURE}")

        assert done.code == 0, done
        said = h.report()
        assert (said["outcome"], said["landed"], said["triggers"]) == ("delivered_parallel", True, []), done
        attempts = {unit["id"]: unit["attempts"] for unit in said["units"]}
        assert {id: [(a["outcome"], a["fork"]) for a in of] for id, of in attempts.items()} == {
            "plan": [("ok", None)],
            CONTRACT: [("ok", "plan/1")],
            **{unit: [("ok", f"{CONTRACT}/1")] for unit in UNITS},
        }
        for unit in UNITS:
            assert (h.repo / f"{unit}.py").exists()
        assert git(h.repo, "status", "--porcelain") == ""

        (init,) = [event for event in done.events if event.get("subtype") == "init"]
        assert {"ropeteam:2-code", "2-code"} <= set(init["skills"]), "the outer one has it, twice"
        inside = [request for request in h.server.requests(NAME) if request.main and CODING not in request.text]
        assert len(inside) >= len(said["units"]) * 2
        for request in inside:
            sent = json.dumps([request.body, request.headers])
            assert init["session_id"] not in sent
            assert DESCRIPTION in (PLUGIN / "skills/2-code/SKILL.md").read_text()
            assert DESCRIPTION not in sent, "the skill is not offered"
            assert TOOL not in json.dumps(request.body["tools"])

        seen = [text for text in told(last(h)) if text.startswith(STARTED)]
        assert len(seen) == 2, "of the contract, and its own"
        for text in seen:
            names = {line.partition("=")[0] for line in text.partition("\n\n")[0].splitlines()[1:]}
            assert names - PASSED == {*ENVIRONMENT, "PYTHONDONTWRITEBYTECODE"}, "nothing of the outer one's session"

        run, plugin, skill, tool = told(last(h))[-5:-1]
        assert "inside_a_run" in run
        assert "code 2" in run
        assert "Unknown skill" in plugin
        assert "disabled" in skill
        assert "No such tool" in tool
        assert len(h.ropeteam("status", "--all").out.splitlines()) == 1


def last(h: Host) -> Request:
    """The last request of the unit that tried to hand on its task."""
    return [r for r in h.server.requests(NAME) if r.main and task_of(UNITS[0]) in r.text][-1]
