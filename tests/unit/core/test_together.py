"""Several agents, on the state alone: what a candidate is told, what follows a run that was not delivered."""

from __future__ import annotations

from msgspec.structs import replace
from several import Several

from ropeteam.core import events as ev
from ropeteam.core.model import AgentReport, FileChange


def ends_with(world: Several, unit: str, *changes: FileChange) -> Several:
    result = replace(world.result_of(unit, AgentReport()), changes=changes)
    world.happen(ev.AttemptSucceeded(attempt=world.agent(unit).attempt, result=result))
    return world


def test_a_candidate_is_told_which_files_were_changed_by_nobody_who_owns_them() -> None:
    world = Several().with_contract()
    changes = (
        FileChange(path="app/02-models.py", kind="modified"),
        FileChange(path="tests/test_old.py", kind="deleted"),
        FileChange(path="app/new.py", kind="created"),
    )
    ends_with(world, "02-models", *changes).merges()
    assert world.find(ev.Validate).disowned == ("tests/test_old.py",)
    world.holds()
    ends_with(world, "03-api", FileChange(path="app/03-api.py", kind="modified")).merges()
    assert world.find(ev.Validate).disowned == ("tests/test_old.py",)


def test_what_waits_behind_a_candidate_is_not_in_it() -> None:
    world = Several().with_contract()
    ends_with(world, "02-models", FileChange(path="app/02-models.py", kind="created")).merges()
    ends_with(world, "03-api", FileChange(path="tests/test_old.py", kind="deleted")).merges()
    assert world.find(ev.Validate).disowned == ()
    world.holds()
    assert world.find(ev.Validate).disowned == ("tests/test_old.py",)


def test_after_a_used_up_budget_one_agent_goes_on_not_those_that_were_stopped() -> None:
    world = Several(budget_usd=1.0).with_contract()
    world.uses("03-api", 1_000, 1.2)
    for unit in ("02-models", "03-api", "04-mails"):
        world.breaks(unit, "budget", after=0.0)
    world.happen(ev.DocumentsWritten(paths=()))
    assert world.state.outcome == "not_delivered"
    world.happen(ev.Resumed(budget_usd=5.0))
    assert [c.unit for c in world.all(ev.RunAgent)] == ["rest"]
