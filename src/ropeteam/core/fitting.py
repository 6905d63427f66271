"""Costs fitted to what earlier runs measured, and how far their predictions held.

What is published is worth a few observations (`PRIOR`), what was measured here counts one by one, so that the first
runs move an estimate a little and many runs decide it. Levels are means of logarithms, in which no single observation
can count for more than `FAR` says. Measurements of other models, and of other agents, count less, and all of them
together never more than the prior does: they fade as an agent's own runs come in. (`docs/design/0021`)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

from msgspec.structs import replace

from ropeteam.core.costs import Costs
from ropeteam.core.history import Observation, PastRun
from ropeteam.core.model import Value

PRIOR = 4.0
"""Observations that what is published is worth: of the time an agent reads, works, and its tokens."""
PRIOR_SPREAD = 10.0
"""The same of the spread, which takes more observations to be seen."""
PRIOR_TRIES = 20.0
"""Attempts, and merges, that the published share of failures is worth."""
PRIOR_PAIRS = 100.0
"""Pairs of units that the published share of conflicts is worth."""
PRIOR_RUNS = 8.0
"""Runs of several agents that it takes until their predictions are corrected by half of what was seen."""
OTHER_MODEL = 0.5
OTHER_AGENT = 0.25
"""What an observation of another model, of another agent, is worth beside one's own."""
FAR = 1.5
"""Of a logarithm: farther from the middle than this counts as this far (4.5 times as long)."""
FAR_RUN = 0.7
"""The same for a run's prediction (twice as long)."""
INSTANT = 0.001
"""Seconds: what took less took no time, and tells nothing."""
MOST = 20.0
"""No cost becomes more than so many times as high as published, or as low."""
OPTIMISM = (0.8, 2.0)
"""Predictions are never corrected by more."""
SPREAD = (0.5, 2.0)
RECENT = 9
"""Checks and merges take what they took lately: the median of so many."""
RECENT_RUNS = 30
"""How many runs of several agents a correction looks at."""
LINES_A_FILE = 34.0
"""Added lines of a file of which nothing was planned: the median of 1,805 features (406 lines in 12 files)."""
FEW = 5
"""Fewer runs than this say little, and are said to."""


class Calibration(Value, frozen=True, kw_only=True):
    """How predictions of runs of several agents came out. runs: of which both are known.

    held: how often the speed-up was at least its predicted lower quantile; expected: how often that should be.
    speedup_ratio: median of actual / predicted speed-up; time_ratio: of actual / predicted seconds. slower: runs that
    took longer than one agent would have. confidence: mean of what was predicted for not being slower.
    optimism: the correction that follows (`Costs.optimism`).
    """

    runs: int = 0
    held: int = 0
    expected: float = 0.75
    speedup_ratio: float | None = None
    time_ratio: float | None = None
    slower: int = 0
    confidence: float | None = None
    optimism: float = 1.0


# ---- costs


def fitted(priors: Costs, runs: Sequence[PastRun], agent: str, model: str = "") -> Costs:
    """What things cost here, for this agent and model. runs: oldest first; when none tells anything: `priors`."""
    runs = [r for r in runs if r.scripted == (agent == "scripted")]
    seen = [o for r in runs for o in r.observations]
    good = [o for o in seen if o.good and o.seconds >= INSTANT]
    worth = _worth(good, agent, model)
    read = [(math.log(o.reading_seconds), w, o.forked) for o, w in worth if o.reading_seconds >= INSTANT]
    reading = _near(priors.reading_seconds, [(log, w) for log, w, forked in read if not forked])
    fork = priors.fork_reading
    if fork is not None:
        fork = _near(fork, [(log, w) for log, w, forked in read if forked])
    paces = [(pace, w) for o, w in worth if (pace := _pace(priors, o, reading)) is not None]
    pace = math.exp(_middle(paces, PRIOR))
    spread = _spread(priors, paces)
    talk = math.exp(_middle([(t, w) for o, w in worth if (t := _talk(priors, o)) is not None], PRIOR))
    price = [(math.log(o.cost_usd * 1e6 / o.tokens), w) for o, w in worth if o.cost_usd > 1e-9 and o.tokens > 0]
    own = [r for r in runs if any(o.agent == agent and o.good for o in r.observations)]
    costs = replace(
        priors,
        reading_seconds=reading,
        fork_reading=fork,
        line_seconds=priors.line_seconds * _bounded(pace),
        file_seconds=priors.file_seconds * _bounded(pace),
        sigma=priors.sigma * spread,
        common_sigma=priors.common_sigma * spread,
        size_sigma=priors.size_sigma * spread,
        reading_tokens=priors.reading_tokens * _bounded(talk),
        line_tokens=priors.line_tokens * _bounded(talk),
        step_tokens=priors.step_tokens * _bounded(talk),
        dollars_per_million=_near(priors.dollars_per_million, price),
        validation_seconds=_lately(priors.validation_seconds, (s for r in runs for s in r.validations)),
        merge_seconds=_lately(priors.merge_seconds, (s for r in runs for s in r.merges)),
        tree_seconds=_lately(priors.tree_seconds, (s for r in runs for s in r.trees)),
        failed=_share(priors.failed, [o.failed for o in seen if o.agent == agent and (o.good or o.failed)]),
        conflict=_rate(priors.conflict, sum(r.conflicts for r in runs), sum(_pairs(r.merged) for r in runs)),
        broken=_rate(priors.broken, sum(r.broken for r in runs), sum(r.merged for r in runs), PRIOR_TRIES),
        optimism=priors.optimism * calibrated(runs).optimism,
        runs=len(own),
    )
    return replace(costs, source=_source(priors, len(own), agent, model)) if costs != priors else priors


def _source(priors: Costs, number: int, agent: str, model: str) -> str:
    who = f"{agent} ({model})" if model else agent
    if not number:
        return f"{priors.source}, and what checks and other agents took here"
    return f"{priors.source}, fitted to {number} run{'' if number == 1 else 's'} of {who} here"


def _worth(good: Sequence[Observation], agent: str, model: str) -> list[tuple[Observation, float]]:
    """Each observation with what it counts. Those of others count at most as much as the prior, all together."""
    own, others = [], []
    for o in good:
        if o.agent == agent and _same(model, o.model):
            own.append((o, 1.0))
        else:
            others.append((o, OTHER_MODEL if o.agent == agent else OTHER_AGENT))
    total = sum(w for _, w in others)
    share = min(1.0, PRIOR / total) if total else 1.0
    return [*own, *((o, w * share) for o, w in others)]


def _same(asked: str, used: str) -> bool:
    """Whether that model was meant. A setting may name it in short (`sonnet`); without one it is the usual one."""
    return not asked or not used or asked.lower() in used.lower()


def work_seconds(costs: Costs, files: int, lines: float | None) -> float:
    """Median seconds of work on so much, without reading in; of lines that are not known, those of usual files."""
    return (files * LINES_A_FILE if lines is None else lines) * costs.line_seconds + files * costs.file_seconds


def work_tokens(costs: Costs, files: int, lines: float | None) -> float:
    """Median tokens of one attempt at so much."""
    return (
        costs.reading_tokens
        + (files * LINES_A_FILE if lines is None else lines) * costs.line_tokens
        + files * costs.step_tokens
    )


def _pace(priors: Costs, o: Observation, reading: float) -> float | None:
    """Logarithm of measured / published work; of a contract, which only declares, and of what was left by others, the
    size is not known."""
    expected = work_seconds(priors, o.files, o.lines)
    if expected <= 0 or o.kind in ("contract", "rest"):
        return None
    read = o.reading_seconds or min(reading, o.seconds * 0.9)
    work = o.seconds - read
    return math.log(max(work, 0.01 * o.seconds) / expected)


def _talk(priors: Costs, o: Observation) -> float | None:
    expected = work_tokens(priors, o.files, o.lines) if o.kind not in ("contract", "rest") else 0.0
    return math.log(o.tokens / expected) if o.tokens > 0 and expected > 0 else None


# ---- estimating


def _middle(values: Sequence[tuple[float, float]], prior: float, far: float = FAR) -> float:
    """Mean of these (value, weight), to which `prior` observations of 0 belong, none farther than `far` from the
    weighted median of all of them. It lies between 0 and the values."""
    if not values:
        return 0.0
    all_of_them = [(0.0, prior), *values]
    centre = _median(all_of_them)
    total = sum(w for _, w in all_of_them)
    return sum(min(max(v, centre - far), centre + far) * w for v, w in all_of_them) / total


def _median(values: Iterable[tuple[float, float]]) -> float:
    ordered = sorted(values)
    half, total = sum(w for _, w in ordered) / 2, 0.0
    for value, weight in ordered:
        total += weight
        if total >= half:
            return value
    return 0.0


def _near(prior: float, logs: Sequence[tuple[float, float]]) -> float:
    """A level near `prior`, moved towards these logarithms."""
    if prior <= 0:
        return prior
    here = math.log(prior)
    return prior * _bounded(math.exp(_middle([(v - here, w) for v, w in logs], PRIOR)))


def _bounded(factor: float) -> float:
    return min(max(factor, 1 / MOST), MOST)


def _spread(priors: Costs, paces: Sequence[tuple[float, float]]) -> float:
    """How many times as wide as published times spread around their median here."""
    published = priors.sigma**2 + priors.size_sigma**2
    number = sum(w for _, w in paces)
    if not published or number <= 1:
        return 1.0
    centre = _median(paces)
    squares = sum(min(abs(v - centre), FAR) ** 2 * w for v, w in paces)
    variance = (PRIOR_SPREAD * published + squares) / (PRIOR_SPREAD + number - 1)
    return min(max(math.sqrt(variance / published), SPREAD[0]), SPREAD[1])


def _lately(prior: float, seconds: Iterable[float]) -> float:
    known = list(seconds)[-RECENT:]
    return median(known) if known else prior


def _share(prior: float, happened: Sequence[bool]) -> float:
    return _rate(prior, sum(happened), len(happened), PRIOR_TRIES)


def _rate(prior: float, times: int, of: int, worth: float = PRIOR_PAIRS) -> float:
    return min(1.0, (prior * worth + times) / (worth + of)) if of else prior


def _pairs(units: int) -> int:
    return units * (units - 1) // 2


# ---- predicted beside actual


def comparable(run: PastRun) -> bool:
    """A run of several agents whose speed-up was predicted and can be told."""
    f = run.foreseen
    return run.parallel and f is not None and (f.speedup_p50 or 0.0) > 0.01 and (run.speedup or 0.0) > 0.0


def calibrated(runs: Sequence[PastRun]) -> Calibration:
    """How the predictions of these runs came out, the newest `RECENT_RUNS` of several agents."""
    known = [r for r in runs if comparable(r)][-RECENT_RUNS:]
    if not known:
        return Calibration()
    off: list[tuple[float, float]] = []
    speedups: list[float] = []
    times: list[float] = []
    held, expected, sure = [], [], []
    for r in known:
        f = r.foreseen
        assert f is not None
        assert f.speedup_p50
        assert r.speedup
        off.append((math.log(f.speedup_p50 * f.optimism / r.speedup), 1.0))
        speedups.append(r.speedup / f.speedup_p50)
        if f.speedup_quantile is not None:
            held.append(r.speedup >= f.speedup_quantile)
            expected.append(1 - f.quantile)
        if f.parallel.seconds_p50:
            times.append(r.seconds / f.parallel.seconds_p50)
        if f.confidence is not None:
            sure.append(f.confidence)
    optimism = math.exp(_middle(off, PRIOR_RUNS, FAR_RUN))
    return Calibration(
        runs=len(known),
        held=sum(held),
        expected=sum(expected) / len(expected) if expected else 0.75,
        speedup_ratio=median(speedups),
        time_ratio=median(times) if times else None,
        slower=sum(r.slower for r in known),
        confidence=sum(sure) / len(sure) if sure else None,
        optimism=min(max(optimism, OPTIMISM[0]), OPTIMISM[1]),
    )
