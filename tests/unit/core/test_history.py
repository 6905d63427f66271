"""What a run tells of itself once it has ended, and the report and the chart that are made of such runs."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from several import Several, shop
from worlds import World

from ropeteam.core import events as ev
from ropeteam.core.costs import Costs
from ropeteam.core.history import PastRun, past
from ropeteam.core.history_chart import history_chart
from ropeteam.core.history_report import history_report
from ropeteam.core.model import AttemptResult, Confidence, PlanEstimate, SideEstimate
from ropeteam.core.report import report
from ropeteam.core.schedule import fold
from ropeteam.core.sizes import lines_of
from ropeteam.core.survey import Outlook, PlannedFile, Survey

ESTIMATE = PlanEstimate(
    workers=4,
    gate_quantile=0.25,
    speedup_quantile=1.5,
    speedup_p50=2.0,
    single=SideEstimate(seconds_p50=400.0, tokens_p50=500_000, cost_usd_p50=1.0),
    parallel=SideEstimate(seconds_p50=200.0, tokens_p50=600_000, cost_usd_p50=1.2),
)
COSTS = Costs(optimism=1.2)
PLAN = replace(shop(60.0), estimate=ESTIMATE, confidence=Confidence(value=0.93))


def told(w: World) -> PastRun:
    found = past(w.state)
    assert found is not None
    assert msgspec.json.decode(msgspec.json.encode(found), type=PastRun) == found  # as it is kept
    return found


def as_claude(w: Several, **first: object) -> Several:
    """The same run, of another agent, and with more known at its beginning."""
    begun = w.events[0]
    assert isinstance(begun, ev.RunStarted)
    begun = replace(begun, answers=replace(begun.answers, agent="claude"), **first)
    others = [replace(e, agent="claude") if isinstance(e, ev.AttemptStarted) else e for e in w.events[1:]]
    w.state = fold([begun, *others])
    return w


# ---- one run


def test_a_run_of_several_agents_beside_its_prediction() -> None:
    w = Several(PLAN).in_parallel()
    r, said = told(w), report(w.state)
    assert (r.mode, r.outcome, r.agent, r.asked) == ("parallel", "delivered_parallel", "scripted", True)
    assert (r.seconds, r.speedup) == (said.actual.seconds, said.actual.speedup_estimated)
    assert r.single_seconds == said.actual.single_seconds_estimated
    assert not r.single_measured
    assert r.foreseen is not None
    assert (r.foreseen.speedup_p50, r.foreseen.speedup_quantile, r.foreseen.confidence) == (2.0, 1.5, 0.93)
    assert r.way.tokens_p50 == 600_000
    assert (r.merged, r.conflicts, r.broken) == (5, 0, 0)
    assert len(r.merges) == 5
    assert set(r.validations) <= {5.0, 6.0}


def test_each_attempt_is_an_observation_with_what_it_took() -> None:
    w = Several(PLAN).begins("01-contract").ends("01-contract", reading=20.0)
    w.merges().holds().begins()
    w.ends("02-models").ends("03-api", after=10.0).settles().begins()
    w.ends("04-mails", after=20.0).settles().ends("05-views", after=40.0).settles().delivered()
    first, *_ = told(w).observations
    assert (first.unit, first.kind, first.good, first.failed) == ("01-contract", "contract", True, False)
    assert (first.seconds, first.reading_seconds, first.planned_seconds) == (60.0, 20.0, 60.0)
    assert (first.files, first.lines, first.tokens) == (1, None, 123_000)


def test_times_of_the_scripted_agent_are_in_feature_time() -> None:
    real, played = (told(Several(PLAN, time_scale=s).in_parallel()) for s in (1.0, 10.0))
    assert [o.seconds for o in played.observations] == [10 * o.seconds for o in real.observations]
    assert played.seconds == report(Several(PLAN, time_scale=10.0).in_parallel().state).actual.seconds
    # a check beside which agents work: as long as theirs; the last one, beside which nobody does: as it was
    assert played.validations[0] == real.validations[0]
    assert max(played.validations) == 10 * max(real.validations[1:-1])
    assert played.validations[-1] == real.validations[-1]


def test_the_planned_size_is_that_of_the_files_a_unit_owns() -> None:
    files = (
        PlannedFile(path="app/01-contract.py", lines=40),
        PlannedFile(path="app/02-models.py", lines=200),
        PlannedFile(path="app/03-api.py"),
    )
    w = as_claude(Several(PLAN).in_parallel(), outlook=Outlook(survey=Survey(files=files), costs=COSTS))
    r = told(w)
    sizes = {o.unit: (o.files, o.lines) for o in r.observations}
    assert sizes["02-models"] == (1, pytest.approx(lines_of(files[1], COSTS)[0], abs=0.1))
    assert sizes["03-api"] == (1, pytest.approx(lines_of(files[2], COSTS)[0], abs=0.1))
    assert sizes["05-views"] == (1, None)  # in no survey: what it changed
    assert r.foreseen is not None
    assert r.foreseen.optimism == 1.2


def test_one_agent_works_on_all_files_that_were_planned() -> None:
    w = World().begin().baseline().succeed().merge().validate()
    begun = w.events[0]
    assert isinstance(begun, ev.RunStarted)
    files = (PlannedFile(path="a.py", lines=100), PlannedFile(path="b.py"), PlannedFile(path="c.py", lines=50))
    w = World(replace(begun, outlook=Outlook(survey=Survey(files=files))))
    w.begin().baseline().succeed().merge().validate().compose().land()
    r = told(w)
    (o,) = r.observations
    assert (o.files, o.lines) == (3, pytest.approx(sum(lines_of(f, Costs())[0] for f in files), abs=0.1))
    assert (r.mode, r.single_seconds, r.single_measured, r.speedup) == ("single", r.seconds, True, None)


def test_a_fall_is_told_and_what_failed_is_no_measure() -> None:
    r = told(Several(PLAN).after_a_fall())
    assert r.outcome == "delivered_after_fallback"
    assert "file_conflict" in r.triggers
    assert r.conflicts == 1
    good = {o.unit: o.good for o in r.observations}
    assert good["03-api"] is False
    assert good["rest"] is True


def test_an_attempt_that_came_to_nothing_counts_as_failed_one_that_was_stopped_does_not() -> None:
    w = World().begin().baseline().fail("stalled")
    w.begin().succeed().merge().validate().compose().land()
    assert [(o.good, o.failed) for o in told(w).observations] == [(False, True), (True, False)]
    parked = told(World().begin().baseline().fail("rate", retry_at=2_000_000.0))
    assert parked.outcome is None
    assert not any(o.failed for o in parked.observations)


def test_before_its_end_a_run_tells_nothing() -> None:
    w = Several(PLAN).with_contract()
    assert past(w.state) is None
    w.happen(ev.InterruptAsked())
    assert past(w.state) is None


def test_how_long_an_agent_was_made_ready() -> None:
    w = Several(PLAN)
    w.begins("01-contract", after=7.0)
    assert w.state.attempts[0].asked_at == w.state.attempts[0].started_at - 7.0
    w.ends("01-contract").merges().holds().begins()
    w.ends("02-models").ends("03-api", after=10.0).settles().begins().ends("04-mails").settles()
    w.ends("05-views").settles().delivered()
    assert told(w).trees[0] == 7.0


def test_the_plan_that_was_decided_on_keeps_its_predictions() -> None:
    w = Several(PLAN).with_contract()
    plan = w.state.plan
    assert plan is not None
    later = replace(plan, estimate=replace(ESTIMATE, speedup_p50=9.0))
    w.happen(ev.Replanned(plan=later))
    assert w.state.plan == later
    assert report(w.state).predicted.speedup_p50 == 2.0


# ---- the report and the chart


def runs_of(*came: float) -> list[PastRun]:
    one = told(Several(PLAN).in_parallel())
    assert one.single_seconds is not None
    one = replace(one, observations=tuple(replace(o, agent="claude") for o in one.observations))
    return [
        replace(one, run=f"r{n}", agent="claude", speedup=c, seconds=one.single_seconds / c) for n, c in enumerate(came)
    ]


def test_the_report_of_no_run_is_empty() -> None:
    said = history_report([])
    assert (said.runs, said.calibration, said.costs) == ((), (), ())


def test_the_report_has_every_run_and_what_follows_from_them() -> None:
    said = history_report(runs_of(2.5, 1.6, 0.8), skipped=("Run x is left out.",), earlier=3)
    assert [r.slower for r in said.runs] == [False, False, True]
    assert [r.predicted.tokens_p50 for r in said.runs] == [600_000] * 3
    (line,) = said.calibration
    assert (line.agent, line.runs, line.held, line.slower) == ("claude", 3, 2, 1)
    assert line.speedup_ratio == pytest.approx(0.8)
    assert (said.skipped, said.earlier) == (("Run x is left out.",), 3)
    names = [c.name for c in said.costs]
    assert all(hasattr(Costs(), n) for n in names)


def test_only_runs_of_the_agent_that_is_asked_for() -> None:
    runs = [*runs_of(2.0), replace(runs_of(1.0)[0], agent="command", run="other")]
    assert [r.run for r in history_report(runs, agent="command").runs] == ["other"]
    assert history_report(runs, agent="nobody").runs == ()


def test_the_chart_has_a_column_for_each_run_that_can_be_compared() -> None:
    assert history_chart([]) is None
    assert history_chart([replace(runs_of(2.0)[0], foreseen=None)]) is None
    chart = history_chart(runs_of(2.5, 1.2, 40.0))
    assert chart is not None
    assert [(c.low, c.middle, c.came, c.held) for c in chart.columns] == [
        (1.5, 2.0, 2.5, True),
        (1.5, 2.0, 1.2, False),
        (1.5, 2.0, 40.0, True),
    ]
    assert chart.top > 40.0


def test_a_cancelled_run_is_told_and_compared_with_nothing() -> None:
    w = Several(PLAN).with_contract()
    w.happen(ev.CancelAsked())
    while stops := w.all(ev.Stop):
        for stop in stops:
            w.happen(ev.CommandStopped(key=stop.target))
    while keeps := w.all(ev.Keep):
        w.happen(ev.AttemptKept(attempt=keeps[0].attempt, result=AttemptResult(commit="c", ref="r")))
    r = told(w)
    assert (r.outcome, r.speedup, r.single_seconds) == ("cancelled", None, None)
    assert history_report([r]).runs[0].outcome == "cancelled"
