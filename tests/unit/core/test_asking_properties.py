"""Whatever happens while an agent plans and after it, these hold: several agents, with one that plans before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from plans import plans
from test_together_properties import RandomRope, firsts_of, go_well, numbers, over
from worlds import BASE

from ropeteam.core import asking
from ropeteam.core import events as ev
from ropeteam.core.budget import exhausted
from ropeteam.core.decide import decide
from ropeteam.core.model import AgentReport, FileChange, Finding, Plan
from ropeteam.core.plan_batches import layered
from ropeteam.core.report import report
from ropeteam.core.schedule import fold
from ropeteam.core.survey import Explanation, Outlook


class RandomPlanning(RandomRope):
    """proposed: the plan that the agent makes, where it makes one that can be carried out."""

    def __init__(self, numbers: list[int], first: ev.RunStarted, proposed: Plan) -> None:
        self.proposed = proposed
        super().__init__(numbers, first)

    def _forget(self, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.PlanRefused) or (isinstance(event, ev.Planned) and event.attempt):
            assert "Assess" in self.busy
            self.busy -= {"Assess", "stop:Assess"}
        else:
            super()._forget(event)

    def _check_agents(self) -> None:
        super()._check_agents()
        names = [c.unit for c in self.state.under_way()]
        assert names == [asking.PLAN] or asking.PLAN not in names, f"{names} at work while it is planned"
        tries = [a for a in self.state.attempts if a.unit == asking.PLAN]
        assert sum(a.counted for a in tries) <= asking.TRIES
        assert self.state.decision is None or all(a.stage not in ("running", "ended") for a in tries)
        assert self.state.decision is not None or len(tries) == len(self.state.attempts)

    def _check_start(self, c: ev.RunAgent) -> None:
        now = self.state
        if c.unit == asking.PLAN:
            assert now.decision is None
            assert not exhausted(now)
            assert c.attempt == f"plan/{len(now.attempts) + 1}"
            assert c.start == c.base == BASE, "it begins with what another one that planned has left"
        elif c.unit == "single":
            assert now.decision is not None
            assert now.decision.mode == "single"
            assert not exhausted(now)
        else:
            super()._check_start(c)

    def good(self, c: ev.AnyCommand) -> list[Callable[[], Any]]:
        match c:
            case ev.Assess():
                return [
                    lambda: self.assessed(c),
                    lambda: self.happen(ev.PlanRefused(attempt=c.attempt, faults=("No.",))),
                ]
            case ev.Merge() if c.attempt.startswith("single/"):
                bad = (Finding(path="a.py", message="invalid syntax"),)
                return [self.merge, lambda: self.merge(findings=bad), self.conflict]
            case _:
                return super().good(c)

    def assessed(self, c: ev.Assess) -> None:
        begun = self.state.begun
        decision = decide(begun.answers, self.proposed, begun.settings.gate)
        made = Explanation(planner="agent")
        self.happen(ev.Planned(decision=decision, plan=self.proposed, explanation=made, attempt=c.attempt))

    def _asks(self) -> AgentReport:
        return super()._asks() if self.state.decision is not None else AgentReport()

    def _changes(self, unit: str) -> tuple[FileChange, ...]:
        if self.state.decision is not None:
            return super()._changes(unit)
        return (FileChange(path="harm.py", kind="created"),)


@st.composite
def planning(draw: st.DrawFn) -> ev.RunStarted:
    first = draw(firsts_of())
    answers = replace(
        first.answers,
        mode=draw(st.sampled_from(["auto", "parallel"])),
        until=draw(st.sampled_from(["end", "end", "plan"])),
    )
    little = replace(
        first.settings.limits,
        budget_usd=draw(st.sampled_from([None, 0.0, 2.0, 4.0])),
        budget_tokens=draw(st.sampled_from([None, None, 200])),
    )
    first = replace(first, settings=replace(first.settings, limits=little))  # used up by one who plans
    return replace(first, answers=answers, outlook=Outlook(ask_agent="Nobody names files."))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(numbers=numbers, first=planning(), proposed=plans(most=5))
def test_every_run_that_an_agent_plans_ends_and_keeps_its_promises(
    numbers: list[int], first: ev.RunStarted, proposed: Plan
) -> None:
    w = RandomPlanning(numbers, first, layered(replace(proposed, batches=(), barriers=False), "auto"))
    w.check_standing()
    while w.numbers and not over(w):
        w.move(chaos=True)
    state = go_well(w).state
    assert state.phase == "ended", sorted(state.open)
    assert state.open == {}
    assert (state.outcome == "cancelled") == ("cancelled" in [t.id for t in state.triggers])
    assert state.outcome == "cancelled" or state.landed or state.branch
    used = [a for a in state.attempts if a.kind == "plan" and a.stage == "validated"]
    planned = [e for e in w.events if isinstance(e, ev.Planned)]
    assert [e.attempt for e in planned if e.attempt] == [a.id for a in used]
    assert len(planned) <= 1
    assert not any(e.attempt.startswith("plan/") for e in w.events if isinstance(e, ev.Merged))
    said = report(state)
    assert fold(msgspec.json.decode(msgspec.json.encode(w.events), type=list[ev.AnyEvent])) == state
    w.resume()
    assert report(w.state) == said
    assert w.state.open == {}
