"""The stories of single mode, one by one, told to the state machine event by event."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from worlds import BASE, CHECKS, PASSED, World, started

from ropeteam.core import events as ev
from ropeteam.core.model import Finding, Outcome, Trigger, Usage
from ropeteam.core.report import exit_code, report
from ropeteam.core.settings import Limits

LOG = "02-implementation.md"

# ---- it works


def test_a_run_goes_from_the_first_event_to_the_users_branch() -> None:
    w = World()
    assert w.kinds() == {"RunAgent"}
    agent = w.find(ev.RunAgent)
    assert (agent.attempt, agent.start, agent.base, agent.earlier) == ("single/1", BASE, BASE, ())
    w.begin()
    assert w.kinds() == {"MeasureBaseline", "RunAgent"}
    w.baseline().succeed()
    merge = w.find(ev.Merge)
    assert (merge.attempt, merge.commit, merge.base, merge.onto) == ("single/1", "work-of-single/1", BASE, BASE)
    assert merge.message.endswith(f"Ropeteam-Run: {w.state.begun.run}\n")
    w.merge()
    check = w.find(ev.Validate)
    assert (check.commit, check.base, check.baseline, check.last) == ("merged-work-of-single/1", BASE, CHECKS, True)
    w.validate().compose(LOG)
    land = w.find(ev.Land)
    assert (land.head, land.onto, land.branch) == ("merged-work-of-single/1+documents", BASE, "main")
    w.land()
    assert (w.state.phase, w.state.outcome, w.state.landed) == ("ended", "delivered_single", True)
    assert w.state.triggers == ()
    assert w.state.open == {}
    assert exit_code(w.state) == 0


def test_the_agent_may_be_faster_than_the_baseline() -> None:
    w = World().begin().succeed().merge()
    assert w.kinds() == {"MeasureBaseline"}
    w.baseline()
    assert w.kinds() == {"Validate"}


def test_documents_that_are_in_no_commit_are_written_in_place_once() -> None:
    w = World().to_compose().compose().land(write=False)
    assert w.kinds() == {"WriteDocuments"}
    w.write()
    assert w.state.outcome == "delivered_single"
    assert w.state.written == (LOG,)
    assert len(w.asked_for(ev.WriteDocuments)) == 1


def test_the_message_of_the_commit_is_the_features_title_and_summary() -> None:
    first = started()
    w = World(ev.RunStarted(**{f: getattr(first, f) for f in first.__struct_fields__}))
    assert w.to_merge().find(ev.Merge).message == f"checkout\n\nRopeteam-Run: {first.run}\n"


# ---- second tries


def test_a_failed_check_gives_a_second_try_from_the_first_ones_snapshot() -> None:
    w = World().to_validate().validate(passes=False)
    again = w.find(ev.RunAgent)
    assert (again.attempt, again.start, again.base) == ("single/2", "work-of-single/1", BASE)
    (before,) = again.earlier
    assert (before.attempt, before.ref) == ("single/1", "refs/ropeteam/run/single/1")
    assert "assert 3 == 4" in before.problem
    assert w.triggers() == [("batch_validation_failed", "retry")]
    assert "test_total" in w.state.triggers[0].evidence
    w.begin().succeed()
    assert (w.find(ev.Merge).base, w.find(ev.Merge).onto) == (BASE, BASE)
    w.merge().validate().compose(LOG).land()
    assert w.state.outcome == "delivered_single"


def test_after_two_failures_the_run_is_not_delivered_and_a_resume_makes_one_more_attempt() -> None:
    w = World().to_validate().validate(passes=False).begin().succeed().merge().validate(passes=False)
    assert w.kinds() == {"WriteDocuments"}
    w.write()
    assert w.state.outcome == "not_delivered"
    assert exit_code(w.state) == 1
    assert [a for _, a in w.triggers()] == ["retry", "stop"]
    assert not w.asked_for(ev.Land)
    assert not w.asked_for(ev.LeaveBranch)
    w.resume()
    third = w.find(ev.RunAgent)
    assert (third.attempt, third.start, len(third.earlier)) == ("single/3", "work-of-single/2", 2)
    w.begin().succeed().merge().validate(passes=False).write()
    assert w.state.outcome == "not_delivered"
    w.resume().begin().succeed().merge().validate().compose(LOG).land()
    assert (w.state.outcome, w.state.landed) == ("delivered_single", True)
    assert exit_code(w.state) == 0


def test_files_that_do_not_parse_are_told_to_the_next_attempt() -> None:
    w = World().to_merge().merge(findings=(Finding(path="app/a.py", line=7, message="invalid syntax"),))
    assert w.triggers() == [("syntax_error", "retry")]
    assert "app/a.py:7: invalid syntax" in w.find(ev.RunAgent).earlier[0].problem
    assert not w.asked_for(ev.Validate)


def test_a_conflict_is_told_to_the_next_attempt() -> None:
    w = World().to_merge()
    w.happen(ev.MergeConflicted(attempt="single/1", onto=BASE, paths=("a.py", "b.py")))
    assert w.triggers() == [("file_conflict", "retry")]
    assert "a.py, b.py" in w.find(ev.RunAgent).earlier[0].problem


COUNTED: list[tuple[Outcome, str]] = [
    ("killed", "agent_crashed"),
    ("stalled", "agent_crashed"),
    ("timeout", "agent_crashed"),
    ("turns", "agent_crashed"),
    ("empty", "agent_crashed"),
    ("crashed", "agent_crashed"),
    ("unknown", "agent_crashed"),
    ("denied", "agent_crashed"),
    ("corrupted", "context_corrupted"),
    ("context", "token_budget_exceeded"),
]


@pytest.mark.parametrize(("outcome", "trigger"), COUNTED)
def test_a_fault_of_the_agent_counts_and_the_second_ends_the_run(outcome: Outcome, trigger: str) -> None:
    w = World().begin().baseline().fail(outcome)
    assert w.triggers() == [(trigger, "retry")]
    assert w.find(ev.RunAgent).attempt == "single/2"
    assert w.find(ev.RunAgent).start == "work-of-single/1"
    assert w.find(ev.RunAgent).not_before == 0.0
    w.begin().fail(outcome).write()
    assert w.triggers() == [(trigger, "retry"), (trigger, "stop")]
    assert w.state.outcome == "not_delivered"
    assert [a.id for a in w.state.attempts] == ["single/1", "single/2"]


def test_a_failed_attempt_and_a_failed_check_count_together() -> None:
    w = World().begin().baseline().fail("crashed").begin().succeed().merge().validate(passes=False).write()
    assert w.state.outcome == "not_delivered"


def test_a_single_try_is_a_setting() -> None:
    w = World(started(limits=Limits(tries=1))).begin().baseline().fail("crashed").write()
    assert w.state.outcome == "not_delivered"
    assert w.triggers() == [("agent_crashed", "stop")]


# ---- causes outside the agent's work


def test_an_agent_that_is_not_logged_in_parks_the_run_and_a_resume_tries_again() -> None:
    w = World().begin().baseline().fail("auth")
    assert (w.state.phase, w.state.open) == ("parked", {})
    assert w.triggers() == [("agent_not_usable", "park")]
    assert exit_code(w.state) == 4
    w.resume()
    assert w.find(ev.RunAgent).attempt == "single/2"
    w.begin().succeed().merge().validate().compose(LOG).land()
    assert w.state.outcome == "delivered_single"
    assert w.state.attempt("single/1").counted is False


def test_parking_stops_the_baseline_first() -> None:
    w = World().begin().fail("auth")
    assert w.kinds() == {"MeasureBaseline", "Stop"}
    w.stopped(ev.MeasureBaseline)
    assert w.state.phase == "parked"
    w.resume()
    assert w.kinds() == {"MeasureBaseline", "RunAgent"}


def test_a_rate_limit_is_waited_for_once_then_parks() -> None:
    w = World().begin().baseline().fail("rate")
    second = w.find(ev.RunAgent)
    assert second.not_before == pytest.approx(w.now + 30.0)
    assert w.triggers() == [("agent_crashed", "retry")]
    w.begin().fail("rate", retry_at=w.now + 5000)
    assert w.triggers()[1:] == [("quota_exhausted", "park")]
    assert w.state.phase == "parked"
    assert w.state.resume_at == pytest.approx(w.now - 60 + 5000, abs=1)
    assert report(w.state).resume_at is not None
    assert not any(a.counted for a in w.state.attempts)
    w.resume()
    assert w.find(ev.RunAgent).not_before == 0.0  # the user says that it can go on
    assert w.state.resume_at is None


def test_after_a_park_a_rate_limit_is_waited_for_once_again() -> None:
    w = World().begin().baseline().fail("rate").begin().fail("rate").resume().begin().fail("rate")
    assert w.find(ev.RunAgent).not_before > w.now
    w.begin().fail("rate")
    assert w.state.phase == "parked"


def test_a_quota_that_lifts_much_later_parks_at_once_and_says_when() -> None:
    w = World().begin().baseline()
    lifts = w.now + 3 * 3600
    w.fail("rate", retry_at=lifts)
    assert w.state.phase == "parked"
    assert w.state.resume_at == lifts
    assert w.triggers() == [("quota_exhausted", "park")]


def test_a_provider_that_says_when_is_waited_for_until_then() -> None:
    w = World().begin().baseline()
    w.fail("overload", retry_at=w.now + 200)
    assert w.find(ev.RunAgent).not_before == pytest.approx(w.now - 60 + 200)


def test_an_overload_that_lasts_for_hours_parks_rather_than_sleeps() -> None:
    w = World().begin().baseline()
    w.fail("overload", retry_at=w.now + 7200)
    assert w.state.phase == "parked"
    assert w.triggers() == [("quota_exhausted", "park")]


def test_an_overload_is_waited_for_once_not_counted_then_it_counts() -> None:
    w = World().begin().baseline().fail("overload")
    assert w.state.attempt("single/1").counted is False
    w.begin().fail("overload")
    assert w.state.attempt("single/2").counted is True
    assert w.find(ev.RunAgent).attempt == "single/3"
    w.begin().fail("overload").begin().fail("overload").write()
    assert w.state.outcome == "not_delivered"
    assert [a for _, a in w.triggers()] == ["retry", "retry", "retry", "stop"]


def test_time_spent_waiting_for_a_provider_is_not_ours() -> None:
    w = World().begin().baseline().fail("overload")
    w.now += 30.0
    w.begin()
    assert w.state.clockwork.waited == pytest.approx(30.0)
    w.succeed().merge().validate().compose(LOG).land()
    assert report(w.state).actual.orchestration_seconds < 15.0


# ---- the budget


def test_a_notice_at_four_fifths_of_the_money_then_the_end_with_everything_kept() -> None:
    w = World(started(limits=Limits(budget_usd=10.0)))
    assert w.find(ev.RunAgent).budget_usd == 10.0
    w.begin(cost_usd=7.9).baseline()
    assert w.state.triggers == ()
    w.use(cost_usd=8.0).use(cost_usd=8.5)
    assert w.triggers() == [("token_budget_exceeded", "notice")]
    assert "$8.00 of $10.00" in w.state.triggers[0].evidence
    assert w.all(ev.Stop) == []
    w.use(cost_usd=10.2)
    assert w.triggers()[1:] == [("token_budget_exceeded", "stop")]
    stop = w.find(ev.Stop)
    assert (stop.target, stop.why) == ("agent:single/1", "budget")
    w.fail("budget")
    assert w.kinds() == {"WriteDocuments"}
    w.write()
    assert w.state.outcome == "not_delivered"
    assert w.state.attempt("single/1").stage == "stopped"
    assert len(w.triggers()) == 2  # that we stopped it is no fault of the agent


def test_a_larger_budget_lets_a_run_go_on() -> None:
    w = World(started(limits=Limits(budget_usd=10.0))).begin(cost_usd=11.0).baseline().fail("budget").write()
    assert w.state.outcome == "not_delivered"
    w.resume(budget_usd=20.0)
    again = w.find(ev.RunAgent)
    assert (again.attempt, again.start, again.budget_usd) == ("single/2", "work-of-single/1", 9.0)
    w.begin().succeed().merge().validate().compose(LOG).land()
    assert w.state.outcome == "delivered_single"


def test_a_resume_without_a_larger_budget_spends_nothing() -> None:
    w = World(started(limits=Limits(budget_usd=10.0))).begin(cost_usd=11.0).baseline().fail("budget").write()
    before = w.triggers()
    w.resume().write()
    assert w.state.outcome == "not_delivered"
    assert len(w.asked_for(ev.RunAgent)) == 1
    assert w.triggers() == before


def test_tokens_are_limited_like_money() -> None:
    w = World(started(limits=Limits(budget_tokens=1000))).begin(input=500, cached=200, output=100).baseline()
    assert w.triggers() == [("token_budget_exceeded", "notice")]
    w.use(input=800, cached=200)
    assert w.all(ev.Stop)
    w.fail("killed").write()
    assert w.state.outcome == "not_delivered"
    assert w.resume(budget_tokens=3000).find(ev.RunAgent).budget_tokens == 2000


def test_agent_time_is_limited_and_the_next_attempt_gets_what_is_left() -> None:
    w = World(started(limits=Limits(run_seconds=100.0)))
    assert w.find(ev.RunAgent).seconds == 100.0
    w.begin().baseline().fail("crashed", seconds=70.0)
    assert w.find(ev.RunAgent).seconds == pytest.approx(30.0)
    w.begin().fail("timeout", seconds=30.0).write()
    assert w.state.outcome == "not_delivered"
    assert ("token_budget_exceeded", "stop") in w.triggers()
    assert w.resume(run_seconds=500.0).find(ev.RunAgent).seconds == pytest.approx(400.0)


def test_a_fault_that_also_uses_up_the_budget_is_not_announced_as_tried_again() -> None:
    w = World(started(limits=Limits(budget_usd=1.0))).begin().baseline()
    w.fail("crashed", usage=Usage(output=5, cost_usd=1.5))
    assert w.kinds() == {"WriteDocuments"}
    assert w.triggers() == [("agent_crashed", "stop"), ("token_budget_exceeded", "stop")]


@pytest.mark.parametrize("outcome", ["rate", "overload", "auth"])
def test_nothing_is_waited_for_when_the_budget_is_gone(outcome: Outcome) -> None:
    w = World(started(limits=Limits(budget_usd=1.0))).begin(cost_usd=1.0).baseline().resume()
    w.fail(outcome)
    assert w.kinds() == {"WriteDocuments"}
    w.write()
    assert w.state.outcome == "not_delivered"


def test_a_budget_of_nothing_starts_no_agent() -> None:
    w = World(started(limits=Limits(budget_usd=0.0)))
    assert w.asked_for(ev.RunAgent) == []
    assert w.triggers() == [("token_budget_exceeded", "stop")]
    assert w.write().state.outcome == "not_delivered"


def test_a_result_that_took_the_last_of_the_budget_is_still_checked_and_delivered() -> None:
    w = World(started(limits=Limits(budget_usd=1.0))).begin(cost_usd=0.5).baseline()
    w.succeed(usage=Usage(output=5, cost_usd=1.5)).merge().validate().compose(LOG).land()
    assert w.state.outcome == "delivered_single"


def test_a_result_that_took_the_last_of_the_budget_and_fails_is_the_end() -> None:
    w = World(started(limits=Limits(budget_usd=1.0))).begin().baseline().succeed(usage=Usage(cost_usd=1.5))
    w.merge().validate(passes=False).write()
    assert w.state.outcome == "not_delivered"
    assert len(w.asked_for(ev.RunAgent)) == 1


def test_an_agent_that_meets_its_own_limit_after_more_was_allowed_is_followed_by_another() -> None:
    w = World(started(limits=Limits(budget_usd=5.0))).begin(cost_usd=3.0).baseline()
    w.resume(budget_usd=20.0)  # the orchestrator died, the agent lived on with the limit it was given
    w.use(cost_usd=5.0).fail("budget")
    assert w.find(ev.RunAgent).attempt == "single/2"
    assert w.find(ev.RunAgent).budget_usd == 15.0
    assert w.state.ending is None


def test_more_tokens_count_as_more_budget_too() -> None:
    w = World(started(limits=Limits(budget_tokens=1000))).begin(output=700).baseline().resume(budget_tokens=9000)
    w.use(output=1000).fail("budget")
    assert w.find(ev.RunAgent).budget_tokens == 8000


def test_an_agent_that_meets_its_own_limit_ends_the_run() -> None:
    w = World(started(limits=Limits(budget_usd=5.0))).begin(cost_usd=4.9).baseline().fail("budget").write()
    assert w.state.outcome == "not_delivered"
    assert ("token_budget_exceeded", "stop") in w.triggers()


def test_a_notice_is_not_repeated_by_a_resume() -> None:
    w = World(started(limits=Limits(budget_usd=10.0))).begin(cost_usd=9.0).baseline().resume().resume()
    assert w.triggers() == [("token_budget_exceeded", "notice")]
    w.resume(budget_usd=11.0)
    assert w.triggers() == [("token_budget_exceeded", "notice")] * 2


# ---- landing


def test_without_landing_the_branch_is_left() -> None:
    w = World(started(land="no")).to_land()
    left = w.find(ev.LeaveBranch)
    assert (left.branch, left.reason) == ("ropeteam/checkout-7f3a", "asked")
    assert left.head == "merged-work-of-single/1+documents"
    w.leave()
    assert (w.state.outcome, w.state.landed, w.state.branch) == ("delivered_single", False, "ropeteam/checkout-7f3a")
    assert exit_code(w.state) == 0


def test_who_is_asked_and_says_yes_gets_it_landed() -> None:
    w = World(started(land="ask")).to_land()
    assert w.kinds() == {"Ask"}
    w.answer(True).land()
    assert w.state.landed
    assert exit_code(w.state) == 0


def test_who_is_asked_and_says_no_gets_a_branch() -> None:
    w = World(started(land="ask")).to_land().answer(False)
    assert w.find(ev.LeaveBranch).reason == "asked"
    assert exit_code(w.leave().state) == 0


@pytest.mark.parametrize("reason", ["moved", "dirty", "in_the_way", "other_branch", "unsupported"])
def test_a_refused_landing_leaves_the_branch_and_says_why(reason: str) -> None:
    w = World().to_land().refuse(reason, "app/a.py")
    assert w.find(ev.LeaveBranch).reason == reason
    w.leave()
    said = report(w.state)
    assert (said.outcome, said.landed, said.landed_reason) == ("delivered_single", False, reason)
    assert said.landed_detail == "app/a.py"
    assert exit_code(w.state) == 1


def test_a_run_on_a_changed_checkout_leaves_its_branch() -> None:
    w = World(started(include_dirty=True)).to_land()
    assert not w.asked_for(ev.Ask)
    assert w.find(ev.LeaveBranch).reason == "include_dirty"
    assert exit_code(w.leave().state) == 0


def test_a_detached_head_leaves_the_branch() -> None:
    w = World(started(branch=None)).to_land()
    assert w.find(ev.LeaveBranch).reason == "other_branch"
    assert exit_code(w.leave().state) == 1


# ---- cancel


AtCancel = Callable[[World], World]
BEFORE_LANDING: dict[str, AtCancel] = {
    "agent not started": lambda w: w,
    "agent running": lambda w: w.begin(),
    "agent running, baseline there": lambda w: w.begin().baseline(),
    "waiting for the provider": lambda w: w.begin().baseline().fail("overload"),
    "merging": lambda w: w.to_merge(),
    "waiting for the baseline": lambda w: w.begin().succeed().merge(),
    "validating": lambda w: w.to_validate(),
    "second try": lambda w: w.to_validate().validate(passes=False).begin(),
    "composing": lambda w: w.to_compose(),
    "asking": lambda w: w.to_land(),
}


def let_end(w: World) -> None:
    """What is under way ends: the long by being stopped, the short by itself."""
    for _ in range(20):
        if not w.state.open:
            return
        if w.all(ev.RunAgent):
            if any(a.stage == "running" for a in w.state.attempts):
                w.fail("killed")
            else:
                w.stopped(ev.RunAgent)
        elif w.all(ev.MeasureBaseline):
            w.stopped(ev.MeasureBaseline)
        elif w.all(ev.Validate):
            w.stopped(ev.Validate)
        elif w.all(ev.Ask):
            w.stopped(ev.Ask)
        elif w.all(ev.Merge):
            w.merge()
        elif w.all(ev.Compose):
            w.compose(LOG)
        elif w.all(ev.Keep):
            w.keep()
        else:
            raise AssertionError(sorted(w.state.open))
    raise AssertionError("it does not end")


@pytest.mark.parametrize("where", BEFORE_LANDING)
def test_a_cancelled_run_stops_keeps_and_never_lands(where: str) -> None:
    w = BEFORE_LANDING[where](World(started(land="ask")))
    w.cancel().cancel()
    let_end(w)
    assert (w.state.phase, w.state.outcome) == ("ended", "cancelled")
    assert w.triggers()[-1] == ("cancelled", "stop")
    assert [t for t, _ in w.triggers()].count("cancelled") == 1
    assert not w.asked_for(ev.Land)
    assert not w.asked_for(ev.LeaveBranch)
    assert not w.asked_for(ev.WriteDocuments)
    assert exit_code(w.state) == 1
    assert not any(a.counted for a in w.state.attempts if a.stage == "stopped")
    commands = len(w.issued)
    said = report(w.state)
    w.resume().resume()
    assert len(w.issued) == commands
    assert report(w.state) == said


def test_a_run_can_be_cancelled_while_it_is_planned() -> None:
    w = World(plan_at_once=False)
    assert w.kinds() == {"Plan"}
    w.cancel().stopped(ev.Plan)
    assert w.state.outcome == "cancelled"
    assert not w.asked_for(ev.RunAgent)


@pytest.mark.parametrize("stand_still", ["parked", "interrupted"])
def test_a_run_that_stands_still_can_be_cancelled_with_or_without_a_resume(stand_still: str) -> None:
    for resumed in (False, True):
        w = World().begin().baseline()
        if stand_still == "parked":
            w.fail("auth")
        else:
            w.interrupt().fail("killed")
        assert w.state.phase == stand_still
        if resumed:
            w.resume()
        w.cancel()
        let_end(w)
        assert w.state.outcome == "cancelled"
        assert len(w.state.attempts) == 1


LANDING: dict[str, AtCancel] = {
    "landing asked for": lambda w: w.to_land(),
    "landing has begun": lambda w: w.to_land().touch(),
    "landing was cut off and stands still": lambda w: w.to_land().touch().interrupt().break_(ev.Land),
}


@pytest.mark.parametrize("where", LANDING)
def test_once_landing_has_begun_it_is_too_late_to_cancel(where: str) -> None:
    w = LANDING[where](World()).cancel()
    c = w.find(ev.Land)
    w.happen(ev.Landed(head=c.head, branch=c.branch))
    w.write()
    assert (w.state.outcome, w.state.landed) == ("delivered_single", True)
    assert "cancelled" not in [t for t, _ in w.triggers()]


def test_once_the_branch_is_left_it_is_too_late_to_cancel() -> None:
    w = World(started(land="no")).to_compose().compose().cancel().leave(write=False).cancel().write()
    assert w.state.outcome == "delivered_single"
    assert "cancelled" not in [t for t, _ in w.triggers()]


def test_once_the_failure_is_written_down_it_is_too_late_to_cancel() -> None:
    w = World(started(limits=Limits(tries=1))).begin().baseline().fail("crashed").cancel().write()
    assert w.state.outcome == "not_delivered"


def test_a_success_that_crosses_a_cancel_is_kept_not_delivered() -> None:
    w = World().begin().baseline().cancel().succeed()
    assert w.state.outcome == "cancelled"
    assert w.state.attempt("single/1").stage == "ended"
    assert "refs/ropeteam/run/single/1" in report(w.state).kept


def test_a_resume_while_a_cancel_is_under_way_goes_on_cancelling() -> None:
    w = World().begin().baseline().cancel()
    assert w.find(ev.Stop).target == "agent:single/1"
    w.resume()
    assert w.find(ev.Stop).target == "agent:single/1"
    w.fail("killed")
    assert w.state.outcome == "cancelled"


# ---- interrupt


@pytest.mark.parametrize("where", BEFORE_LANDING)
def test_an_interrupted_run_goes_on_where_it_was(where: str) -> None:
    w = BEFORE_LANDING[where](World(started(land="ask")))
    counted = sum(a.counted for a in w.state.attempts)
    w.interrupt().interrupt()
    let_end(w)
    assert (w.state.phase, w.state.outcome) == ("interrupted", None)
    assert exit_code(w.state) == 4
    w.resume().resume()
    assert w.state.phase == "running"
    assert sum(a.counted for a in w.state.attempts) == counted
    finish(w)
    assert (w.state.outcome, w.state.landed) == ("delivered_single", True)


def finish(w: World) -> None:
    """From wherever it is, everything goes well from here."""
    for _ in range(20):
        if w.state.outcome:
            return
        if w.all(ev.MeasureBaseline):
            w.baseline()
        elif w.all(ev.Keep):
            w.keep()
        elif w.all(ev.RunAgent):
            if not any(a.stage == "running" for a in w.state.attempts):
                w.begin()
            w.succeed()
        elif w.all(ev.Merge):
            w.merge()
        elif w.all(ev.Validate):
            w.validate()
        elif w.all(ev.Compose):
            w.compose(LOG)
        elif w.all(ev.Ask):
            w.answer(True)
        elif w.all(ev.Land):
            c = w.find(ev.Land)
            w.happen(ev.Landed(head=c.head, branch=c.branch))
        elif w.all(ev.LeaveBranch):
            w.leave()
        elif w.all(ev.WriteDocuments):
            w.write()
    raise AssertionError(f"it does not end: {sorted(w.state.open)}")


def test_an_interrupt_during_landing_lets_it_end_and_the_resume_only_ends_the_run() -> None:
    w = World().to_land().touch().interrupt()
    assert w.kinds() == {"Land"}
    c = w.find(ev.Land)
    w.happen(ev.Landed(head=c.head, branch=c.branch))
    assert (w.state.phase, w.state.landed) == ("interrupted", True)
    w.resume().write()
    assert (w.state.outcome, len(w.asked_for(ev.Land))) == ("delivered_single", 1)


def test_a_cancel_overtakes_an_interrupt() -> None:
    w = World().begin().baseline().interrupt().cancel().fail("killed")
    assert w.state.outcome == "cancelled"


def test_an_interrupt_does_not_overtake_a_cancel() -> None:
    w = World().begin().baseline().cancel().interrupt().fail("killed")
    assert w.state.outcome == "cancelled"


def test_an_agent_stopped_by_an_orchestrator_that_then_died_does_not_count() -> None:
    w = World().begin().baseline().interrupt().resume().fail("killed")
    assert w.state.attempt("single/1").stage == "stopped"
    assert w.state.triggers == ()
    assert w.find(ev.RunAgent).attempt == "single/2"


def test_an_agent_that_ends_for_its_own_reasons_after_a_resume_counts() -> None:
    w = World().begin().baseline().resume().fail("crashed")
    assert w.state.attempt("single/1").counted


def test_a_resume_while_an_interrupt_is_under_way_takes_the_agent_up_again() -> None:
    w = World().begin().baseline().interrupt().resume()
    assert w.kinds() == {"RunAgent"}
    w.succeed().merge().validate().compose(LOG).land()
    assert w.state.outcome == "delivered_single"


# ---- the disk


DISK = ev.TriggerFired(trigger=Trigger(id="disk_nearly_full", evidence="90 MB are free.", action="park"))


@pytest.mark.parametrize("where", BEFORE_LANDING)
def test_a_full_disk_parks_and_the_run_goes_on_once_there_is_room(where: str) -> None:
    w = BEFORE_LANDING[where](World(started(land="ask")))
    w.happen(DISK)
    let_end(w)
    assert w.state.phase == "parked"
    assert ("disk_nearly_full", "park") in w.triggers()
    assert exit_code(w.state) == 4
    w.resume()
    finish(w)
    assert w.state.outcome == "delivered_single"


def test_an_attempt_whose_end_no_longer_fitted_on_the_disk_is_kept_once_there_is_room() -> None:
    w = World().begin().baseline()
    w.happen(DISK)
    w.stopped(ev.RunAgent)
    assert w.state.phase == "parked"
    w.resume()
    assert w.kinds() == {"Keep"}
    w.keep()
    assert w.find(ev.RunAgent).start == "kept-of-single/1"
    assert not any(a.counted for a in w.state.attempts)


def test_a_snapshot_that_does_not_fit_does_not_keep_a_cancelled_run_from_ending() -> None:
    w = World().begin().baseline().cancel().fail("killed", commit=None)
    w.happen(ev.CommandStopped(key=w.find(ev.Keep).key))
    assert w.state.outcome == "cancelled"


def test_a_snapshot_that_did_not_fit_is_taken_after_the_resume() -> None:
    w = World().begin().baseline().interrupt().fail("killed", commit=None)
    w.happen(ev.CommandStopped(key=w.find(ev.Keep).key))
    assert w.state.phase == "interrupted"
    w.resume().keep()
    assert w.find(ev.RunAgent).start == "kept-of-single/1"


# ---- lost attempts


def test_a_lost_attempt_is_followed_by_another_from_the_newest_snapshot_and_does_not_count() -> None:
    w = World().begin().baseline().resume().lose()
    second = w.find(ev.RunAgent)
    assert (second.attempt, second.start) == ("single/2", "work-of-single/1")
    assert "cut off" in second.earlier[0].problem
    assert w.state.attempt("single/1").counted is False
    assert w.state.triggers == ()
    w.begin().fail("crashed")
    assert w.find(ev.RunAgent).attempt == "single/3"  # two tries, as if nothing had been lost


def test_a_lost_attempt_without_a_snapshot_is_kept_first_then_goes_on_from_the_one_before() -> None:
    w = World().begin().baseline().fail("crashed").begin().resume().lose(commit=None)
    assert w.kinds() == {"Keep"}
    w.keep(commit=None)
    assert w.find(ev.RunAgent).start == "work-of-single/1"


def test_an_attempt_that_was_not_started_yet_is_not_lost() -> None:
    w = World().resume().resume()
    assert len(w.asked_for(ev.RunAgent)) == 1
    assert w.begin().find(ev.RunAgent).attempt == "single/1"


def test_a_late_word_on_an_attempt_that_was_given_up_is_not_merged() -> None:
    w = World().begin().baseline()
    late = w.result()
    w.break_(ev.RunAgent).keep()
    w.happen(ev.AttemptSucceeded(attempt="single/1", result=late))
    assert not w.asked_for(ev.Merge)
    assert w.find(ev.RunAgent).attempt == "single/2"


# ---- exceptions of ours


ONCE: dict[str, tuple[AtCancel, type[ev.Command]]] = {
    "MeasureBaseline": (lambda w: w.begin(), ev.MeasureBaseline),
    "RunAgent, not started": (lambda w: w, ev.RunAgent),
    "RunAgent": (lambda w: w.begin().baseline(), ev.RunAgent),
    "Keep": (lambda w: w.begin().baseline().fail("crashed", commit=None), ev.Keep),
    "Merge": (lambda w: w.to_merge(), ev.Merge),
    "Validate": (lambda w: w.to_validate(), ev.Validate),
    "Compose": (lambda w: w.to_compose(), ev.Compose),
    "Ask": (lambda w: w.to_land(), ev.Ask),
    "Land": (lambda w: w.to_land().answer(True).touch(), ev.Land),
    "LeaveBranch": (lambda w: w.to_land().answer(False), ev.LeaveBranch),
    "WriteDocuments": (lambda w: w.to_compose().compose().answer(True).land(write=False), ev.WriteDocuments),
}


@pytest.mark.parametrize("kind", ONCE)
def test_an_exception_of_ours_is_told_and_the_command_tried_once_more(kind: str) -> None:
    before, command = ONCE[kind]
    w = before(World(started(land="ask"))).break_(command)
    assert w.triggers()[-1] == ("unexpected_problem", "retry")
    assert w.state.triggers[-1].evidence == f"{command.__name__}: git ended with 128"
    finish(w)
    assert w.state.outcome == "delivered_single"
    assert exit_code(w.state) == 0


TWICE = {  # outcome, exit code
    "MeasureBaseline": ("not_delivered", 3),
    "RunAgent, not started": ("not_delivered", 3),
    "RunAgent": ("not_delivered", 3),
    "Keep": ("delivered_single", 0),
    "Merge": ("not_delivered", 3),
    "Validate": ("not_delivered", 3),
    "Compose": ("delivered_single", 0),
    "Ask": ("delivered_single", 0),
    "Land": ("delivered_single", 1),
    "LeaveBranch": ("not_delivered", 3),
    "WriteDocuments": ("delivered_single", 0),
}


@pytest.mark.parametrize("kind", TWICE)
def test_a_second_exception_of_the_same_kind_ends_what_cannot_go_on_without_it(kind: str) -> None:
    before, command = ONCE[kind]
    w = before(World(started(land="ask"))).break_(command)
    if w.all(ev.Keep) and command is not ev.Keep:
        w.keep()
    if kind == "RunAgent":
        w.begin()
    w.break_(command)
    if w.state.ending == "not_delivered":
        let_end_and_write(w)
    else:
        finish(w)
    assert (w.state.outcome, exit_code(w.state)) == TWICE[kind]
    assert w.state.open == {}
    assert report(w.state).error == ("git ended with 128" if TWICE[kind][1] == 3 else "")
    if w.state.outcome == "not_delivered":
        w.resume()
        finish(w)
        assert w.state.outcome == "delivered_single"


def let_end_and_write(w: World) -> None:
    if w.all(ev.RunAgent):
        w.fail("killed")
    if w.all(ev.MeasureBaseline):
        w.stopped(ev.MeasureBaseline)
    if w.all(ev.Keep):
        w.keep()
    if w.all(ev.WriteDocuments):
        w.write()


def test_a_run_that_ends_for_our_fault_does_not_blame_the_agent_it_stops() -> None:
    w = World().begin().break_(ev.MeasureBaseline).break_(ev.MeasureBaseline)
    assert w.find(ev.Stop).target == "agent:single/1"
    w.fail("auth").write()  # whatever its last word is
    assert w.state.outcome == "not_delivered"
    assert w.state.attempt("single/1").counted is False
    assert {t for t, _ in w.triggers()} == {"unexpected_problem"}


def test_a_run_does_not_end_while_its_work_is_being_merged() -> None:
    w = World().begin().succeed().break_(ev.MeasureBaseline).break_(ev.MeasureBaseline)
    assert w.kinds() == {"Merge"}
    w.merge().write()
    assert w.state.outcome == "not_delivered"
    assert w.state.open == {}
    w.resume()
    assert w.kinds() == {"MeasureBaseline"}  # its work is there and was not found wanting: nobody does it again


def test_a_landing_that_failed_twice_leaves_the_branch() -> None:
    w = World().to_land().break_(ev.Land).break_(ev.Land)
    assert w.find(ev.LeaveBranch).reason == "unsupported"
    w.leave()
    assert (w.state.outcome, exit_code(w.state)) == ("delivered_single", 1)
    assert report(w.state).landed_detail == "git ended with 128"


def test_a_work_that_could_not_be_merged_is_merged_after_the_resume() -> None:
    w = World().to_merge().break_(ev.Merge).break_(ev.Merge).write()
    assert exit_code(w.state) == 3
    w.resume()
    assert w.find(ev.Merge).commit == "work-of-single/1"
    assert len(w.asked_for(ev.RunAgent)) == 1


def test_a_branch_that_could_not_be_left_is_left_after_the_resume() -> None:
    w = World(started(land="no")).to_compose().compose().break_(ev.LeaveBranch).break_(ev.LeaveBranch).write()
    assert exit_code(w.state) == 3
    w.resume().compose().leave()
    assert (w.state.outcome, exit_code(w.state)) == ("delivered_single", 0)
    assert len(w.asked_for(ev.RunAgent)) == 1


def test_an_exception_while_stopping_does_not_keep_the_run_from_stopping() -> None:
    w = World().to_merge().cancel().break_(ev.Merge)
    assert w.state.outcome == "cancelled"


# ---- crashes of the orchestrator


EVERY: dict[str, AtCancel] = {
    **BEFORE_LANDING,
    "landing": lambda w: w.to_land().answer(True).touch(),
    "leaving the branch": lambda w: w.to_land().answer(False),
    "writing": lambda w: w.to_compose().compose().answer(True).land(write=False),
}


@pytest.mark.parametrize("where", EVERY)
def test_a_crash_and_two_resumes_change_nothing_but_the_clock(where: str) -> None:
    straight = EVERY[where](World(started(land="ask")))
    crashed = EVERY[where](World(started(land="ask")))
    commands = list(crashed.issued)
    crashed.resume().resume()
    assert crashed.issued == commands  # what is open is performed again by the engine, not asked for again
    assert crashed.state.open == straight.state.open
    finish(straight)
    finish(crashed)
    assert crashed.state.outcome == straight.state.outcome
    assert crashed.state.landed == straight.state.landed
    assert [type(c) for c in crashed.issued] == [type(c) for c in straight.issued]
    assert crashed.triggers() == straight.triggers()
    assert report(crashed.state).actual.seconds == pytest.approx(report(straight.state).actual.seconds)


def test_a_resume_of_a_delivered_run_changes_nothing() -> None:
    w = World().to_end()
    said, commands = report(w.state), len(w.issued)
    w.resume(budget_usd=5.0).resume()
    assert report(w.state) == said
    assert len(w.issued) == commands


def test_a_crash_before_the_plan_goes_on_planning() -> None:
    w = World(plan_at_once=False).resume()
    assert w.kinds() == {"Plan"}
    assert w.state.phase == "planning"


def test_the_time_between_a_crash_and_its_resume_is_nobodys() -> None:
    w = World().begin().baseline().resume(after=86_400.0).succeed().merge().validate().compose(LOG).land()
    assert report(w.state).actual.seconds < 100.0


def test_the_time_a_run_stands_still_is_nobodys_even_when_a_cancel_ends_it() -> None:
    w = World().begin().baseline().fail("auth")
    w.now += 86_400.0
    w.cancel()
    assert w.state.outcome == "cancelled"
    assert report(w.state).actual.seconds < 100.0


# ---- landing later


def kept(**fields: object) -> World:
    return World(started(land="no", **fields)).to_land().leave()  # type: ignore[arg-type]


def ask_to_land(w: World, onto: str, branch: str = "main") -> World:
    w.happen(ev.LandAsked(onto=onto, branch=branch), after=1000.0)
    return w


def rebase(w: World, **fields: object) -> World:
    c = w.find(ev.Rebase)
    w.happen(ev.Rebased(onto=c.onto, commit=f"{c.head}-on-{c.onto}", **fields))  # type: ignore[arg-type]
    return w


def test_a_kept_result_lands_on_the_same_tip_as_it_is() -> None:
    w = ask_to_land(kept(), BASE)
    land = w.find(ev.Land)
    assert (land.head, land.onto, land.branch) == ("merged-work-of-single/1+documents", BASE, "main")
    assert land.left == "ropeteam/checkout-7f3a"
    w.land()
    assert (w.state.landed, w.state.branch, w.state.landed_reason) == (True, "", None)
    assert exit_code(w.state) == 0
    assert w.state.open == {}


def test_on_a_moved_tip_it_is_merged_anew_and_validated_before_it_lands() -> None:
    w = ask_to_land(kept(), "tip", branch="develop")
    asked = w.find(ev.Rebase)
    assert (asked.head, asked.base, asked.onto) == ("merged-work-of-single/1+documents", BASE, "tip")
    rebase(w)
    w.baseline()
    check = w.find(ev.Validate)
    assert (check.commit, check.base, check.baseline) == (f"{asked.head}-on-tip", "tip", CHECKS)
    w.validate()
    land = w.find(ev.Land)
    assert (land.head, land.onto, land.branch) == (f"{asked.head}-on-tip", "tip", "develop")
    w.land()
    assert (w.state.landed, w.state.head) == (True, f"{asked.head}-on-tip")


def test_a_run_on_a_changed_checkout_lands_on_the_commit_below_its_snapshot() -> None:
    w = ask_to_land(World(started(include_dirty=True)).to_land().leave(), BASE)
    assert w.find(ev.Land).onto == BASE


def test_a_run_on_a_changed_checkout_lands_on_its_own_snapshot_too() -> None:
    w = ask_to_land(World(started(include_dirty=True)).to_land().leave(), "snapshot")
    rebase(w)
    w.baseline().validate().land()
    assert w.state.landed


def test_a_conflict_with_the_new_tip_is_refused_and_the_branch_stays() -> None:
    w = ask_to_land(kept(), "tip")
    w.happen(ev.RebaseConflicted(onto="tip", paths=("a.py",)))
    assert (w.state.landed, w.state.landed_reason, w.state.branch) == (False, "moved", "ropeteam/checkout-7f3a")
    assert "a.py" in w.state.landed_detail
    assert w.state.open == {}
    assert exit_code(w.state) == 1  # now it was wanted


def test_files_that_no_longer_parse_on_the_new_tip_are_refused() -> None:
    w = rebase(ask_to_land(kept(), "tip"), findings=(Finding(path="a.py", line=3, message="invalid syntax"),))
    assert w.state.landed_reason == "moved"
    assert w.state.open == {}


def test_checks_that_fail_on_the_new_tip_are_refused_and_the_outcome_stays() -> None:
    w = rebase(ask_to_land(kept(), "tip")).baseline().validate(passes=False)
    assert (w.state.landed, w.state.landed_reason, w.state.outcome) == (False, "moved", "delivered_single")
    assert "test_total" in w.state.landed_detail
    assert w.state.checks == PASSED  # of the result that was delivered
    assert w.state.open == {}
    assert not w.asked_for(ev.Land)
    ask_to_land(w, BASE).land()
    assert w.state.landed


def test_a_landing_later_that_breaks_twice_is_refused() -> None:
    w = ask_to_land(kept(), "tip").break_(ev.Rebase).break_(ev.Rebase)
    assert (w.state.landed_reason, w.state.phase, w.state.open) == ("unsupported", "ended", {})
    assert exit_code(w.state) == 1


def test_a_landing_later_without_room_on_the_disk_is_refused_not_repeated_for_ever() -> None:
    w = rebase(ask_to_land(kept(), "tip")).baseline()
    w.happen(ev.CommandStopped(key=w.find(ev.Validate).key))
    assert (w.state.landed_reason, w.state.open) == ("unsupported", {})


def test_a_landing_later_can_be_interrupted_until_it_touches_the_checkout() -> None:
    w = rebase(ask_to_land(kept(), "tip")).baseline().interrupt()
    assert w.find(ev.Stop).target == f"validate:{w.find(ev.Validate).commit}"
    w.stopped(ev.Validate)
    assert (w.state.phase, w.state.landed, w.state.open) == ("ended", False, {})
    assert w.state.branch == "ropeteam/checkout-7f3a"
    ask_to_land(w, BASE).interrupt().land()
    assert w.state.landed


@pytest.mark.parametrize("passes", [True, False])
def test_a_result_that_crosses_the_interrupt_of_a_landing_is_dropped(passes: bool) -> None:
    w = rebase(ask_to_land(kept(), "tip")).interrupt().baseline()
    assert w.state.open == {}
    assert w.state.baseline == CHECKS
    w = ask_to_land(w, "tip")
    rebase(w).baseline().interrupt().validate(passes)
    assert (w.state.landed, w.state.open) == (False, {})
    w = ask_to_land(w, "tip").interrupt()
    rebase(w)
    assert (w.state.landed, w.state.open) == (False, {})


def test_a_landing_later_goes_on_after_a_crash() -> None:
    w = rebase(ask_to_land(kept(), "tip")).baseline().resume()
    assert w.kinds() == {"Validate"}
    w.validate().touch().resume()
    assert w.state.landing_started
    c = w.find(ev.Land)
    w.happen(ev.Landed(head=c.head, branch=c.branch))
    assert w.state.landed


def test_asking_again_after_a_crash_starts_from_the_tip_there_is_now() -> None:
    w = ask_to_land(ask_to_land(kept(), "tip"), "newer")
    assert w.find(ev.Rebase).onto == "newer"
    rebase(w)
    ask_to_land(w, BASE)
    assert w.kinds() == {"Land"}


def test_a_landing_that_had_begun_goes_on_as_it_was() -> None:
    w = ask_to_land(kept(), BASE).touch()
    ask_to_land(w, "newer")
    assert w.find(ev.Land).onto == BASE
    assert w.kinds() == {"Land"}


@pytest.mark.parametrize("before", ["landed", "cancelled", "not_delivered", "running"])
def test_only_a_delivered_result_that_did_not_land_can_land(before: str) -> None:
    w = World()
    if before == "landed":
        w.to_end()
    elif before == "cancelled":
        w.begin().baseline().cancel().fail("killed")
    elif before == "not_delivered":
        w.begin().baseline().fail("crashed").begin().fail("crashed").write()
    state = (w.state.outcome, w.state.landed, dict(w.state.open))
    ask_to_land(w, "tip")
    assert (w.state.outcome, w.state.landed, dict(w.state.open)) == state


def test_the_figures_of_a_run_are_not_changed_by_a_landing_later() -> None:
    w = kept()
    before = report(w.state).actual
    rebase(ask_to_land(w, "tip")).baseline().validate().land()
    assert report(w.state).actual == before
