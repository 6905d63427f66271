"""The simulation beside the real engine: are its quantiles as wide as what really happens?

    .venv/bin/python bench/quantiles.py [--runs N] [--scale X] [--seed N] [--files N]

Each run has a graph of its own (a chain, a fan, a diamond, a mixed one, or one drawn at random) and 4 workers. The plan
knows the median length of each unit; what its agent takes is drawn around it as the simulation believes (log-sigma 0.5
of the work, 0.3 of it common to all units of a run, and 0.5 of its size), and played by the scripted agent through the
whole program: real git, real work trees, a real check. How long trees, merges and checks take is what the runs before
measured, as `ropeteam history` would have it; the first runs are for that alone and do not count.

    nominal    a quantile of 4,000 simulated plays
    below      how many runs ended before it, and what share; it should be the nominal one
    interval   of that share, 95 % (Wilson): if the nominal value is outside, the simulation is wrong there

Then by shape: where in the simulated plays the runs ended on average (0.5: in the middle), and `replayed`: actual /
simulated seconds where the simulation is given what each agent really took, so that only what it believes of merges,
checks and workers is tested. Everything happens in a temporary folder. A run takes 10 to 20 seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plays import Piece, Place, plan_document
from ropeteam.core.costs import Costs
from ropeteam.core.simulate import Layout, Weather, Work, simulate, weathers
from ropeteam.core.simulate import Piece as Share
from ropeteam.core.state import RunState

WORKERS = 4
QUANTILES = (0.10, 0.25, 0.50, 0.75, 0.90)
WARM_UP = 3
"""Runs that only measure."""
DRAWS = 4000
SIGMA, COMMON, SIZE = 0.5, 0.3, 0.5
Z = 1.96

Shape = tuple[tuple[str, float, tuple[str, ...]], ...]
"""Units: id, median length in seconds of feature time, needs."""

SHAPES: dict[str, Shape] = {
    "chain": (("a", 150, ()), ("b", 220, ("a",)), ("c", 180, ("b",))),
    "fan": tuple((f"u{n}", float(s), ()) for n, s in enumerate((300, 260, 240, 200, 180, 160, 140))),
    "diamond": (
        ("top", 90, ()),
        *((f"side{n}", float(s), ("top",)) for n, s in enumerate((320, 260, 220, 200))),
        ("bottom", 120, tuple(f"side{n}" for n in range(4))),
    ),
    "mixed": (
        ("contract", 80, ()),
        ("a", 240, ("contract",)),
        ("b", 300, ("contract",)),
        ("c", 160, ("contract",)),
        ("d", 200, ("a",)),
        ("e", 180, ("a", "c")),
        ("f", 220, ("b",)),
    ),
}


@dataclass(frozen=True)
class Came:
    """One run. place: share of the simulated plays that ended before it. replayed: seconds of the play in which every
    agent takes what it took here."""

    shape: str
    place: float
    seconds: float
    replayed: float


def shape_at(number: int, rng: random.Random) -> tuple[str, Shape]:
    names = [*SHAPES, "random"]
    name = names[number % len(names)]
    if name != "random":
        return name, SHAPES[name]
    count = rng.randint(5, 8)
    units = []
    for n in range(count):
        needs = [f"n{m}" for m in range(n) if rng.random() < 0.25]
        units.append((f"n{n}", rng.uniform(80, 320), tuple(needs[:2])))
    return name, tuple(units)


def lengths(shape: Shape, rng: random.Random) -> list[float]:
    """What the agents take this time, drawn as the simulation believes."""
    own = math.sqrt(SIGMA**2 - COMMON**2)
    common = rng.gauss(0, COMMON)
    return [s * math.exp(common + rng.gauss(0, own) + rng.gauss(0, SIZE)) for _, s, _ in shape]


def laid_out(shape: Shape) -> tuple[Layout, Work]:
    number = {id: n for n, (id, _, _) in enumerate(shape)}
    pieces = tuple(Share((n,), tuple(number[o] for o in needs)) for n, (_, _, needs) in enumerate(shape))
    return Layout(pieces), Work(tuple(s for _, s, _ in shape), (SIZE,) * len(shape))


def simulated(shape: Shape, costs: Costs, seed: int) -> list[float]:
    """Seconds of so many plays, in order."""
    layout, work = laid_out(shape)
    drawn = weathers(work, costs, draws=DRAWS, seed=seed)
    return sorted(simulate(layout, work, costs, drawn, workers=WORKERS).parallel)


def replayed(shape: Shape, took: Sequence[float], costs: Costs) -> float:
    """Seconds of the play in which the agents take that long. Who goes first is as planned."""
    layout, work = laid_out(shape)
    ones = [1.0] * len(shape)
    known = Weather(common=1.0, alone=1.0, own=ones, sizes=took, real=(), luck=ones, dice=(1.0, 1.0, 1.0))
    return simulate(layout, work, costs, [known], workers=WORKERS).parallel[0]


class Measured:
    """How long what is not an agent's work takes, in real seconds, as the runs before had it."""

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._merges: list[float] = []
        self._checks: list[float] = []

    def add(self, state: RunState, pauses: Mapping[str, float]) -> None:
        """pauses: seconds in which the agent of each unit did what was drawn. Its process begins and ends besides."""
        self._starts += [a.started_at - a.asked_at for a in state.attempts]
        self._ends += [a.ended_at - a.started_at - pauses[a.unit] for a in state.attempts]
        self._merges += [s.ended - s.began for s in state.spans if s.kind == "merge"]
        self._checks += [s.ended - s.began for s in state.spans if s.kind == "validate"]

    def costs(self, scale: float) -> Costs:
        """In feature time. What an agent's start and end take counts with its tree."""

        def lately(seconds: list[float]) -> float:
            return scale * statistics.median(seconds[-24:])

        return Costs(
            reading_seconds=0.0,
            sigma=SIGMA,
            common_sigma=COMMON,
            size_sigma=SIZE,
            tree_seconds=lately(self._starts) + lately(self._ends),
            merge_seconds=lately(self._merges),
            validation_seconds=lately(self._checks),
            planning_seconds=0.0,
            conflict=0.0,
            broken=0.0,
            failed=0.0,
        )


def played(place: Place, shape: Shape, takes: Sequence[float], scale: float) -> RunState:
    """One run of the whole program. The plan knows medians, the agents take what was drawn."""
    pieces = [Piece(id, seconds, needs) for (id, _, needs), seconds in zip(shape, takes, strict=True)]
    command = place.command(pieces, WORKERS, "--set", f"agent.scripted.time_scale={scale:g}")
    known = plan_document([Piece(id, seconds, needs) for id, seconds, needs in shape])
    (place.folder / "plan.json").write_text(json.dumps(known))
    _, state = place.run(command)
    place.back()
    return state


def makespan(state: RunState) -> float:
    """Real seconds from the first event to the end of the last candidate's checks."""
    return max(s.ended for s in state.spans if s.kind == "validate") - state.begun.at


def measure(place: Place, runs: int, scale: float, seed: int, warm_up: int = WARM_UP) -> list[Came]:
    """So many runs, after those that only measure."""
    rng, before = random.Random(seed), Measured()
    came: list[Came] = []
    for number in range(-warm_up, runs):
        name, shape = shape_at(number % 5, rng)
        takes = lengths(shape, rng)
        plays = simulated(shape, before.costs(scale), rng.randrange(10**9)) if number >= 0 else None
        state = played(place, shape, takes, scale)
        if plays is not None:
            seconds = makespan(state) * scale
            again = replayed(shape, takes, before.costs(scale))
            place_in = bisect_left(plays, seconds) / len(plays)
            came.append(Came(name, place_in, seconds, again))
            print(f"{number + 1:>4} {came[-1]}", file=sys.stderr, flush=True)
        before.add(state, {id: t / scale for (id, _, _), t in zip(shape, takes, strict=True)})
    return came


# ---- what came of it


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's, 95 %."""
    share, squared = hits / of, Z**2
    middle = (share + squared / (2 * of)) / (1 + squared / of)
    half = Z / (1 + squared / of) * math.sqrt(share * (1 - share) / of + squared / (4 * of**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def table(came: Sequence[Came]) -> str:
    lines = ["nominal   below   share   interval"]
    for q in QUANTILES:
        hits = sum(c.place <= q for c in came)
        low, high = interval(hits, len(came))
        outside = "" if low <= q <= high else "   outside"
        lines.append(f"{q:>7.0%}{hits:>5} of {len(came)}{hits / len(came):>7.0%}   {low:.0%} to {high:.0%}{outside}")
    lines.append("")
    lines.append("shape     runs   mean place   replayed: median, smallest, largest")
    for name in [*sorted({c.shape for c in came}), "all"]:
        of_it = [c for c in came if name in (c.shape, "all")]
        ratios = [c.seconds / c.replayed for c in of_it]
        middle = statistics.median(ratios)
        lines.append(
            f"{name:<10}{len(of_it):>4}{statistics.mean(c.place for c in of_it):>13.2f}"
            f"{middle:>19.2f}{min(ratios):>10.2f}{max(ratios):>9.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description="Simulated quantiles beside the real engine.")
    options.add_argument("--runs", type=int, default=100)
    options.add_argument("--scale", type=float, default=60.0, help="seconds of feature time in a real one")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--files", type=int, default=50)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ropeteam-bench-") as folder:
        place = Place(Path(folder), given.files)
        began = time.monotonic()
        came = measure(place, given.runs, given.scale, given.seed)
        each = (time.monotonic() - began) / (given.runs + WARM_UP)
    print(table(came))
    print(f"\n{given.runs} runs, {each:.1f} s each, seed {given.seed}, time scale {given.scale:g}")


if __name__ == "__main__":
    main()
