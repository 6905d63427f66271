"""What earlier runs came to changes what is predicted of the next one: the whole way, from runs to a plan's figures."""

from __future__ import annotations

import math
import random

import pytest
from msgspec.structs import replace
from test_fitting import Truth, compared, runs_of

from ropeteam.core.costs import Costs
from ropeteam.core.estimate import estimated
from ropeteam.core.fitting import fitted
from ropeteam.core.history import PastRun
from ropeteam.core.model import Plan, Unit
from ropeteam.core.plan_batches import layered
from ropeteam.core.survey import PlannedFile, Survey

FILES = tuple(PlannedFile(path=f"app/{n}/a.py", status="A", lines=300, category="service") for n in range(4))
PLAN = layered(Plan(units=tuple(Unit(id=f"u{n}", writes=(f"/app/{n}/",)) for n in range(4))), "auto")


def predicted(runs: list[PastRun]) -> Plan:
    costs = fitted(Costs(), runs, "claude", "m")
    return estimated(PLAN, Survey(files=FILES), costs, workers=4, draws=400)


def test_slow_agents_make_both_ways_longer() -> None:
    usual, slow = predicted([]).estimate, predicted(runs_of(40, Truth(pace=3.0))).estimate
    assert usual is not None
    assert slow is not None
    for before, now in ((usual.single, slow.single), (usual.parallel, slow.parallel)):
        assert before.seconds_p50 is not None
        assert now.seconds_p50 is not None
        assert 1.5 < now.seconds_p50 / before.seconds_p50 < 3.2


def test_runs_that_came_out_worse_than_predicted_lower_what_is_predicted_of_several() -> None:
    usual = predicted([])
    wary = predicted([compared(predicted=2.0, came=1.2)] * 30)
    assert usual.estimate is not None
    assert wary.estimate is not None
    assert usual.estimate.speedup_p50 is not None
    assert wary.estimate.speedup_p50 is not None
    correction = (2.0 / 1.2) ** (30 / 38)
    assert wary.estimate.speedup_p50 == pytest.approx(usual.estimate.speedup_p50 / correction, rel=0.01)
    assert wary.confidence is not None
    assert usual.confidence is not None
    assert wary.confidence.value < usual.confidence.value
    assert any("Calibrated by history" in r for r in wary.confidence.reasons)
    assert not any("Calibrated" in r for r in usual.confidence.reasons)


def test_a_gate_that_learns_gets_the_quantile_right() -> None:
    """A world in which several agents take 1.6 times as long as the model believes: without correction the cautious
    prediction holds in few runs, with it in about as many as it should."""
    rng, runs, held, raw = random.Random(1), [], [], []
    for _ in range(60):
        costs = fitted(Costs(), runs, "claude")
        plan = estimated(PLAN, Survey(files=FILES), replace(Costs(), optimism=costs.optimism), workers=4, draws=200)
        e = plan.estimate
        assert e is not None
        assert e.speedup_p50 is not None
        assert e.speedup_quantile is not None
        true_median = e.speedup_p50 * costs.optimism / 1.6
        spread = math.log(e.speedup_p50 / e.speedup_quantile) / 0.674
        came = true_median * math.exp(rng.gauss(0, spread))
        held.append(came >= e.speedup_quantile)
        raw.append(came >= e.speedup_quantile * costs.optimism)
        run = compared(predicted=e.speedup_p50, quantile=e.speedup_quantile, came=came, optimism=costs.optimism)
        runs.append(replace(run, observations=()))
    assert 17 <= sum(held[-30:]) <= 28  # 22.5 should
    assert sum(raw[-30:]) <= sum(held[-30:]) - 4  # had nothing been learnt
