"""When a run of several agents is expected to end, and what that hangs on."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import plans
from several import Several, shop, unit
from worlds import World

from ropeteam.core import graph
from ropeteam.core.expecting import expected_before_fall, expected_end, expected_path
from ropeteam.core.model import Plan
from ropeteam.core.progress import checkpoints


def ahead(w: World, later: float = 0.0) -> float | None:
    """Seconds from now to the expected end."""
    end = expected_end(w.state, w.now + later)
    return None if end is None else round(end - w.now, 1)


def test_without_figures_and_without_a_unit_done_nothing_is_said() -> None:
    w = Several().begins("01-contract")
    assert ahead(w) is None
    assert expected_before_fall(w.state) is None


def test_the_plan_says_how_long_units_take() -> None:
    w = Several(shop(60.0)).begins("01-contract")
    assert ahead(w) == 180.0  # three in a row, nothing known of the checks
    assert ahead(w, later=20.0) == 180.0  # what goes by was expected


def test_one_that_takes_longer_than_planned_moves_the_end() -> None:
    w = Several(shop(60.0)).begins("01-contract")
    assert ahead(w, later=100.0) == 226.0  # a tenth of it more, and the two behind it


def test_without_figures_the_median_of_what_is_done_stands_for_the_others() -> None:
    w = Several().with_contract()  # it took 60, its validation 5
    assert ahead(w) == 60.0 + 5.0 + 60.0 + 5.0


def test_workers_are_shared() -> None:
    free = Plan(units=tuple(unit(f"u{n}", seconds=30.0) for n in range(4)), batches=(("u0", "u1", "u2", "u3"),))
    assert ahead(Several(free, workers=4).begins()) == 30.0
    assert ahead(Several(free, workers=2).begins()) == 60.0
    assert ahead(Several(free, workers=1).begins()) == 120.0


def test_a_scripted_agent_lives_in_real_seconds() -> None:
    assert ahead(Several(shop(60.0), time_scale=60.0).begins("01-contract")) == 3.0


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(plans(), st.integers(1, 4))
def test_at_the_beginning_it_is_what_the_list_schedule_says(plan: Plan, workers: int) -> None:
    if not any(u.estimate for u in plan.units):
        return
    w = Several(plan, workers=workers)
    end = ahead(w)
    assert end is not None
    work = sum(graph.weights(plan).values())
    assert max(graph.tails(plan).values()) <= end + 0.1
    assert end <= work + 0.1
    assert end == pytest.approx(graph.list_schedule(plan, workers).makespan, rel=0.35)


def test_a_fall_is_told_beside_what_was_expected_without_it() -> None:
    w = Several(shop(60.0)).with_contract()
    w.ends("02-models", "app/routes.py").merges().ends("03-api", "app/routes.py", after=0.0).conflicts("app/routes.py")
    before, now = expected_before_fall(w.state), expected_end(w.state, w.now)
    assert before is not None
    assert now is not None
    assert round(before - w.now) == 5 + 60 + 5  # 05, once 02 and 03 would have been checked, and the checks
    assert now - before > 50.0  # 03 and 05 by one agent, after 04
    assert expected_path(w.state) == ()
    w.holds(after=40.0).ends("04-mails").settles().begins("rest")
    assert expected_before_fall(w.state) == before  # what comes later changes nothing in it


def test_one_agent_that_is_at_work_on_the_rest_is_counted_by_what_it_took() -> None:
    w = Several(shop(60.0)).with_contract().ends("02-models", "app/routes.py").merges()
    w.ends("03-api", "app/routes.py").conflicts("app/routes.py").holds().ends("04-mails").settles().begins("rest")
    assert ahead(w) == 168.0  # two of them, which take 1.36 times as long as planned, as those did that are done
    assert ahead(w, later=100.0) == 168.0


def test_it_reads_itself_in_once() -> None:
    w = Several(shop(60.0)).begins("01-contract").ends("01-contract", reading=40.0).settles().begins()
    w.breaks("02-models").breaks("03-api", after=0.0).breaks("04-mails", after=0.0)
    assert ahead(w) == 40.0 + 4 * 20.0 + 5.0


def test_the_end_of_a_belay_is_what_a_fall_hangs_on() -> None:
    w = Several(shop(60.0), belay=True).with_contract()
    started = w.state.attempt("belay/1").started_at
    w.breaks("02-models", after=1.0)
    end = expected_end(w.state, w.now)
    assert end == started + 5 * 60.0 + 5.0


def test_nothing_is_expected_of_a_run_that_stands_still_or_stops() -> None:
    w = Several(shop(60.0)).with_contract()
    w.cancel()
    assert ahead(w) is None
    assert ahead(Several(shop(60.0)).in_parallel()) is None


def test_the_path_goes_by_what_was_measured() -> None:
    w = Several(shop(60.0)).with_contract()
    assert expected_path(w.state) == ("01-contract", "02-models", "05-views")
    w.ends("02-models", after=10.0).settles()
    assert expected_path(w.state) == ("01-contract", "03-api", "05-views")


def test_checkpoints_are_counted_once() -> None:
    w = Several().with_contract()
    assert checkpoints(w.state) == ("m-work-of-01-contract/1",)
    w.ends("02-models").merges().ends("03-api").ends("04-mails").merges().holds().fails().fails()
    assert checkpoints(w.state) == ("m-work-of-01-contract/1", "m-work-of-02-models/1")
