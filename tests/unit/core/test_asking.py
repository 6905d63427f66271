"""An agent that plans, before it is decided how to work: asked at most twice, and never what the run depends on."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from worlds import started
from worlds_together import Rope, plan_of

from ropeteam.core import events as ev
from ropeteam.core.decide import decide
from ropeteam.core.model import Plan, PlanEstimate, SideEstimate, Usage
from ropeteam.core.report import report
from ropeteam.core.settings import Limits, Settings
from ropeteam.core.survey import Explanation, Outlook

STATIC = plan_of("all")
BETTER = replace(plan_of("a b"), estimate=PlanEstimate(speedup_quantile=1.8, single=SideEstimate(seconds_p50=900.0)))


class Planning(Rope):
    """`plan/1` is about to begin."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        until: str = "end",
        ask: str = "Nobody names files.",
        mode: str = "auto",
    ) -> None:
        first = started(mode=mode, settings=Settings(limits=limits or Limits()))
        answers = replace(first.answers, until=until)
        super().__init__(replace(first, answers=answers, plan=STATIC, outlook=Outlook(ask_agent=ask)))
        self.at("plan")

    def proposes(self) -> Planning:
        """Its agent ends, and what it proposed is about to be looked at."""
        self.begin("plan").succeed(changes=())
        assert self.find(ev.Assess).attempt == self.newest("plan").id
        return self

    def accepted(self, plan: Plan = BETTER) -> Planning:
        begun, c = self.state.begun, self.find(ev.Assess)
        decision = decide(begun.answers, plan, begun.settings.gate)
        made = Explanation(planner="agent")
        self.happen(ev.Planned(decision=decision, plan=plan, explanation=made, attempt=c.attempt))
        return self

    def refused(self, *faults: str) -> Planning:
        self.happen(ev.PlanRefused(attempt=self.find(ev.Assess).attempt, faults=faults or ("It has a cycle.",)))
        return self


def test_nobody_is_asked_where_the_documents_say_enough() -> None:
    w = Planning(ask="")
    assert w.state.plan == STATIC
    assert w.agents() == ["single/1"]


def test_its_plan_is_carried_out() -> None:
    w = Planning()
    assert w.agents() == ["plan/1"]
    assert w.find(ev.RunAgent).kind == "plan"
    assert w.state.phase == "planning"
    w.proposes().accepted()
    assert w.stage("plan/1") == "validated"
    assert w.state.plan == BETTER
    assert w.agents() == ["a/1", "b/1"]
    assert {u.id for u in report(w.state).units} == {"a", "b", "plan"}


def test_one_that_cannot_be_carried_out_is_asked_for_once_more_with_what_is_wrong() -> None:
    w = Planning().proposes().refused("Units a and b both own x.py.", "There is no unit c.")
    c = w.find(ev.RunAgent)
    assert (c.attempt, c.start, c.base) == ("plan/2", "base", "base")
    assert "both own x.py" in c.earlier[-1].problem
    assert "no unit c" in c.earlier[-1].problem
    assert w.fell() == [("plan_refused", "plan", "retry")]
    w.proposes().accepted()
    assert w.state.plan == BETTER


def test_after_two_the_static_plan_counts_and_says_so() -> None:
    w = Planning().proposes().refused().at("plan").proposes().refused("It is empty.")
    assert w.state.plan == STATIC
    assert w.agents() == ["single/1"]
    assert [(id, action) for id, unit, action in w.fell() if unit == "plan"] == [
        ("plan_refused", "retry"),
        ("plan_refused", "notice"),
    ]
    assert w.state.explanation is not None
    assert any("It is empty" in n for n in w.state.explanation.notices)


def test_a_crash_of_the_planner_costs_nothing_but_its_time() -> None:
    w = Planning().begin("plan").fail("crashed")
    assert w.agents() == ["plan/2"]
    w.begin("plan").fail("timeout")
    assert w.agents() == ["single/1"]
    assert ("agent_crashed", "plan", "notice") in w.fell()


def test_what_may_pass_is_waited_for_and_counts_for_nothing() -> None:
    w = Planning().begin("plan").fail("overload")
    assert w.find(ev.RunAgent).not_before > w.now
    assert not w.newest("plan").counted


def test_a_quota_parks_the_run_and_it_goes_on_planning() -> None:
    w = Planning().begin("plan").fail("rate", retry_at=1_010_000.0)
    assert w.state.phase == "parked"
    w.resume()
    assert w.agents() == ["plan/2"]


def test_an_agent_that_cannot_be_used_parks_before_it_is_planned() -> None:
    w = Planning().begin("plan").fail("auth")
    assert w.state.phase == "parked"
    assert w.state.decision is None


def test_what_fails_in_ropeteam_itself_leaves_the_static_plan() -> None:
    w = Planning().proposes()
    w.happen(ev.CommandFailed(key="Assess", error="no"))
    w.happen(ev.CommandFailed(key=w.find(ev.Assess).key, error="no"))
    assert w.agents() == ["single/1"]
    assert w.stage("plan/1") == "ejected"
    w = Planning()
    for _ in range(2):
        w.happen(ev.CommandFailed(key=w.find(ev.RunAgent).key, error="no tree"))
    assert w.agents() == ["single/1"]
    assert w.state.ending is None


def test_with_an_empty_budget_nobody_is_asked() -> None:
    w = Planning(limits=Limits(budget_usd=0.0))
    assert "plan/1" not in {c.attempt for c in w.asked_for(ev.RunAgent)}


@pytest.mark.parametrize("moment", ["making ready", "at work", "assessing"])
def test_stopped_while_it_plans_it_plans_again(moment: str) -> None:
    w = Planning()
    if moment == "at work":
        w.begin("plan")
    elif moment == "assessing":
        w.proposes()
    w.interrupt()
    if moment == "making ready":
        w.happen(ev.CommandStopped(key="agent:plan/1"))
    elif moment == "at work":
        w.fail("killed")
    else:
        w.accepted()
    assert w.state.phase == "interrupted"
    w.resume()
    assert w.agents() == (["a/1", "b/1"] if moment == "assessing" else [f"plan/{1 if moment == 'making ready' else 2}"])


def test_cancelled_while_it_plans() -> None:
    w = Planning().begin("plan").cancel()
    w.fail("killed")
    assert w.state.outcome == "cancelled"


def test_until_the_plan_it_stands_still_once_there_is_one_and_goes_on_when_it_is_resumed() -> None:
    w = Planning(until="plan").proposes().accepted()
    assert w.state.phase == "interrupted"
    assert w.agents() == []
    assert w.state.plan == BETTER
    w.resume()
    assert w.agents() == ["a/1", "b/1"]


def test_until_the_plan_without_an_agent() -> None:
    w = Planning(until="plan", ask="")
    assert w.state.phase == "interrupted"
    assert w.state.decision is not None
    w.resume()
    assert w.agents() == ["single/1"]


def test_a_budget_used_up_while_it_plans_stops_it_and_begins_nobody() -> None:
    w = Planning(limits=Limits(budget_usd=1.0)).begin("plan")
    w.use(cost_usd=1.2)
    assert w.agents() == ["plan/1"]
    assert w.stops() == ["agent:plan/1"]
    assert w.state.decision is None
    w.fail("budget", usage=Usage(cost_usd=1.2))
    assert w.state.ending == "not_delivered"
    assert {c.unit for c in w.asked_for(ev.RunAgent)} == {"plan"}


def test_a_smaller_budget_at_the_resume_lets_one_that_is_made_ready_be() -> None:
    w = Planning(limits=Limits(budget_usd=9.0)).begin("plan")
    w.use(cost_usd=1.2)
    w.lose(usage=Usage(cost_usd=1.2))
    assert w.agents() == ["plan/2"]
    w.happen(ev.Resumed(budget_usd=1.0))
    assert w.stops() == ["agent:plan/2"]
    w.happen(ev.CommandStopped(key="agent:plan/2"))
    assert w.state.ending == "not_delivered"
    assert w.agents() == []


def test_one_that_says_its_budget_is_used_up_is_not_asked_again() -> None:
    """What it is said to have cost may be a little under the limit for ever."""
    w = Planning(limits=Limits(budget_usd=1.0)).begin("plan").fail("budget", usage=Usage(cost_usd=0.99))
    assert w.agents() == ["single/1"]
    assert ("token_budget_exceeded", "plan", "notice") in w.fell()


def test_who_was_cut_off_made_no_plan_that_was_wrong() -> None:
    w = Planning().proposes().refused("There is no unit c.").begin("plan").lose()
    c = w.find(ev.RunAgent)
    assert c.attempt == "plan/3"
    assert [(one.attempt, one.problem) for one in c.earlier] == [("plan/1", "- There is no unit c.")]
    w.begin("plan").fail("empty")
    assert w.agents() == ["single/1"]


def test_several_that_are_asked_for_are_one_where_nothing_can_be_shared_out() -> None:
    """No run ends as parallel that never was."""
    w = Planning(mode="parallel").proposes().refused().at("plan").proposes().refused()
    assert w.agents() == ["single/1"]
    assert ("speedup_below_minimum", "", "single") in w.fell()
    assert w.state.decision is not None
    assert w.state.decision.overridden == ()
    assert "asked for (--mode parallel)" in w.state.decision.reasons[0]
