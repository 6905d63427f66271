"""`kill -9` while an agent plans, then `resume`: no two agents in one tree, it counts for nothing, its work is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import AGENT, FEATURE, FILES, RESULT, Project, make_as, must_hold
from killing import QUICK, everything, gone, kill, kill_run_at, kill_started, killing_git

from repositories import git

pytestmark = pytest.mark.slow

DOES = f"""
RESULT = {dict(RESULT)!r}
PLAN = {{"units": [
    {{"id": "names", "goal": "Greet by name.", "needs": [], "writes": ["app.py"], "requirements": ["REQ-001"]}},
    {{"id": "farewell", "goal": "Say bye.", "needs": [], "writes": ["farewell.py", "tests/test_farewell.py"]}},
]}}
if task["kind"] == "plan":
    write("notes.md", "half a thought\\n")
    note("working")
    %s
    report(files=[], plan=PLAN)
else:
    mine = {{pattern.lstrip("/") for pattern in task["writes"]}}
    paths = [p for p in RESULT if p in mine or "**" in mine]
    for p in paths:
        write(p, RESULT[p])
    report(files=[{{"path": p}} for p in paths])
"""
HELD, AT_ONCE = AGENT + DOES % 'wait_for("go")', AGENT + DOES % ""


class Planned(Project):
    """The agent plans and leaves a note in its tree; whoever carries out a part of the plan does so at once."""

    def run_args(self, *more: str) -> tuple[str, ...]:
        asked = super().run_args("--planner", "agent", *more)
        return tuple("parallel" if word == "single" else word for word in asked)

    def agent(self, does: str) -> None:
        (self.folder / "agent" / "agent.py").write_text(does)


@pytest.fixture
def p(tmp_path: Path) -> Iterator[Planned]:
    made = make_as(Planned, tmp_path, FILES, sandbox=False, sets=QUICK)
    made.agent(HELD)
    yield made
    made.close()


def comes_to_the_same(p: Planned, *, planners: int | None = 1) -> None:
    """Resumed twice: planned by as many agents, each in a tree of its own; none of them was told to count; what they
    wrote is under their refs and in no result; the second time nothing is changed.

    planners: None: one more where the first was journalled and killed before it was started.
    """
    first = p.ropeteam("resume", "--json")
    assert first.code == 0, first
    said = first.json
    assert (said["outcome"], said["landed"]) == ("delivered_parallel", True), (said["triggers"], first)
    if planners is None:
        planners = 1 + len(p.events("AttemptLost"))
    attempts = {unit["id"]: [a["outcome"] for a in unit["attempts"]] for unit in said["units"]}
    assert attempts == {"plan": ["killed"] * (planners - 1) + ["ok"], "names": ["ok"], "farewell": ["ok"]}
    assert [t for t in said["triggers"] if t["action"] != "notice"] == []
    begun = p.events("AttemptStarted")
    assert len({started["tree"] for started in begun}) == len(begun) == planners + 2
    assert len(set(p.starts())) == len(p.starts())
    plans = next(unit for unit in said["units"] if unit["id"] == "plan")["attempts"]
    for a in plans:
        if a["id"] in p.starts():
            assert "notes.md" in git(p.top, "ls-tree", "--name-only", a["ref"]).split(), a
    assert "notes.md" not in git(p.top, "ls-tree", "--name-only", "main").split()
    assert (p.top / "farewell.py").read_text() == RESULT["farewell.py"]
    assert git(p.top, "status", "--porcelain") == ""
    count = Counter(p.kinds())
    assert (count["Planned"], count["PlanRefused"], count["CommandFailed"], count["RunEnded"]) == (1, 0, 0, 1)
    assert (p.top / ".workspace" / "features" / FEATURE / "02-implementation.md").read_text().count(
        "ropeteam run "
    ) == 1
    must_hold(p)
    rows, view = p.rows(), everything(p)
    second = p.ropeteam("resume", "--json")
    assert (second.code, second.json) == (0, said)
    assert (p.rows(), everything(p)) == (rows, view)


def test_orchestrator_and_wrapper_are_killed(p: Planned) -> None:
    """The agent itself lives on without anybody; it is ended before another one begins."""
    child = p.start(*p.run_args())
    p.wait_agent()
    agents = p.agents()
    assert agents
    kill_started(child)
    kill(p.wrapper())
    must_hold(p, at_rest=False)
    p.agent(AT_ONCE)
    comes_to_the_same(p, planners=2)
    gone(*agents)
    (lost,) = p.events("AttemptLost")
    second = next(s for s in p.events("AttemptStarted") if s["attempt"] == "plan/2")
    assert git(p.top, "show", f"{lost['result']['commit']}:notes.md") == "half a thought"
    assert second["start"] == p.before["head"], "what the first one left in its tree is no plan"


def test_everybody_is_killed_twice(p: Planned) -> None:
    """More often than it may be tried: it counts for nothing."""
    child = p.start(*p.run_args())
    for attempt in (1, 2, 3):
        p.wait_agent(attempt=attempt)
        agents = [p.wrapper(attempt), *p.agents(attempt)]
        kill_started(child)
        kill(*agents)
        gone(*agents)
        must_hold(p)
        if attempt < 3:
            child = p.start("resume")
    p.agent(AT_ONCE)
    comes_to_the_same(p, planners=4)


@pytest.mark.parametrize("ends", ["before the resume", "after it"])
def test_the_orchestrator_is_killed_and_the_agent_goes_on(p: Planned, ends: str) -> None:
    child = p.start(*p.run_args())
    io = p.wait_agent()
    wrapper, before = p.wrapper(), p.agents()
    kill_started(child)
    if ends == "before the resume":
        (io / "go").touch()
        gone(wrapper, *before)
    else:
        resumed = p.start("resume", "--json")
        p.wait_event("Resumed")
        assert p.agents() == before
        (io / "go").touch()
        assert p.ended(resumed).code == 0
    comes_to_the_same(p)


MOMENTS = {
    "filling its tree": ("read-tree -m -u*", 1),
    "taking its snapshot": ("add -A*", 1),
    "keeping its snapshot": ("update-ref*/plan/1 *", 1),
    "beginning the units": ("read-tree -m -u*", 2),
}


@pytest.mark.parametrize("how", ["instead", "then"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_git_call(p: Planned, moment: str, how: str) -> None:
    p.agent(AT_ONCE)
    on, at = MOMENTS[moment]
    assert kill_run_at(p, killing_git(p, at, on, how)), "that call was never made"
    comes_to_the_same(p)


@pytest.mark.parametrize("after", ["AttemptStarted", "AttemptSucceeded", "Planned"])
def test_killed_right_after_an_event(p: Planned, after: str) -> None:
    """Between two events there is little time: whatever is hit, it is all the same."""
    p.agent(AT_ONCE)
    child = p.start(*p.run_args())
    p.wait_event(after)
    kill_started(child)
    comes_to_the_same(p, planners=None)
