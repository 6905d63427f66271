"""Costs move from what is published to what was measured, slowly at first, never because of one run; predictions are
corrected by what came of earlier ones."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ropeteam.core.costs import FORK_READING, Costs
from ropeteam.core.fitting import FAR, MOST, OPTIMISM, PRIOR, calibrated, fitted, work_seconds, work_tokens
from ropeteam.core.history import Foreseen, Observation, PastRun
from ropeteam.core.model import SideEstimate

PRIORS = Costs()


@dataclass(frozen=True)
class Truth:
    """How long things really take, as factors of what is published."""

    reading: float = 1.0
    pace: float = 1.0
    talk: float = 1.0
    sigma: float = 0.3


def seen(rng: random.Random, truth: Truth, *, agent: str = "claude", model: str = "m", **more: object) -> Observation:
    files, lines = rng.randint(1, 8), float(rng.randint(20, 600))
    noise = [math.exp(rng.gauss(0, truth.sigma)) for _ in range(3)]
    reading = PRIORS.reading_seconds * truth.reading * noise[0]
    work = work_seconds(PRIORS, files, lines) * truth.pace * noise[1]
    tokens = work_tokens(PRIORS, files, lines) * truth.talk * noise[2]
    known = Observation(
        agent=agent,
        model=model,
        files=files,
        lines=lines,
        seconds=reading + work,
        reading_seconds=reading,
        tokens=round(tokens),
        cost_usd=tokens * 3e-6,
        outcome="ok",
        good=True,
    )
    return replace(known, **more)  # type: ignore[arg-type]


def run_of(*observations: Observation, agent: str = "claude", **more: object) -> PastRun:
    known = PastRun(run="r", at=0.0, feature="f", agent=agent, mode="parallel", outcome="delivered_parallel")
    return replace(known, observations=observations, **more)  # type: ignore[arg-type]


def runs_of(number: int, truth: Truth, *, seed: int = 1, agent: str = "claude", model: str = "m") -> list[PastRun]:
    rng = random.Random(seed)
    return [run_of(*(seen(rng, truth, agent=agent, model=model) for _ in range(4)), agent=agent) for _ in range(number)]


def times(costs: Costs) -> tuple[float, float, float]:
    """How many times as high as published: reading, work, tokens."""
    return (
        costs.reading_seconds / PRIORS.reading_seconds,
        costs.line_seconds / PRIORS.line_seconds,
        costs.line_tokens / PRIORS.line_tokens,
    )


# ---- towards the truth


def test_without_runs_there_is_what_is_published() -> None:
    assert fitted(PRIORS, [], "claude") == PRIORS


@pytest.mark.parametrize("truth", [Truth(), Truth(0.3, 2.5, 4.0), Truth(3.0, 0.4, 0.2), Truth(1.0, 8.0, 1.0)])
def test_many_runs_come_near_the_truth(truth: Truth) -> None:
    reading, pace, talk = times(fitted(PRIORS, runs_of(150, truth), "claude", "m"))
    assert reading == pytest.approx(truth.reading, rel=0.1)
    assert pace == pytest.approx(truth.pace, rel=0.1)
    assert talk == pytest.approx(truth.talk, rel=0.1)


@given(st.floats(0.25, 4.0), st.integers(0, 10_000))
def test_the_more_runs_the_nearer(pace: float, seed: int) -> None:
    truth = Truth(pace=pace, sigma=0.0)
    off = [
        abs(math.log(times(fitted(PRIORS, runs_of(n, truth, seed=seed), "claude", "m"))[1] / pace))
        for n in (0, 1, 4, 40)
    ]
    assert off == sorted(off, reverse=True)


@given(st.floats(0.1, 10.0), st.integers(1, 30))
def test_what_comes_out_lies_between_what_is_published_and_what_was_seen(pace: float, number: int) -> None:
    _, here, _ = times(fitted(PRIORS, runs_of(number, Truth(pace=pace, sigma=0.0)), "claude", "m"))
    assert min(1.0, pace) - 1e-9 <= here <= max(1.0, pace) + 1e-9


def test_one_attempt_moves_little() -> None:
    one = run_of(seen(random.Random(1), Truth(pace=3.0, sigma=0.0)))
    assert 1.1 < times(fitted(PRIORS, [one], "claude", "m"))[1] < 3.0 ** (1 / (PRIOR + 1)) + 0.01


@given(st.floats(1e-3, 1e6), st.integers(5, 40), st.integers(0, 1000))
def test_no_single_attempt_swings_it(factor: float, number: int, seed: int) -> None:
    """One that took a thousand times as long counts as one that took long."""
    usual = runs_of(number, Truth(), seed=seed)
    odd = run_of(seen(random.Random(seed), Truth(pace=factor, sigma=0.0)))
    before, after = (times(fitted(PRIORS, runs, "claude", "m"))[1] for runs in (usual, [*usual, odd]))
    most = 2 * FAR / (4 * number + 1 + PRIOR)
    assert abs(math.log(after / before)) <= most + 1e-9


_numbers = st.floats(0, 1e9, allow_nan=False)
_observations = st.builds(
    Observation,
    agent=st.sampled_from(["claude", "command", "scripted"]),
    model=st.sampled_from(["", "m", "n"]),
    files=st.integers(0, 3000),
    lines=st.none() | _numbers,
    seconds=_numbers,
    reading_seconds=_numbers,
    tokens=st.integers(0, 10**10),
    cost_usd=_numbers,
    good=st.booleans(),
    failed=st.booleans(),
)
_runs = st.builds(
    run_of,
    _observations,
    _observations,
    agent=st.sampled_from(["claude", "scripted"]),
    validations=st.lists(_numbers, max_size=3).map(tuple),
    merges=st.lists(_numbers, max_size=3).map(tuple),
    merged=st.integers(0, 50),
    conflicts=st.integers(0, 50),
    broken=st.integers(0, 50),
    seconds=_numbers,
    speedup=st.none() | st.floats(0, 1e6),
    foreseen=st.none() | st.builds(Foreseen, speedup_p50=st.none() | st.floats(0, 1e6), speedup_quantile=st.none()),
)


@given(st.lists(_runs, max_size=6), st.sampled_from(["claude", "scripted", "codex"]))
def test_whatever_the_journal_says_costs_stay_within_bounds(runs: list[PastRun], agent: str) -> None:
    costs = fitted(PRIORS, runs, agent, "m")
    for name in ("reading_seconds", "line_seconds", "file_seconds", "reading_tokens", "line_tokens", "step_tokens"):
        ratio = getattr(costs, name) / getattr(PRIORS, name)
        assert 1 / MOST - 1e-9 <= ratio <= MOST + 1e-9, name
    for name in ("conflict", "broken", "failed"):
        assert 0.0 <= getattr(costs, name) <= 1.0, name
    assert 0.5 * PRIORS.sigma <= costs.sigma <= 2 * PRIORS.sigma
    assert costs.validation_seconds >= 0.0
    assert OPTIMISM[0] <= costs.optimism <= OPTIMISM[1]


# ---- whose


def test_others_count_less_and_fade() -> None:
    slow, quick = Truth(pace=4.0, sigma=0.0), Truth(pace=0.5, sigma=0.0)
    others = runs_of(50, slow, agent="command", model="")
    assert 1.5 < times(fitted(PRIORS, others, "claude", "m"))[1] <= 2.01  # at most what the prior is worth
    both = [*others, *runs_of(100, quick)]
    assert times(fitted(PRIORS, both, "claude", "m"))[1] == pytest.approx(0.5, rel=0.1)


def test_another_model_counts_less_than_ones_own() -> None:
    rng = random.Random(2)
    own = run_of(seen(rng, Truth(pace=3.0, sigma=0.0), model="m"))
    model = replace(own, observations=tuple(replace(o, model="n") for o in own.observations))
    agent = replace(own, observations=tuple(replace(o, agent="command") for o in own.observations))
    first, second, third = (times(fitted(PRIORS, [r], "claude", "m"))[1] for r in (own, model, agent))
    assert first > second > third > 1.0


def test_a_model_may_be_named_in_short() -> None:
    runs = runs_of(60, Truth(pace=3.0), model="claude-sonnet-4-5-20250929")
    for short in ("", "sonnet", "claude-sonnet-4-5-20250929"):
        assert times(fitted(PRIORS, runs, "claude", short))[1] == pytest.approx(3.0, rel=0.1), short
    assert times(fitted(PRIORS, runs, "claude", "opus"))[1] < 2.0


def test_a_recording_tells_nothing_of_an_agent_nor_the_other_way_round() -> None:
    played = runs_of(20, Truth(pace=5.0), agent="scripted")
    real = runs_of(20, Truth(pace=0.5))
    assert fitted(PRIORS, played, "claude") == PRIORS
    assert fitted(PRIORS, [*played, *real], "claude", "m") == fitted(PRIORS, real, "claude", "m")
    assert fitted(PRIORS, [*played, *real], "scripted", "m") == fitted(PRIORS, played, "scripted", "m")


def test_only_validated_attempts_tell_how_long_work_takes() -> None:
    good = seen(random.Random(3), Truth(pace=4.0))
    bad = run_of(replace(good, good=False, failed=True, outcome="stalled"))
    costs = fitted(PRIORS, [bad] * 20, "claude", "m")
    assert times(costs) == (1.0, 1.0, 1.0)
    assert costs.failed == pytest.approx((0.05 * 20 + 20) / 40)
    assert costs.runs == 0


@pytest.mark.parametrize("kind", ["contract", "rest"])
def test_what_has_no_planned_size_tells_only_how_long_reading_takes(kind: str) -> None:
    slow = seen(random.Random(4), Truth(reading=2.0, pace=9.0, talk=9.0, sigma=0.0), kind=kind)
    reading, pace, talk = times(fitted(PRIORS, [run_of(slow)] * 50, "claude", "m"))
    assert reading == pytest.approx(2.0, rel=0.1)
    assert (pace, talk) == (1.0, 1.0)


def test_who_goes_on_from_another_tells_how_long_that_takes_and_not_how_long_reading_does() -> None:
    forked = Observation(agent="claude", seconds=100.0, reading_seconds=8.0, outcome="ok", good=True, forked=True)
    runs = [run_of(*[forked] * 40)]
    able, unable = Costs(fork_reading=FORK_READING), Costs()
    assert fitted(able, runs, "claude").reading_seconds == unable.reading_seconds
    assert fitted(unable, runs, "claude").fork_reading is None
    assert 8.0 < (fitted(able, runs, "claude").fork_reading or 0.0) < FORK_READING
    usual = fitted(able, [run_of(*[replace(forked, forked=False)] * 40)], "claude")
    assert usual.reading_seconds < unable.reading_seconds
    assert usual.fork_reading == FORK_READING


def test_where_costs_come_from_is_said() -> None:
    assert fitted(PRIORS, runs_of(3, Truth()), "claude", "m").source == (
        "published priors, fitted to 3 runs of claude (m) here"
    )
    assert fitted(PRIORS, [run_of(validations=(3.0,))], "claude").source == (
        "published priors, and what checks and other agents took here"
    )


def test_checks_and_merges_take_what_they_took_lately() -> None:
    old = [run_of(validations=(100.0,), merges=(9.0,))] * 20
    new = [run_of(validations=(10.0,), merges=(1.0,))] * 9
    costs = fitted(PRIORS, [*old, *new], "claude")
    assert (costs.validation_seconds, costs.merge_seconds) == (10.0, 1.0)
    assert fitted(PRIORS, [run_of(validations=(7.0,))], "claude").validation_seconds == 7.0


def test_the_spread_is_as_wide_as_what_was_seen() -> None:
    narrow, wide = (fitted(PRIORS, runs_of(100, Truth(sigma=s)), "claude", "m") for s in (0.2, 1.2))
    assert narrow.sigma < PRIORS.sigma < wide.sigma
    assert narrow.size_sigma / PRIORS.size_sigma == pytest.approx(narrow.sigma / PRIORS.sigma)


# ---- predicted beside actual


def compared(*, predicted: float = 2.0, quantile: float = 1.6, came: float = 2.0, optimism: float = 1.0) -> PastRun:
    f = Foreseen(
        single=SideEstimate(seconds_p50=1000.0),
        parallel=SideEstimate(seconds_p50=500.0),
        speedup_p50=predicted,
        speedup_quantile=quantile,
        confidence=0.95,
        optimism=optimism,
    )
    return run_of(foreseen=f, speedup=came, seconds=1000.0 / came, single_seconds=1000.0)


def test_what_held_is_counted() -> None:
    c = calibrated([compared(came=2.2), compared(came=1.7), compared(came=1.5), compared(came=0.8)])
    assert (c.runs, c.held, c.expected, c.slower) == (4, 2, 0.75, 1)
    assert c.confidence == pytest.approx(0.95)


def test_a_few_runs_correct_little_and_many_all_of_it() -> None:
    one, many = (calibrated([compared(came=1.25)] * n).optimism for n in (1, 30))
    assert 1.0 < one < 1.07
    assert many == pytest.approx((2.0 / 1.25) ** (30 / 38), rel=0.001)


def test_a_correction_that_is_right_stays() -> None:
    """Predictions that were corrected already, and came true, are no reason to correct less."""
    true_by_now = [compared(predicted=1.6, came=1.6, optimism=1.25)] * 30
    assert calibrated(true_by_now).optimism == pytest.approx(1.25 ** (30 / 38), rel=0.001)


@given(st.lists(st.floats(0.01, 100.0), max_size=40))
def test_a_correction_has_bounds(came: list[float]) -> None:
    assert OPTIMISM[0] <= calibrated([compared(came=c) for c in came]).optimism <= OPTIMISM[1]


def test_runs_without_a_prediction_or_an_end_are_not_compared() -> None:
    nothing = [run_of(speedup=2.0), replace(compared(), speedup=None), replace(compared(), mode="single")]
    assert calibrated(nothing).runs == 0
