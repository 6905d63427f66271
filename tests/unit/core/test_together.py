"""The stories of several agents, one by one, told to the state machine event by event."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from worlds import BASE, FAILED, PASSED
from worlds_together import Rope, parts, plan_of, together

from ropeteam.core import events as ev
from ropeteam.core.briefing import briefing
from ropeteam.core.model import Confidence, FileChange, Finding, Outcome, PlanEstimate, SideEstimate, Trigger
from ropeteam.core.report import exit_code, report
from ropeteam.core.settings import Limits

STORY = "a b c:a,b"


def going(plan: str = "a b", *units: str, **how: object) -> Rope:
    """The baseline is measured, and these agents are at work."""
    w = Rope(together(plan, **how))  # type: ignore[arg-type]
    w.begin(*units)
    return w.baseline()  # type: ignore[return-value]


# ---- it works


def test_units_begin_as_soon_as_what_they_need_is_in_a_checkpoint() -> None:
    w = Rope(STORY)
    assert w.agents() == ["a/1", "b/1"]
    w.begin("a", "b").baseline()
    w.works("a")
    assert w.find(ev.Validate).commit == "base>a/1"
    w.works("b")
    assert w.line() == ("a/1", "b/1")  # b is merged while a is validated
    w.validate()
    assert w.checkpoint() == ("a/1",)
    assert w.agents() == []  # c needs b
    assert w.find(ev.Validate).commit == "base>a/1>b/1"
    w.validate()
    c = w.at("c").find(ev.RunAgent)
    assert (c.attempt, c.start, c.base) == ("c/1", "base>a/1>b/1", "base>a/1>b/1")
    w.works("c")
    assert w.find(ev.Validate).last
    w.validate().finish()
    assert (w.state.outcome, w.state.landed, w.state.tip) == ("delivered_parallel", True, "base>a/1>b/1>c/1")
    assert w.fell() == []
    assert exit_code(w.state) == 0
    assert report(w.state).winner == "parallel"


def test_the_longest_tail_goes_first_and_the_width_is_kept() -> None:
    plan = plan_of("short long deep end:deep", short=5.0, long=20.0, deep=10.0, end=30.0)
    w = Rope(together(plan, workers=2))
    assert w.agents() == ["deep/1", "long/1"]
    assert [c.slot for c in w.all(ev.RunAgent)] == [1, 2]
    w.begin("deep", "long").baseline().at("deep").succeed()
    assert w.agents() == ["long/1", "short/1"]
    assert w.at("short").find(ev.RunAgent).slot == 1  # the one that became free


def test_what_is_merged_while_a_candidate_is_validated_waits_for_the_next_one() -> None:
    w = going("a b c", "a", "b", "c").works("a", "b", "c")
    assert w.find(ev.Validate).commit == "base>a/1"
    w.validate()
    assert w.find(ev.Validate).commit == "base>a/1>b/1>c/1"
    w.validate().finish()
    assert len(w.asked_for(ev.Validate)) == 2


def test_merges_come_one_after_the_other_each_on_the_one_before() -> None:
    w = going("a b", "a", "b").at("b").succeed().at("a").succeed()
    assert [(c.attempt, c.onto) for c in w.all(ev.Merge)] == [("b/1", BASE)]
    w.merge()
    assert [(c.attempt, c.onto) for c in w.all(ev.Merge)] == [("a/1", "base>b/1")]


def test_the_commit_of_a_unit_says_what_it_is_and_where_it_came_from() -> None:
    w = going("a b", "a", "b").at("a").succeed()
    message = w.find(ev.Merge).message
    assert message == f"Part a\n\nRopeteam-Run: {w.state.begun.run}\nRopeteam-Unit: a\n"


def test_the_contract_goes_first_and_alone() -> None:
    w = Rope(together(plan_of("types a b", contract="types")))
    assert w.agents() == ["types/1"]
    assert w.find(ev.RunAgent).kind == "contract"
    w.begin("types").baseline().works("types").validate()
    assert w.agents() == ["a/1", "b/1"]


def test_with_layers_every_unit_of_a_batch_waits_for_the_batch_before() -> None:
    plan = plan_of("a b c:a d:b", layers=True)
    w = Rope(together(plan)).begin("a", "b")
    w.baseline()
    w.works("a").validate()
    assert w.agents() == ["b/1"]  # c needs a alone, and waits for b all the same
    w.works("b").validate()
    assert w.agents() == ["c/1", "d/1"]
    w.works("c", "d").bisect().finish()
    assert w.state.outcome == "delivered_parallel"


def test_a_unit_whose_work_is_there_already_is_validated_at_once() -> None:
    w = going("a b c:a", "a", "b").at("a").succeed()
    w.merge(empty=True)
    assert w.stage("a/1") == "validated"
    assert w.agents() == ["b/1", "c/1"]
    w.works("b", "c").bisect().finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_parallel", "base>b/1>c/1")


def test_when_every_merge_is_empty_what_is_there_is_validated_as_the_last() -> None:
    w = going("a b", "a", "b").at("a").succeed()
    w.merge(empty=True).at("b").succeed()
    w.merge(empty=True)
    last = w.find(ev.Validate)
    assert (last.commit, last.last) == (BASE, True)
    w.validate().finish()
    assert w.state.outcome == "delivered_parallel"


def test_an_agent_that_is_faster_than_the_baseline_waits_for_it() -> None:
    w = Rope("a b").works("a")
    assert not w.all(ev.Validate)
    w.baseline()
    assert w.find(ev.Validate).commit == "base>a/1"


def test_what_may_be_delivered_waits_until_the_checks_are_known_to_tell() -> None:
    w = Rope("a b").begin("a", "b")
    command = w.find(ev.MeasureBaseline)
    w.happen(ev.BaselineMeasured(commit=command.commit, checks=(), final=False))
    w.works("a")
    assert not w.find(ev.Validate).last
    w.validate().works("b")
    assert not w.all(ev.Validate)
    w.baseline()
    assert w.find(ev.Validate).last


def test_the_gate_says_one_agent_where_the_plan_says_it_does_not_pay() -> None:
    plan = replace(
        plan_of("a b"),
        confidence=Confidence(value=0.5),
        estimate=PlanEstimate(speedup_quantile=1.2, single=SideEstimate(seconds_p50=100.0)),
    )
    w = Rope(together(plan, mode="auto"))
    ids = ["confidence_below_minimum", "speedup_below_minimum", "sequential_time_below_minimum"]
    assert w.fell() == [(id, "", "single") for id in ids]
    assert w.agents() == ["single/1"]
    told = briefing(w.state, w.find(ev.RunAgent))
    assert told is not None
    assert told.batches == (("Part a", "Part b"),)
    w.finish()
    assert w.state.outcome == "delivered_single"
    forced = Rope(together(plan))
    assert forced.fell() == []
    assert forced.state.decision is not None
    assert list(forced.state.decision.overridden) == ids


# ---- a trigger, and what becomes of the rest

FAULTS: list[tuple[Outcome, str]] = [
    ("killed", "agent_crashed"),
    ("crashed", "agent_crashed"),
    ("stalled", "agent_crashed"),
    ("timeout", "agent_crashed"),
    ("empty", "agent_crashed"),
    ("turns", "agent_crashed"),
    ("denied", "agent_crashed"),
    ("unknown", "agent_crashed"),
    ("corrupted", "context_corrupted"),
    ("context", "token_budget_exceeded"),
    ("budget", "token_budget_exceeded"),
]


@pytest.mark.parametrize(("outcome", "trigger"), FAULTS)
def test_a_fault_of_one_agent_makes_it_one_agent_and_the_others_are_kept(outcome: Outcome, trigger: str) -> None:
    w = going("a b c d:c", "a", "b", "c").works("a").validate().at("b").fail(outcome)
    assert w.fell() == [(trigger, "b", "salvage")]
    assert w.state.triggers[0].evidence == f"It ended as {outcome}."
    assert w.state.phase == "draining"
    assert w.agents() == ["c/1"]  # it may finish
    w.works("c").validate()
    rest = w.at("rest").find(ev.RunAgent)
    assert (rest.attempt, rest.kind, rest.start, rest.base) == ("rest/1", "rest", "base>a/1>c/1", "base>a/1>c/1")
    told = briefing(w.state, rest)
    assert told is not None
    assert [(x.unit, x.commit, x.evidence) for x in told.left] == [
        ("b", "work-of-b/1", f"It ended as {outcome}."),
        ("d", "", ""),
    ]
    w.works("rest").validate().finish()
    assert (w.state.outcome, parts(w.state.tip)) == ("delivered_after_fallback", ("a/1", "c/1", "rest/1"))
    said = report(w.state)
    assert said.winner == "parallel"
    assert {u.id: u.state for u in said.units} == {
        "a": "validated",
        "b": "superseded",
        "c": "validated",
        "d": "superseded",
        "rest": "validated",
    }


def test_strict_stops_everything_and_goes_on_from_the_last_checkpoint() -> None:
    w = going("a b c d", "a", "b", "c", "d", fallback="strict").works("a").validate().works("b")
    w.at("c").fail("crashed")
    assert w.fell() == [("agent_crashed", "c", "strict")]
    assert sorted(w.stops()) == ["agent:d/1", "validate:base>a/1>b/1"]
    assert w.stage("b/1") == "ejected"
    w.stop_all()
    assert w.stage("d/1") == "stopped"
    rest = w.at("rest").find(ev.RunAgent)
    assert rest.start == "base>a/1"
    w.works("rest").validate().finish()
    assert (w.state.outcome, parts(w.state.tip)) == ("delivered_after_fallback", ("a/1", "rest/1"))


def test_strict_does_not_take_what_passes_after_all() -> None:
    w = going("a b", "a", "b", fallback="strict").works("a").at("b").fail("crashed")
    w.validate()
    assert w.checkpoint() == ()
    assert w.at("rest").find(ev.RunAgent).start == BASE


def test_what_succeeds_although_it_was_told_to_stop_is_let_go_too() -> None:
    w = going("a b", "a", "b", fallback="strict").at("a").fail("crashed").at("b").succeed()
    assert w.stage("b/1") == "ejected"  # type: ignore[attr-defined]
    assert w.kinds() == {"RunAgent"}
    assert w.agents() == ["rest/1"]  # type: ignore[attr-defined]


def test_a_merge_that_strictness_let_go_is_no_part_of_anything_and_keeps_rest_from_merging_beside_it() -> None:
    w = going("a b", "a", "b", fallback="strict").at("a").succeed().at("b").fail("crashed")
    assert [c.attempt for c in w.all(ev.Merge)] == ["a/1"]
    w.begin("rest").succeed()
    assert [c.attempt for c in w.all(ev.Merge)] == ["a/1"]
    w.merge()
    assert w.line() == ()
    merge = w.find(ev.Merge)
    assert (merge.attempt, merge.onto) == ("rest/1", BASE)
    w.finish()
    assert parts(w.state.tip) == ("rest/1",)


def test_two_triggers_at_once_are_both_told_and_fall_once() -> None:
    w = going("a b c", "a", "b", "c").at("a").fail("crashed").at("b").fail("corrupted")
    assert w.fell() == [("agent_crashed", "a", "salvage"), ("context_corrupted", "b", "salvage")]
    w.works("c").validate().works("rest").validate().finish()
    assert parts(w.state.tip) == ("c/1", "rest/1")
    assert len(w.asked_for(ev.RunAgent)) == 4


def test_a_trigger_while_draining_implicates_its_own_attempt_only() -> None:
    w = going("a b c", "a", "b", "c").at("a").fail("crashed").at("b").succeed().conflict("app/routes.py")
    assert w.fell()[1] == ("file_conflict", "b", "salvage")
    assert "app/routes.py" in w.state.triggers[1].evidence
    assert w.agents() == ["c/1"]
    w.works("c").validate()
    told = briefing(w.state, w.at("rest").find(ev.RunAgent))
    assert told is not None
    assert [x.unit for x in told.left] == ["a", "b"]


def test_nothing_new_begins_after_a_fall_not_even_what_is_being_made_ready() -> None:
    w = going("a b c", "a", "b").at("a").fail("crashed")
    assert w.stops() == ["agent:c/1"]
    w.stop_all()
    assert w.agents() == ["b/1"]
    assert w.state.newest("c") is None


def test_the_last_unit_failing_leaves_no_draining() -> None:
    w = going("a b", "a", "b").works("a").validate().at("b").fail("crashed")
    assert w.state.phase == "running"
    assert w.agents() == ["rest/1"]


def test_nothing_left_needs_no_rest() -> None:
    """A trigger that concerns nobody's work, after which everything is validated all the same."""
    w = going("a b", "a", "b", limits=Limits(budget_usd=10.0)).at("a").use(cost_usd=8.5)
    assert w.fell() == [("token_budget_exceeded", "", "salvage")]
    w.works("a", "b").bisect()
    assert not [c for c in w.issued if isinstance(c, ev.RunAgent) and c.unit == "rest"]
    w.finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_after_fallback", "base>a/1>b/1")
    assert report(w.state).winner == "parallel"


# ---- rest


def test_a_failing_rest_succeeds_at_its_second_try_from_the_snapshot_of_the_first() -> None:
    w = going("a b", "a", "b").works("a").validate().at("b").fail("crashed")
    w.works("rest").validate(passes=False)
    again = w.at("rest").find(ev.RunAgent)
    assert (again.attempt, again.start, again.base) == ("rest/2", "work-of-rest/1", "base>a/1")
    assert "assert 3 == 4" in again.earlier[0].problem
    w.works("rest").validate().finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_after_fallback", "base>a/1>rest/2")
    assert [a for _, _, a in w.fell()] == ["salvage", "retry"]


def test_rest_failing_twice_is_not_delivered_and_a_resume_makes_one_more() -> None:
    w = going("a b", "a", "b").works("a").validate().at("b").fail("crashed")
    w.begin("rest").fail("stalled").begin("rest").fail("stalled").write()
    assert (w.state.outcome, exit_code(w.state)) == ("not_delivered", 1)
    assert report(w.state).kept == (
        "refs/ropeteam/run/a/1",
        *(f"refs/ropeteam/run/{a}" for a in ("b/1", "rest/1", "rest/2")),
    )
    w.resume()
    third = w.at("rest").find(ev.RunAgent)
    assert (third.attempt, third.start) == ("rest/3", "work-of-rest/2")
    w.works("rest").validate().finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_after_fallback", "base>a/1>rest/3")


def test_a_resume_of_a_run_that_was_not_delivered_keeps_what_is_validated() -> None:
    w = going("a b", "a", "b").works("a").validate().at("b").fail("crashed")
    w.begin("rest").fail("stalled").begin("rest").fail("stalled").write().resume().begin("rest").fail("stalled").write()
    assert w.state.outcome == "not_delivered"
    assert w.checkpoint() == ("a/1",)
    assert [a.id for a in w.state.attempts] == ["a/1", "b/1", "rest/1", "rest/2", "rest/3"]


# ---- candidates that fail


def waiting(*units: str, last: bool = False) -> Rope:
    """These wait in one line behind a first candidate that is being validated. last: they are all there is."""
    w = going(" ".join(("first", *units, *(() if last else ("later:first",)))), "first", *units, workers=6)
    return w.works("first", *units)


@pytest.mark.parametrize("culprit", ["a", "b", "c", "d"])
def test_bisecting_finds_the_culprit_and_keeps_the_others(culprit: str) -> None:
    w = waiting("a", "b", "c", "d", last=True).validate()
    w.validate(passes=False)
    assert w.state.suspects == 4
    assert w.find(ev.Validate).commit == "base>first/1>a/1>b/1"
    while not w.fell():
        here = parts(w.find(ev.Validate).commit)
        w.validate(f"{culprit}/1" not in here)
    assert w.fell() == [("batch_validation_failed", culprit, "salvage")]
    assert w.state.triggers[0].evidence == "pytest: test_total"
    assert "assert 3 == 4" in w.newest(culprit).problem  # and not the output of the half that passed
    assert w.stage(f"{culprit}/1") == "ejected"
    while w.all(ev.Merge):
        w.merge()
    w.bisect()
    others = [f"{u}/1" for u in ("first", "a", "b", "c", "d") if u != culprit]
    assert sorted(w.checkpoint()) == sorted(others)
    w.works("rest").validate().finish()
    assert parts(w.state.tip)[-1] == "rest/1"


def test_two_culprits_are_found_one_after_the_other() -> None:
    w = waiting("a", "b", "c", last=True).validate()
    while w.all(ev.Merge) or w.all(ev.Validate):
        if w.all(ev.Merge):
            w.merge()
        else:
            w.validate(not {"a/1", "c/1"} & set(parts(w.find(ev.Validate).commit)))
    assert [(id, unit) for id, unit, _ in w.fell()] == [
        ("batch_validation_failed", "a"),
        ("batch_validation_failed", "c"),
    ]
    assert w.checkpoint() == ("first/1", "b/1")


def test_nothing_is_merged_while_it_is_looked_for_who_fails() -> None:
    w = going("a b c d", "a", "b", "c", "d").works("a", "b", "c").validate().validate(passes=False)
    w.at("d").succeed()
    assert w.all(ev.Merge) == []
    w.validate(passes=False)  # b alone
    assert w.stage("b/1") == "ejected"
    assert [c.attempt for c in w.all(ev.Merge)] == ["c/1"]
    assert w.find(ev.Merge).onto == "base>a/1"


def test_a_merge_that_crosses_an_ejection_is_made_anew() -> None:
    w = going("a b", "a", "b").works("a").at("b").succeed()
    assert w.find(ev.Merge).onto == "base>a/1"
    w.validate(passes=False)
    assert w.stage("a/1") == "ejected"
    w.happen(ev.Merged(attempt="b/1", onto="base>a/1", commit="base>a/1>b/1"))
    assert w.line() == ()
    assert w.find(ev.Merge).onto == BASE
    w.merge().validate()
    assert w.checkpoint() == ("b/1",)


def test_a_conflict_with_what_was_taken_out_again_is_none() -> None:
    w = going("a b", "a", "b").works("a").at("b").succeed()
    w.validate(passes=False)
    w.happen(ev.MergeConflicted(attempt="b/1", onto="base>a/1", paths=("x.py",)))
    assert [t for t, _, _ in w.fell()] == ["batch_validation_failed"]
    assert w.find(ev.Merge).onto == BASE


def test_a_conflict_gives_the_later_unit_to_rest() -> None:
    w = going("a b", "a", "b").works("a").at("b").succeed().conflict("app/routes.py")
    assert w.fell() == [("file_conflict", "b", "salvage")]
    assert w.line() == ("a/1",)
    told_at = w.validate().at("rest").find(ev.RunAgent)
    told = briefing(w.state, told_at)
    assert told is not None
    assert told.left[0].commit == "work-of-b/1"
    assert "app/routes.py" in told.left[0].evidence


def test_a_file_that_does_not_parse_after_a_merge_takes_the_unit_out() -> None:
    w = going("a b", "a", "b").at("a").succeed()
    w.merge(findings=(Finding(path="a/x.py", line=7, message="invalid syntax"),))
    assert w.fell() == [("syntax_error", "a", "salvage")]
    assert w.state.triggers[0].evidence == "a/x.py:7: invalid syntax"
    assert (w.stage("a/1"), w.line()) == ("ejected", ())
    assert w.agents() == ["b/1"]


def test_a_contract_that_imports_what_is_not_there_is_taken_out() -> None:
    w = Rope(together(plan_of("k a:k b:k", contract="k")))
    w.begin("k").baseline().at("k").succeed()
    assert w.find(ev.Merge).declares
    w.merge(findings=(Finding(path="k/x.py", line=3, message="`from .a import b` leads to k/a", check="imports"),))
    assert w.fell() == [("batch_validation_failed", "k", "salvage")]
    evidence = "What the contract imports is not there: k/x.py:3: `from .a import b` leads to k/a"
    assert w.state.triggers[0].evidence == evidence
    assert "could be loaded" in w.state.attempt("k/1").problem
    assert w.agents() == ["rest/1"]


def test_only_the_contract_must_have_what_it_imports() -> None:
    w = going("a b", "a", "b").at("a").succeed()
    assert not w.find(ev.Merge).declares


def test_new_tests_that_fail_at_the_last_are_nobodys_fault_and_rest_mends_it() -> None:
    w = going("a b", "a", "b").works("a", "b").validate()
    assert w.find(ev.Validate).last
    w.validate(complete=False)
    assert w.checkpoint() == ("a/1", "b/1")  # it holds, and is kept
    assert w.fell() == [("batch_validation_failed", "", "salvage")]
    assert "test_new" in w.state.triggers[0].evidence
    rest = w.at("rest").find(ev.RunAgent)
    assert (rest.start, rest.earlier[0].attempt) == ("base>a/1>b/1", "candidate")
    assert "everything together" in rest.earlier[0].problem
    w.works("rest").validate().finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_after_fallback", "base>a/1>b/1>rest/1")


def test_new_tests_may_fail_before_the_last() -> None:
    w = going("a b c:b", "a", "b").works("a", "b").validate(complete=False).validate(complete=False)
    assert w.fell() == []
    w.works("c").validate().finish()
    assert w.state.outcome == "delivered_parallel"


# ---- causes that may pass, and those that park


def test_a_cause_that_may_pass_is_tried_once_more_then_it_falls() -> None:
    w = going("a b", "a", "b").at("a").fail("overload")
    assert w.fell() == [("agent_crashed", "a", "retry")]
    again = w.at("a").find(ev.RunAgent)
    assert (again.attempt, again.start, again.slot) == ("a/2", "work-of-a/1", 1)
    assert again.not_before > w.now
    assert not w.newest("a").counted
    w.begin("a").fail("overload")
    assert w.fell()[1:] == [("agent_crashed", "a", "salvage"), ("unit_failed_twice", "a", "salvage")]
    assert "It ended as overload." in w.state.triggers[2].evidence
    w.works("b").validate()
    assert w.agents() == ["rest/1"]


def test_what_was_to_be_tried_again_is_tried_again_after_a_fall() -> None:
    w = going("a b", "a", "b").at("a").fail("overload").at("b").fail("crashed")
    assert w.agents() == ["a/2"]
    w.works("a").validate()
    assert w.checkpoint() == ("a/2",)
    assert w.agents() == ["rest/1"]


def test_a_quota_parks_while_others_finish_and_a_resume_goes_on_uncounted() -> None:
    w = going("a b c", "a", "b", workers=2)
    lifts = w.now + 10_000
    w.at("a").fail("rate", retry_at=lifts)
    assert w.fell() == [("quota_exhausted", "a", "park")]
    assert (w.state.phase, w.agents()) == ("running", ["b/1"])  # c does not begin
    w.at("b").succeed()
    w.merge().validate()
    assert (w.state.phase, exit_code(w.state), w.state.resume_at) == ("parked", 4, lifts)
    assert w.checkpoint() == ("b/1",)
    w.resume()
    again = w.at("a").find(ev.RunAgent)
    assert (again.attempt, again.start, again.not_before) == ("a/2", "work-of-a/1", 0.0)
    assert not w.state.attempt("a/1").counted
    w.works("a", "c").bisect().finish()
    assert (w.state.outcome, [a for _, _, a in w.fell()]) == ("delivered_parallel", ["park"])


def test_a_run_that_parks_makes_nothing_ready() -> None:
    w = going("a b", "a").at("a").fail("auth")
    assert w.fell() == [("agent_not_usable", "a", "park")]
    assert w.stops() == ["agent:b/1"]
    w.stop_all()
    assert w.state.phase == "parked"
    w.resume()
    assert w.agents() == ["a/2", "b/1"]


def test_a_belay_without_quota_does_not_keep_the_others_from_being_delivered() -> None:
    w = going("a b", "a", "b", "belay", belay=True).at("belay").fail("auth")
    w.works("a", "b").bisect()
    w.finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_parallel", "base>a/1>b/1")


def test_a_full_disk_parks_with_everything_kept_and_goes_on() -> None:
    w = going("a b", "a", "b").works("a")
    disk = Trigger(id="disk_nearly_full", evidence="90 MB are free.", action="park")
    w.happen(ev.TriggerFired(trigger=disk))
    assert sorted(w.stops()) == ["agent:b/1", "validate:base>a/1"]
    w.stop_all()
    assert w.state.phase == "parked"
    w.resume()
    assert w.at("b").find(ev.RunAgent).attempt == "b/2"
    assert w.find(ev.Validate).commit == "base>a/1"
    w.validate().works("b").validate().finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_parallel", "base>a/1>b/2")


# ---- limits


def test_above_the_share_several_become_one_and_at_the_end_of_it_all_stops() -> None:
    w = going("a b c", "a", "b", limits=Limits(budget_usd=10.0), workers=2).at("a").use(cost_usd=8.0)
    assert w.fell() == [("token_budget_exceeded", "", "salvage")]
    assert "$8.00 of $10.00 used (80 %)" in w.state.triggers[0].evidence
    assert w.agents() == ["a/1", "b/1"]
    w.at("b").use(cost_usd=2.5)
    assert w.fell()[1:] == [("token_budget_exceeded", "", "stop")]
    w.stop_all()
    assert w.kinds() == {"WriteDocuments"}
    w.write()
    assert w.state.outcome == "not_delivered"
    w.resume(budget_usd=50.0)
    rest = w.at("rest").find(ev.RunAgent)  # those that were stopped are left to it
    assert rest.budget_usd == pytest.approx(50.0 - 10.5)
    told = briefing(w.state, rest)
    assert told is not None
    assert [(x.unit, x.commit) for x in told.left] == [("a", "work-of-a/1"), ("b", "work-of-b/1"), ("c", "")]
    w.works("rest").validate().finish()
    assert (w.state.outcome, parts(w.state.tip)) == ("delivered_after_fallback", ("rest/1",))


def test_a_budget_used_up_at_one_stroke_falls_and_stops() -> None:
    w = going("a b", "a", "b", limits=Limits(budget_tokens=100)).at("a").use(output=200)
    assert w.fell() == [("token_budget_exceeded", "", "salvage"), ("token_budget_exceeded", "", "stop")]
    w.stop_all()
    assert w.write().state.outcome == "not_delivered"


def test_a_run_that_had_no_budget_to_begin_with_begins_with_one() -> None:
    w = Rope(together("a b", limits=Limits(budget_usd=0.0)))
    assert w.write().state.outcome == "not_delivered"
    w.resume(budget_usd=10.0).finish()
    assert w.state.outcome == "delivered_parallel"


def test_what_is_made_when_the_budget_is_gone_is_still_validated() -> None:
    w = going("a b", "a", "b", limits=Limits(budget_usd=10.0)).at("a").succeed()
    w.at("b").use(cost_usd=11.0).succeed()
    w.merge()
    w.bisect()
    w.merge().bisect()
    w.finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_after_fallback", "base>a/1>b/1")


def test_a_context_that_is_nearly_full_falls_and_its_attempt_may_finish() -> None:
    w = going("a b c", "a", "b", workers=2).at("a").use(context_used=170_000, context_limit=200_000)
    assert w.fell() == [("token_budget_exceeded", "a", "salvage")]
    assert "85 % full: 170,000 of 200,000 tokens" in w.state.triggers[0].evidence
    assert w.agents() == ["a/1", "b/1"]
    w.use(context_used=190_000, context_limit=200_000)
    assert len(w.state.triggers) == 1


def test_the_context_of_rest_and_of_the_belay_is_only_noted() -> None:
    w = going("a b", "a", "b", "belay", belay=True).at("belay").use(context_used=199, context_limit=200)
    assert w.fell() == []


# ---- what a unit may write


def test_files_of_a_unit_that_could_run_at_the_same_time_are_a_conflict() -> None:
    w = going("a b", "a", "b").at("a")
    w.succeed(changes=(FileChange(path="a/x.py", kind="created"), FileChange(path="b/y.py", kind="modified")))
    assert w.fell() == [("file_conflict", "a", "salvage")]
    assert "b/y.py of b" in w.state.triggers[0].evidence
    assert w.stage("a/1") == "ejected"
    assert not w.all(ev.Merge)


def test_files_of_what_it_needs_and_of_nobody_are_a_notice() -> None:
    w = going("a b:a", "a").works("a").validate().begin("b")
    w.succeed(changes=(FileChange(path="a/x.py", kind="modified"), FileChange(path="README.md", kind="modified")))
    assert w.fell() == [("undeclared_write", "b", "notice")]
    assert "a/x.py, README.md" in w.state.triggers[0].evidence
    w.finish()
    assert w.state.outcome == "delivered_parallel"


def test_with_layers_the_files_of_another_batch_are_nobodys_at_that_time() -> None:
    w = Rope(together(plan_of("a b c:a", layers=True))).begin("a", "b")
    w.baseline()
    w.works("a", "b").bisect()
    w.begin("c").succeed(changes=(FileChange(path="b/x.py", kind="modified"),))
    assert w.fell() == [("undeclared_write", "c", "notice")]


def test_too_many_files_that_nobody_declared_take_it_out() -> None:
    w = going("a b", "a", "b", limits=Limits(undeclared_files=2)).at("a")
    w.succeed(changes=tuple(FileChange(path=f"lib/{n}.py", kind="created") for n in range(3)))
    assert w.fell() == [("undeclared_write", "a", "salvage")]
    assert "3 files outside its own, the limit is 2" in w.state.triggers[0].evidence
    assert w.stage("a/1") == "ejected"


def test_a_changed_checkout_is_told_once_and_nobody_is_blamed() -> None:
    w = going("a b", "a", "b").at("a").succeed(checkout=("app.py was changed.",))
    assert w.fell() == [("checkout_changed", "", "notice")]
    assert w.state.triggers[0].evidence == "app.py was changed. At work meanwhile: b/1, a/1."
    assert w.agents() == ["b/1"]
    w.at("b").succeed(checkout=("app.py was changed.",))
    assert len(w.state.triggers) == 1


def test_a_candidate_is_told_which_files_were_changed_by_nobody_who_owns_them() -> None:
    w = going("a b", "a", "b").at("a")
    w.succeed(
        changes=(
            FileChange(path="a/x.py", kind="modified"),
            FileChange(path="tests/test_old.py", kind="deleted"),
            FileChange(path="app/new.py", kind="created"),
        )
    )
    w.merge()
    assert w.find(ev.Validate).disowned == ("tests/test_old.py",)
    w.validate().works("b")
    assert w.find(ev.Validate).disowned == ("tests/test_old.py",)


def test_what_waits_behind_a_candidate_is_not_in_it() -> None:
    w = going("a b", "a", "b").works("a").at("b").succeed(changes=(FileChange(path="test_old.py", kind="deleted"),))
    w.merge()  # type: ignore[attr-defined]
    assert w.find(ev.Validate).disowned == ()
    w.validate()
    assert w.find(ev.Validate).disowned == ("test_old.py",)


# ---- requests


def test_an_owner_that_has_not_begun_is_given_what_others_need() -> None:
    w = going("a b:a", "a").at("a").asks("b/routes.py", "the route /a")
    w.merge().validate()
    (asked,) = w.at("b").find(ev.RunAgent).asked
    assert (asked.unit, asked.path, asked.what) == ("a", "b/routes.py", "the route /a")
    w.works("b")
    assert w.find(ev.Validate).last
    w.validate().finish()
    assert w.state.outcome == "delivered_parallel"
    assert [(r.path, r.done) for r in report(w.state).requests] == [("b/routes.py", True)]


@pytest.mark.parametrize("belay", [False, True])
def test_an_owner_that_is_done_leads_to_a_wiring_unit(belay: bool) -> None:
    """A belay that was tried is in no plan, and does not keep the new one from being taken."""
    w = Rope(together("a b", belay=belay)).begin("a", "b", *(["belay"] if belay else []))
    w.baseline()
    w.works("b").validate().at("a").asks("b/routes.py", "the route /a")
    w.merge()
    assert not w.find(ev.Validate).last
    w.validate()
    wiring = w.at("wiring").find(ev.RunAgent)
    assert (wiring.attempt, wiring.kind, wiring.start) == ("wiring/1", "unit", "base>b/1>a/1")
    assert [r.what for r in wiring.asked] == ["the route /a"]
    w.works("wiring")
    assert w.find(ev.Validate).last
    w.validate().finish()
    assert (w.state.outcome, parts(w.state.tip)) == ("delivered_parallel", ("b/1", "a/1", "wiring/1"))
    assert [u.id for u in report(w.state).units if u.id != "belay"] == ["a", "b", "wiring"]


def test_after_a_fall_what_was_asked_for_is_left_for_rest() -> None:
    w = going("a b", "a", "b", limits=Limits(budget_usd=10.0)).works("b").validate()
    w.at("a").use(cost_usd=8.5).asks("b/routes.py", "the route /a")
    w.merge().validate()
    rest = w.at("rest").find(ev.RunAgent)
    told = briefing(w.state, rest)
    assert told is not None
    assert [r.what for r in told.requests] == ["the route /a"]
    w.works("rest").validate().finish()
    assert [r.done for r in report(w.state).requests] == [True]


# ---- the belay


def test_the_belay_works_beside_all_others_from_the_base() -> None:
    w = Rope(together("a b c", workers=2, belay=True))
    assert w.agents() == ["a/1", "b/1", "belay/1"]
    belay = w.at("belay").find(ev.RunAgent)
    assert (belay.kind, belay.slot, belay.start) == ("belay", 3, BASE)
    assert w.begin("belay").newest("belay").kind == "belay"


def test_a_belay_that_is_first_wins_and_the_others_are_stopped_and_kept() -> None:
    w = going("a b", "a", "b", "belay", belay=True).works("a").at("belay").succeed()
    w.merge().validate()  # a
    assert w.find(ev.Validate).commit == "base>belay/1"
    w.validate()
    assert w.stops() == ["agent:b/1"]
    w.stop_all().finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_single", "base>belay/1")
    assert w.fell() == []
    said = report(w.state)
    assert (said.winner, {u.id: u.state for u in said.units}) == (
        "belay",
        {"a": "validated", "b": "superseded", "belay": "validated"},
    )
    assert "refs/ropeteam/run/a/1" in said.kept


def test_a_belay_that_wins_after_a_trigger_was_the_fallback() -> None:
    w = going("a b", "a", "b", "belay", belay=True).at("a").fail("crashed").works("b").validate()
    assert w.agents() == ["belay/1"]  # no rest while it lives
    w.works("belay").validate().finish()
    assert (w.state.outcome, w.state.tip, report(w.state).winner) == (
        "delivered_after_fallback",
        "base>belay/1",
        "belay",
    )


def test_a_belay_that_loses_is_stopped_and_kept() -> None:
    w = going("a b", "a", "b", "belay", belay=True).works("a", "b").bisect()
    assert w.stops() == ["agent:belay/1"]
    w.stop_all().finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_parallel", "base>a/1>b/1")
    assert w.stage("belay/1") == "stopped"
    said = report(w.state)
    assert (said.winner, said.units[-1].state) == ("parallel", "superseded")


def test_a_belay_that_fails_is_a_notice_and_rest_does_it() -> None:
    w = going("a b", "a", "b", "belay", belay=True).at("belay").fail("crashed")
    assert w.fell() == [("agent_crashed", "belay", "notice")]
    w.at("a").fail("crashed").works("b").validate()
    assert w.agents() == ["rest/1"]


def test_a_belay_that_fails_after_the_fall_leaves_it_to_rest() -> None:
    w = going("a b", "a", "b", "belay", belay=True).at("a").fail("crashed").works("b").validate()
    w.works("belay").validate(passes=False)
    assert w.fell() == [("agent_crashed", "a", "salvage"), ("batch_validation_failed", "belay", "notice")]
    assert w.at("rest").find(ev.RunAgent).start == "base>b/1"
    w.works("rest").validate().finish()
    assert (w.state.outcome, parts(w.state.tip)) == ("delivered_after_fallback", ("b/1", "rest/1"))


def test_a_belay_does_not_go_with_the_others_when_all_is_stopped() -> None:
    w = going("a b", "a", "b", "belay", belay=True, fallback="strict").at("a").fail("crashed")
    assert w.stops() == ["agent:b/1"]
    w.stop_all()
    assert w.agents() == ["belay/1"]
    w.at("belay").fail("overload")
    assert w.agents() == ["belay/2"]  # tried again, as without a fall
    w.begin("belay").resume()
    w.lose()
    assert w.agents() == ["belay/3"]


def test_what_passes_after_another_has_won_changes_nothing() -> None:
    w = going("a b", "a", "b", "belay", belay=True).works("belay").works("a")
    w.validate()
    assert (w.state.ending, w.state.tip) == ("delivered_single", "base>belay/1")
    checks = w.state.checks
    w.happen(ev.CandidatePassed(commit="base>a/1", checks=FAILED))
    assert (w.state.tip, w.state.checks) == ("base>belay/1", checks)
    w.at("b").use(context_used=199, context_limit=200)
    assert w.fell() == [("token_budget_exceeded", "b", "notice")]
    w.finish()
    assert w.state.outcome == "delivered_single"


# ---- stopping and going on


def phases() -> list[Rope]:
    """One run in each of its phases."""
    return [
        Rope(STORY),
        Rope(STORY).begin("a"),
        going(STORY, "a", "b"),
        going(STORY, "a", "b").at("a").succeed(),
        going(STORY, "a", "b").works("a"),
        going(STORY, "a", "b").works("a", "b").validate().validate(passes=False),
        going("a b c", "a", "b", "c").at("a").fail("crashed"),
        going("a b", "a", "b").works("a").validate().at("b").fail("crashed"),
        going("a b", "a", "b").works("a").validate().at("b").fail("crashed").works("rest"),
        going("a b", "a", "b", "belay", belay=True).works("belay"),
        going("a b", "a", "b", fallback="strict").works("a").at("b").fail("crashed"),
        going("a b", "a", "b").at("a").fail("auth"),
    ]


@pytest.mark.parametrize("number", range(12))
def test_cancelling_stops_everything_and_ends_the_run(number: int) -> None:
    w = phases()[number]
    w.cancel()
    for _ in range(9):
        w.stop_all()
        for c in [c for c in w.state.open.values() if not isinstance(c, ev.Stop)]:
            w.go_on_with(c)
    assert (w.state.outcome, w.state.open, exit_code(w.state)) == ("cancelled", {}, 1)
    assert w.fell()[-1] == ("cancelled", "", "stop")
    assert not w.asked_for(ev.Compose)
    w.resume()
    assert (w.state.outcome, w.state.open) == ("cancelled", {})


@pytest.mark.parametrize("number", range(12))
def test_an_interrupted_run_goes_on_where_it_was(number: int) -> None:
    w = phases()[number]
    validated = w.checkpoint()
    tried = {a.id for a in w.state.attempts}
    w.interrupt()
    for _ in range(9):
        if w.state.phase == "interrupted":
            break
        w.stop_all()
    assert (w.state.phase, w.state.open, exit_code(w.state)) == ("interrupted", {}, 4)
    assert not any(a.counted and a.stage == "stopped" for a in w.state.attempts)
    w.resume().finish()
    assert (w.state.outcome or "").startswith("delivered")
    assert parts(w.state.tip)[: len(validated)] == validated or report(w.state).winner == "belay"
    assert tried <= {a.id for a in w.state.attempts}


def test_attempts_that_were_lost_are_begun_anew_from_their_snapshots_and_do_not_count() -> None:
    w = going("a b", "a", "b")
    w.resume()
    w.at("a").lose().at("b").lose()
    again = [w.at(u).find(ev.RunAgent) for u in ("a", "b")]
    assert [(c.attempt, c.start, c.base) for c in again] == [
        ("a/2", "work-of-a/1", BASE),
        ("b/2", "work-of-b/1", BASE),
    ]
    w.unit = ""
    w.works("a", "b").bisect().finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_parallel", "base>a/2>b/2")
    assert w.fell() == []


def test_a_lost_attempt_is_begun_anew_after_a_fall_but_not_under_strictness() -> None:
    for fallback, expected in (("salvage", ["b/2"]), ("strict", ["rest/1"])):
        w = going("a b", "a", "b", fallback=fallback).at("a").fail("crashed")
        w.resume()
        w.at("b").lose()
        assert w.agents() == expected


def test_a_lost_attempt_without_a_snapshot_is_kept_first() -> None:
    w = going("a b", "a", "b")
    w.resume()
    w.at("a").lose(commit=None)
    assert [c.attempt for c in w.all(ev.Keep)] == ["a/1"]
    w.keep()
    assert w.at("a").find(ev.RunAgent).start == "kept-of-a/1"


# ---- exceptions of ours


def broken(w: Rope, kind: type[ev.Command], times: int = 2) -> Rope:
    for _ in range(times):
        w.break_(kind)
    return w


def test_an_exception_around_an_agent_is_tried_again_once_then_the_unit_is_left_to_rest() -> None:
    w = going("a b", "a", "b").at("a")
    w.break_(ev.RunAgent)
    assert w.fell() == [("unexpected_problem", "a", "retry")]
    w.at("").keep()
    w.begin("a").break_(ev.RunAgent)
    assert w.fell()[1:] == [("unexpected_problem", "a", "salvage")]
    w.at("").keep()
    w.works("b").validate().works("rest").validate().finish()
    assert (w.state.outcome, exit_code(w.state)) == ("delivered_after_fallback", 0)


def test_an_agent_that_cannot_even_be_made_ready_is_left_to_rest() -> None:
    w = broken(going("a b", "b").at("a"), ev.RunAgent)  # type: ignore[arg-type]
    assert w.fell() == [("unexpected_problem", "a", "retry"), ("unexpected_problem", "a", "salvage")]
    w.works("b").validate()
    assert w.agents() == ["rest/1"]


def test_a_belay_that_cannot_be_made_ready_is_done_without() -> None:
    w = broken(Rope(together("a b", belay=True)).at("belay"), ev.RunAgent)
    assert [a for _, _, a in w.fell()] == ["retry", "notice"]
    assert w.at("").agents() == ["a/1", "b/1"]
    w.finish()
    assert w.state.outcome == "delivered_parallel"


def test_a_merge_that_fails_twice_takes_its_unit_out() -> None:
    w = broken(going("a b", "a", "b").at("a").succeed(), ev.Merge)  # type: ignore[arg-type]
    assert w.fell() == [("unexpected_problem", "a", "retry"), ("unexpected_problem", "a", "salvage")]
    assert w.stage("a/1") == "ejected"
    w.finish()
    assert parts(w.state.tip) == ("b/1", "rest/1")


def test_a_candidate_that_cannot_be_validated_is_taken_out_and_rest_does_it() -> None:
    w = broken(going("a b", "a", "b").works("a"), ev.Validate)
    assert w.fell() == [("unexpected_problem", "", "retry"), ("unexpected_problem", "", "salvage")]
    assert w.stage("a/1") == "ejected"
    w.works("b").validate().works("rest").validate().finish()
    assert (w.state.outcome, parts(w.state.tip)) == ("delivered_after_fallback", ("b/1", "rest/1"))


def test_the_same_while_draining_does_not_end_the_run() -> None:
    w = broken(going("a b c", "a", "b", "c").at("a").fail("crashed").works("b"), ev.Validate)  # type: ignore[attr-defined]
    assert w.state.ending is None
    w.works("c").validate().works("rest").validate().finish()
    assert (w.state.outcome, parts(w.state.tip)) == ("delivered_after_fallback", ("c/1", "rest/1"))


def test_a_belays_candidate_that_cannot_be_validated_costs_the_others_nothing() -> None:
    w = going("a b", "a", "b", "belay", belay=True).works("belay")
    broken(w, ev.Validate)
    assert w.fell() == [("unexpected_problem", "belay", "retry"), ("unexpected_problem", "belay", "notice")]
    w.works("a", "b").bisect().finish()
    assert w.state.outcome == "delivered_parallel"


def test_a_baseline_that_cannot_be_measured_is_tried_again_for_what_is_left() -> None:
    w = Rope("a b").begin("a", "b")
    broken(w, ev.MeasureBaseline)
    assert [a for _, _, a in w.fell()] == ["retry", "salvage"]
    assert not w.all(ev.MeasureBaseline)  # not over and over while agents are at work
    w.works("a", "b")
    w.baseline().bisect()
    w.finish()
    assert (w.state.outcome, w.state.tip) == ("delivered_after_fallback", "base>a/1>b/1")


def test_only_when_the_fallback_fails_that_way_too_is_it_an_error() -> None:
    w = Rope("a b").begin("a", "b")
    broken(w, ev.MeasureBaseline)
    w.works("a", "b")
    w.break_(ev.MeasureBaseline)  # what waited for it is out, and rest has a try of its own
    w.begin("rest")
    broken(w, ev.MeasureBaseline)
    w.stop_all().write()
    assert (w.state.outcome, exit_code(w.state)) == ("not_delivered", 3)
    assert report(w.state).error == "git ended with 128"
    w.resume().finish()
    assert (w.state.outcome, exit_code(w.state)) == ("delivered_after_fallback", 0)


@pytest.mark.parametrize("kind", [ev.RunAgent, ev.Merge, ev.Validate])
def test_rest_that_fails_by_an_exception_twice_is_an_error(kind: type[ev.Command]) -> None:
    w = going("a b", "a", "b").works("a").validate().at("b").fail("crashed").at("")  # type: ignore[attr-defined]
    while not w.all(kind):
        w.go_on_with(next(iter(w.state.open.values())))
    broken(w, kind)
    w.write()
    assert (w.state.outcome, exit_code(w.state)) == ("not_delivered", 3)
    assert w.checkpoint() == ("a/1",)


def test_documents_that_cannot_be_made_keep_nothing_from_being_delivered() -> None:
    w = broken(going("a b", "a", "b").works("a", "b").bisect(), ev.Compose).finish()
    assert (w.state.outcome, w.state.head) == ("delivered_parallel", "base>a/1>b/1")


# ---- what is said in the end


def test_the_report_folds_files_over_units_and_shows_predicted_beside_actual() -> None:
    plan = replace(
        plan_of("a b:a"),
        estimate=PlanEstimate(
            speedup_quantile=1.7,
            speedup_p50=2.1,
            single=SideEstimate(seconds_p50=900.0),
            parallel=SideEstimate(seconds_p50=430.0),
        ),
    )
    w = Rope(together(plan)).begin("a")
    w.baseline()
    w.at("a").succeed(
        seconds=100.0,
        reading_seconds=40.0,
        changes=(FileChange(path="a/x.py", kind="created"), FileChange(path="a/old.py", kind="deleted")),
    )
    w.merge().validate().begin("b").succeed(
        seconds=50.0,
        reading_seconds=30.0,
        changes=(FileChange(path="a/x.py", kind="modified"), FileChange(path="b/y.py", kind="modified")),
    )
    w.merge().validate().finish()
    said = report(w.state)
    assert [f.path for f in said.files.created] == ["a/x.py"]  # created by one, changed by the next
    assert [f.path for f in said.files.modified] == ["b/y.py"]
    assert [f.path for f in said.files.deleted] == ["a/old.py"]
    assert said.predicted.speedup_quantile == 1.7
    assert (said.predicted.single_seconds_p50, said.predicted.parallel_seconds_p50) == (900.0, 430.0)
    one_reading, work, last_check = 40.0, 60.0 + 20.0, 1.0
    assert said.actual.single_seconds_estimated == pytest.approx(one_reading + work + last_check)
    assert said.actual.speedup_estimated is not None
    assert said.actual.orchestration_seconds < 15.0


def test_a_belay_that_ended_has_measured_what_one_agent_takes_and_what_it_cost() -> None:
    w = going("a b", "a", "b", "belay", belay=True).works("a").validate()
    w.begin("belay").use(cost_usd=3.0) if not w.newest("belay") else w.at("belay").use(cost_usd=3.0)
    w.at("belay").succeed(seconds=500.0)
    w.works("b").bisect().finish()
    said = report(w.state)
    assert said.actual.single_seconds_estimated == pytest.approx(501.0)
    assert said.actual.insurance_usd == 3.0


def test_units_say_how_they_stand_while_the_run_goes_on() -> None:
    w = going("a b c:a d", "a", "b", "d").works("a").at("b").succeed().conflict().at("d")
    assert {u.id: u.state for u in report(w.state).units} == {
        "a": "ended",
        "b": "ejected",
        "c": "pending",
        "d": "running",
    }
    w.validate().fail("overload")
    states = {u.id: u.state for u in report(w.state).units}
    assert (states["a"], states["d"]) == ("validated", "pending")


def test_the_checks_of_the_report_are_those_of_what_is_delivered() -> None:
    w = waiting("a", "b", last=True).validate().validate(passes=False)
    assert w.state.checks == FAILED
    w.validate()
    assert w.state.checks == FAILED  # of the culprit, which is found
    w.works("rest").validate().finish()
    assert [c.state for c in report(w.state).checks] == [c.state for c in PASSED]


def test_an_attempt_that_begins_at_the_moment_of_a_fall_goes_on_and_can_still_be_stopped() -> None:
    w = Rope("a b c")
    w.begin("a", "b")
    w.at("a").fail("crashed")
    (stop,) = [c for c in w.state.open.values() if isinstance(c, ev.Stop)]
    assert (stop.target, stop.unless_begun) == ("agent:c/1", True)
    w.begin("c")  # it was quicker than the word
    assert w.stops() == []
    w.at("c").succeed()
    assert (w.stage("c/1"), w.newest("c").n) == ("ended", 1)
    w.cancel()
    assert "agent:b/1" in w.stops()


def test_a_crash_of_an_attempt_that_should_not_have_begun_is_its_own_and_nobody_tries_again() -> None:
    w = Rope("a b c")
    w.begin("a", "b")
    w.at("a").fail("crashed")
    w.begin("c")
    w.at("c").fail("crashed")
    assert w.stage("c/1") == "failed"
    assert ("agent_crashed", "c", "salvage") in w.fell()
    assert "c/2" not in w.agents()
