"""What `ropeteam history` says: predicted beside actual of each run, how predictions held, what things cost here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from ropeteam.core.costs import Costs
from ropeteam.core.fitting import calibrated, fitted
from ropeteam.core.history import PastRun
from ropeteam.core.model import RunOutcome, TriggerId, Value

COSTS = (
    "reading_seconds",
    "line_seconds",
    "file_seconds",
    "sigma",
    "validation_seconds",
    "merge_seconds",
    "tree_seconds",
    "reading_tokens",
    "line_tokens",
    "step_tokens",
    "dollars_per_million",
    "failed",
    "conflict",
    "broken",
    "optimism",
)
"""Of `Costs`, what runs can change."""


class RunPredicted(Value, frozen=True, kw_only=True, omit_defaults=False):
    """Before the run; null where nothing was. tokens_p50, cost_usd_p50: of the way that was gone. speedup_quantile:
    the lower quantile `quantile` of the speed-up. confidence: that several agents take no longer than one."""

    single_seconds_p50: float | None = None
    parallel_seconds_p50: float | None = None
    speedup_p50: float | None = None
    speedup_quantile: float | None = None
    quantile: float | None = None
    confidence: float | None = None
    tokens_p50: float | None = None
    cost_usd_p50: float | None = None


class RunActual(Value, frozen=True, kw_only=True, omit_defaults=False):
    """single_seconds: what one agent took or would have taken; single_measured: that is measured, not reckoned."""

    seconds: float
    single_seconds: float | None
    single_measured: bool
    speedup: float | None
    tokens: int | None
    cost_usd: float | None


class RunLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One run. parts: what was selected of the feature. outcome: null of a parked one. slower: several agents took
    longer than one would have."""

    run: str
    started_at: str
    feature: str
    parts: tuple[str, ...]
    agent: str
    model: str
    mode: str
    outcome: RunOutcome | None
    triggers: tuple[TriggerId, ...]
    slower: bool
    predicted: RunPredicted
    actual: RunActual


class CalibrationLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    """How predictions of an agent's runs came out. runs: of several agents, where both sides are known. held: how often
    the speed-up was at least its predicted lower quantile, expected_share: how often that should be, as a share.
    speedup_ratio, time_ratio: medians of actual / predicted. slower: runs that took longer than one agent would have.
    confidence: mean of what was predicted.
    single_runs, single_time_ratio: the same of runs of one agent."""

    agent: str
    runs: int
    held: int
    expected_share: float
    speedup_ratio: float | None
    time_ratio: float | None
    slower: int
    confidence: float | None
    single_runs: int
    single_time_ratio: float | None


class CostLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A number that estimates are made of: as published, and as it is used here. name: as in `ropeteam.core.costs`."""

    name: str
    published: float
    here: float


class HistoryReport(Value, frozen=True, kw_only=True, omit_defaults=False):
    """runs: newest last. costs: for `agent` and `model`, fitted to `fitted_runs` runs of them. skipped: runs that could
    not be read, a sentence each. earlier: how many older runs were not looked at."""

    runs: tuple[RunLine, ...] = ()
    calibration: tuple[CalibrationLine, ...] = ()
    agent: str = ""
    model: str = ""
    fitted_runs: int = 0
    source: str = ""
    costs: tuple[CostLine, ...] = ()
    skipped: tuple[str, ...] = ()
    earlier: int = 0


def history_report(
    runs: Sequence[PastRun],
    *,
    agent: str = "",
    skipped: Sequence[str] = (),
    earlier: int = 0,
    priors: Costs | None = None,
) -> HistoryReport:
    """agent: whose runs and costs; without one all runs, and the costs of the newest run's agent."""
    priors = priors or Costs()
    shown = [r for r in runs if not agent or r.agent == agent]
    if not shown:
        return HistoryReport(agent=agent, skipped=tuple(skipped), earlier=earlier)
    newest = shown[-1]
    here = fitted(priors, runs, newest.agent, newest.model)
    agents = dict.fromkeys(r.agent for r in shown)
    return HistoryReport(
        runs=tuple(_run(r) for r in shown),
        calibration=tuple(_calibration(name, [r for r in shown if r.agent == name]) for name in agents),
        agent=newest.agent,
        model=newest.model,
        fitted_runs=here.runs,
        source=here.source,
        costs=tuple(
            CostLine(name=n, published=_figure(getattr(priors, n)), here=_figure(getattr(here, n))) for n in COSTS
        ),
        skipped=tuple(skipped),
        earlier=earlier,
    )


def _run(r: PastRun) -> RunLine:
    f = r.foreseen
    predicted = RunPredicted()
    if f is not None:
        predicted = RunPredicted(
            single_seconds_p50=f.single.seconds_p50,
            parallel_seconds_p50=f.parallel.seconds_p50,
            speedup_p50=f.speedup_p50,
            speedup_quantile=f.speedup_quantile,
            quantile=f.quantile,
            confidence=f.confidence,
            tokens_p50=r.way.tokens_p50,
            cost_usd_p50=r.way.cost_usd_p50,
        )
    return RunLine(
        run=r.run,
        started_at=datetime.fromtimestamp(r.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        feature=r.feature,
        parts=r.parts,
        agent=r.agent,
        model=r.model,
        mode=r.mode,
        outcome=r.outcome,
        triggers=r.triggers,
        slower=r.slower,
        predicted=predicted,
        actual=RunActual(
            seconds=r.seconds,
            single_seconds=r.single_seconds,
            single_measured=r.single_measured,
            speedup=r.speedup,
            tokens=r.tokens,
            cost_usd=r.cost_usd,
        ),
    )


def _calibration(agent: str, runs: Sequence[PastRun]) -> CalibrationLine:
    c = calibrated(runs)
    alone = [
        r.seconds / r.foreseen.single.seconds_p50
        for r in runs
        if not r.parallel and r.delivered and r.foreseen is not None and r.foreseen.single.seconds_p50
    ]
    return CalibrationLine(
        agent=agent,
        runs=c.runs,
        held=c.held,
        expected_share=c.expected,
        speedup_ratio=_rounded(c.speedup_ratio),
        time_ratio=_rounded(c.time_ratio),
        slower=sum(r.slower for r in runs),
        confidence=_rounded(c.confidence),
        single_runs=len(alone),
        single_time_ratio=_rounded(median(alone)) if alone else None,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _figure(value: float) -> float:
    """Four figures are more than enough."""
    return float(f"{value:.4g}")
