"""The figures of the demo's plan, worked out from the recording: nothing in `plan.json` is guessed by hand.

    python -m ropeteam.demo.estimates       writes them into plan.json anew

What one agent takes is the length of its own recording and one validation. What several take is simulated: units as
long as their recordings say, started in the order of what hangs on them, validated one candidate at a time, in 2,000
plays in which every unit's time varies as it does from one run of an agent to the next.
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import quantiles
from typing import Any

import msgspec

from ropeteam.demo import recording
from ropeteam.demo.recording import SINGLE, Recording

PLAN = Path(__file__).parent / "plan.json"
WORKERS = 4
GATE_QUANTILE = 0.25
VALIDATION_SECONDS = 30.0
"""Of the feature's time. A candidate of the sample takes about a second; 25 seconds of the feature go by in it while
other agents are at work."""
SIGMA = 0.3
"""Of the logarithm of a unit's time. Published for real agents is 0.4 to 1.2; a recording plays nearly the same every
time, and only the machine differs."""
PLAYS = 2000
P90 = 1.2816
"""Standard deviations above the median below which nine tenths lie."""


def figures(plan: Mapping[str, Any], made: Recording) -> dict[str, Any]:
    """The plan document with its figures as they follow from the recording."""
    needs = {unit["id"]: tuple(unit["needs"]) for unit in plan["units"]}
    seconds = {play.unit: _seconds(made, play.unit) for play in made.play}
    single = seconds[SINGLE] + VALIDATION_SECONDS
    both = _simulated(needs, seconds)
    ratios = sorted(alone / together for alone, together in both)
    gains = sum(ratio >= 1 for ratio in ratios) / len(ratios)
    tokens = {play.unit: _tokens(made, play.unit) for play in made.play}
    return {
        **plan,
        "units": [{**unit, "estimate": _of_unit(seconds[unit["id"]], tokens[unit["id"]])} for unit in plan["units"]],
        "confidence": {
            "value": min(0.99, math.floor(gains * 100) / 100),
            "reasons": [
                f"Several agents took no longer than one in {gains:.1%} of {PLAYS} simulated plays of the recording"
                f" (seconds of each unit as recorded, log-sigma {SIGMA}).",
                "No path belongs to two units that run side by side; what is shared goes to the contract or is asked"
                " of the last unit.",
            ],
        },
        "estimate": {
            "workers": WORKERS,
            "gate_quantile": GATE_QUANTILE,
            "speedup_quantile": round(quantiles(ratios, n=4)[0], 2),
            "speedup_p50": round(quantiles(ratios, n=2)[0], 2),
            "single": _side([alone for alone, _ in both], tokens[SINGLE], _cost(made, SINGLE), p50=single),
            "parallel": _side(
                [together for _, together in both],
                sum(tokens[unit] for unit in needs),
                sum(_cost(made, unit) for unit in needs),
                p50=makespan(needs, seconds),
            ),
        },
    }


def makespan(needs: Mapping[str, tuple[str, ...]], seconds: Mapping[str, float]) -> float:
    """Seconds until everything is validated: `WORKERS` at once, longest path first, one candidate at a time."""
    tail = _tails(needs, seconds)
    waiting, validated = set(needs), set[str]()
    running: list[tuple[float, str]] = []
    ended: list[str] = []
    checking: list[str] = []
    now, checked_at = 0.0, math.inf
    while len(validated) < len(needs):
        ready = sorted((u for u in waiting if validated.issuperset(needs[u])), key=lambda u: (-tail[u], u))
        for unit in ready[: WORKERS - len(running)]:
            waiting.remove(unit)
            heapq.heappush(running, (now + seconds[unit], unit))
        if ended and not checking:
            checking, ended, checked_at = ended, [], now + VALIDATION_SECONDS
        now = min(running[0][0] if running else math.inf, checked_at)
        while running and running[0][0] <= now:
            ended.append(heapq.heappop(running)[1])
        if checked_at <= now:
            validated.update(checking)
            checking, checked_at = [], math.inf
    return now


def _tails(needs: Mapping[str, tuple[str, ...]], seconds: Mapping[str, float]) -> dict[str, float]:
    """For each unit its own seconds and those of the longest chain that hangs on it."""
    tail: dict[str, float] = {}
    for unit in reversed(list(needs)):  # a plan lists a unit after what it needs
        after = [tail[other] for other in tail if unit in needs[other]]
        tail[unit] = seconds[unit] + VALIDATION_SECONDS + max(after, default=0.0)
    return tail


def _simulated(needs: Mapping[str, tuple[str, ...]], seconds: Mapping[str, float]) -> list[tuple[float, float]]:
    """Pairs of how long one agent takes and how long several do. A hard unit is hard for both."""
    chance = random.Random(1)
    work = sum(seconds[unit] for unit in needs)
    both = []
    for _ in range(PLAYS):
        factor = {unit: math.exp(chance.gauss(0.0, SIGMA)) for unit in needs}
        alone = seconds[SINGLE] * sum(seconds[unit] * factor[unit] for unit in needs) / work
        together = makespan(needs, {unit: seconds[unit] * factor[unit] for unit in needs})
        both.append((alone + VALIDATION_SECONDS, together))
    return both


def _of_unit(seconds: float, tokens: float) -> dict[str, float]:
    return {"seconds_p50": seconds, "seconds_p90": round(seconds * math.exp(P90 * SIGMA)), "tokens_p50": tokens}


def _side(plays: list[float], tokens: float, cost: float, *, p50: float) -> dict[str, float]:
    return {
        "seconds_p50": round(p50, 1),
        "seconds_p90": round(quantiles(plays, n=10)[-1], 1),
        "tokens_p50": tokens,
        "cost_usd_p50": round(cost, 2),
    }


def _seconds(made: Recording, unit: str) -> float:
    play = made.play_of(unit)
    return play.seconds(reading=True) + play.seconds(reading=False)


def _tokens(made: Recording, unit: str) -> float:
    return sum(s.usage.input + s.usage.cached + s.usage.output for s in made.play_of(unit).stage)


def _cost(made: Recording, unit: str) -> float:
    return sum(stage.usage.cost(made.usd_per_million) for stage in made.play_of(unit).stage)


def read() -> dict[str, Any]:
    """The plan document as it is committed."""
    document: dict[str, Any] = msgspec.json.decode(PLAN.read_bytes())
    return document


def main() -> int:
    document = figures(read(), recording.load())
    PLAN.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
