"""Both ways of doing a feature, played many times: one agent, and several in parallel.

What is drawn is drawn once for all ways of grouping the work (common random numbers): how large each file turns out,
how fast the agents are this time, which of the uncertain dependencies are real. So two groupings differ by what they
are, not by luck, and one agent has the same weather as several.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from typing import Final, NamedTuple

from ropeteam.core.costs import Costs
from ropeteam.core.model import Value

SHIFTS: Final = (-1.28, -0.52, 0.0, 0.52, 1.28)
"""Middles of five equally likely parts of a normal distribution."""
COUPLING_SIGMA: Final = 0.6
"""Features differ in how much their files depend on each other, all of them in the same direction: log-sigma of the
odds, as left over on the features that the likelihoods were fitted on."""
ALONE: Final = 0.5
"""Of a unit's own spread, that of one agent's run: it is as long as several units, whose luck evens out in part."""


class Work(NamedTuple):
    """What there is to do. seconds: of each file at the median, without reading-in. sigmas: log-sigma of each file's
    size. edges: (i, j, likelihood that i builds on j); rest: expected number of dependencies besides."""

    seconds: tuple[float, ...]
    sigmas: tuple[float, ...]
    edges: tuple[tuple[int, int, float], ...] = ()
    rest: float = 0.0


class Piece(NamedTuple):
    """A unit, by indices. extra: seconds of work besides its files. reading: seconds its agent reads itself in; None:
    as the costs say."""

    files: tuple[int, ...]
    needs: tuple[int, ...] = ()
    extra: float = 0.0
    reading: float | None = None


class Layout(NamedTuple):
    """A way of sharing the work out. declared: files whose interfaces a contract declares before those begin that build
    on them."""

    pieces: tuple[Piece, ...]
    declared: frozenset[int] = frozenset()


class Weather(NamedTuple):
    """One draw. common: speed of the agents this time; alone: of the single one; own: of a unit, by its largest
    file. sizes: seconds of each file; real: dependencies that are there; luck: 0 to 1, by file; dice: 0 to 1, for the
    rest."""

    common: float
    alone: float
    own: Sequence[float]
    sizes: Sequence[float]
    real: Sequence[tuple[int, int]]
    luck: Sequence[float]
    dice: tuple[float, float, float]


class Outcomes(Value, frozen=True, kw_only=True):
    """Of each draw the seconds of both ways; mended: agents' seconds of mending what units did not know of."""

    single: tuple[float, ...]
    parallel: tuple[float, ...]
    mended: tuple[float, ...] = ()

    @property
    def speedups(self) -> list[float]:
        return sorted(s / p for s, p in zip(self.single, self.parallel, strict=True))

    @property
    def no_slower(self) -> float:
        """Share of draws in which several agents took no longer than one."""
        return sum(p <= s for s, p in zip(self.single, self.parallel, strict=True)) / max(1, len(self.single))


def quantile(values: Sequence[float], at: float) -> float:
    """Of values in any order, interpolated. Raises IndexError without any."""
    ordered = sorted(values)
    place = at * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


# ---- what is drawn


def weathers(work: Work, costs: Costs, *, draws: int, seed: int) -> tuple[Weather, ...]:
    """The same for the same work, costs and seed."""
    rng = random.Random(seed)
    own_sigma = math.sqrt(max(costs.sigma**2 - costs.common_sigma**2, 0.0))
    chances = [_shifted(work.edges, shift * COUPLING_SIGMA) for shift in SHIFTS]
    files = range(len(work.seconds))
    gauss, uniform = rng.gauss, rng.random
    made = []
    for _ in range(draws):
        level = int(uniform() * len(SHIFTS))
        real = [(e[0], e[1]) for e, chance in zip(work.edges, chances[level], strict=True) if uniform() < chance]
        if len(files) > 1:
            hidden = _poisson(work.rest * math.exp(SHIFTS[level] * COUPLING_SIGMA), rng)
            real += [_pair(len(files), rng) for _ in range(hidden)]
        made.append(
            Weather(
                common=math.exp(gauss(0.0, costs.common_sigma)),
                alone=math.exp(gauss(0.0, own_sigma * ALONE)),
                own=[math.exp(gauss(0.0, own_sigma)) for _ in files],
                sizes=[s * math.exp(gauss(0.0, g)) for s, g in zip(work.seconds, work.sigmas, strict=True)],
                real=real,
                luck=[uniform() for _ in files],
                dice=(uniform(), uniform(), uniform()),
            )
        )
    return tuple(made)


def _shifted(edges: Sequence[tuple[int, int, float]], shift: float) -> list[float]:
    factor = math.exp(shift)
    return [p if p >= 1.0 else p * factor / (1.0 - p + p * factor) for _, _, p in edges]


def _poisson(mean: float, rng: random.Random) -> int:
    """Bounded, so that a mean of any size ends: more hidden dependencies than 200 change nothing."""
    count, product, limit = 0, rng.random(), math.exp(-min(mean, 100.0))
    while product > limit and count < 200:
        count += 1
        product *= rng.random()
    return count


def _pair(files: int, rng: random.Random) -> tuple[int, int]:
    i = int(rng.random() * files)
    j = int(rng.random() * (files - 1))
    return i, j + (j >= i)


# ---- one agent


def alone(here: Weather, costs: Costs) -> float:
    """Seconds of one agent for everything."""
    pace = here.common * here.alone
    doing = sum(here.sizes) * pace
    seconds = costs.reading_seconds * pace + doing + costs.validation_seconds + costs.tree_seconds
    if here.dice[0] < costs.failed:
        seconds += _mending(doing, costs, 1)
    return seconds


def _mending(doing: float, costs: Costs, times: int) -> float:
    """Seconds of mending work that took `doing` seconds and has so many faults. Who mends one sees the others too."""
    return costs.repair_seconds + doing * min(1.0, costs.repair_share * min(1.5, 0.9 + 0.1 * times))


# ---- several


class Course(NamedTuple):
    """What of a layout is the same in every draw. before: units that are surely done before, as bits; order: who goes
    first, by rank; leads: index of the largest file of a unit, which lends it its luck."""

    layout: Layout
    owner: tuple[int, ...]
    before: tuple[int, ...]
    followers: tuple[tuple[int, ...], ...]
    rank: tuple[int, ...]
    leads: tuple[int, ...]


def course(layout: Layout, work: Work) -> Course:
    """Raises ValueError for a cycle."""
    count = len(layout.pieces)
    owner = [0] * len(work.seconds)
    for number, piece in enumerate(layout.pieces):
        for file in piece.files:
            owner[file] = number
    followers: list[list[int]] = [[] for _ in range(count)]
    for number, piece in enumerate(layout.pieces):
        for need in piece.needs:
            followers[need].append(number)
    settled = _settled(layout, followers)
    before = [0] * count
    for number in settled:
        for need in layout.pieces[number].needs:
            before[number] |= before[need] | 1 << need
    medians = [_median(piece, work) for piece in layout.pieces]
    tails = [0.0] * count
    for number in reversed(settled):
        tails[number] = medians[number] + max((tails[f] for f in followers[number]), default=0.0)
    ranked = sorted(range(count), key=lambda n: (-tails[n], n))
    rank = [0] * count
    for place, number in enumerate(ranked):
        rank[number] = place
    leads = tuple(max(p.files, key=work.seconds.__getitem__, default=-1) for p in layout.pieces)
    return Course(layout, tuple(owner), tuple(before), tuple(map(tuple, followers)), tuple(rank), leads)


def _median(piece: Piece, work: Work) -> float:
    return piece.extra + sum(work.seconds[f] for f in piece.files)


def _settled(layout: Layout, followers: Sequence[Sequence[int]]) -> list[int]:
    open_needs = [len(set(piece.needs)) for piece in layout.pieces]
    ready = [n for n, count in enumerate(open_needs) if count == 0]
    for here in ready:
        for other in dict.fromkeys(followers[here]):
            open_needs[other] -= 1
            if open_needs[other] == 0:
                ready.append(other)
    if len(ready) != len(layout.pieces):
        raise ValueError("the units need each other in a circle")
    return ready


def together(way: Course, here: Weather, costs: Costs, workers: int) -> tuple[float, float]:
    """Seconds of several agents until the last candidate is validated, planning included; and of their mending."""
    doing, taken = lengths(way, here, costs)
    merged, checked = _played(way, taken, costs, workers)
    last = max(merged)
    end, mended = last, 0.0
    for number, (others, times) in _missed(way, here, costs.contract_misses).items():
        begin = max([merged[number], *(merged[other] for other in others)])
        seconds = _mending(doing[number], costs, times)
        mended += seconds
        end = max(end, begin + seconds + costs.merge_seconds)
    count = len(merged)
    if count > 1:
        usual = _mending(sum(doing) / count, costs, 1)
        if here.dice[1] < 1.0 - (1.0 - costs.conflict) ** (count * (count - 1) // 2):
            end, mended = end + costs.repair_seconds + costs.merge_seconds, mended + costs.repair_seconds
        if here.dice[2] < 1.0 - (1.0 - costs.broken) ** (count - 1):
            end, mended = end + usual + costs.validation_seconds, mended + usual
    whole = checked + costs.validation_seconds * (1.0 - costs.wait_share)  # the last look is always a whole one
    end = max(whole, end + costs.validation_seconds if end > last else whole)
    return (costs.planning_seconds + end) * costs.optimism, mended


def reading_of(piece: Piece, costs: Costs) -> float:
    """Seconds its agent reads itself in: at most what any other does."""
    return costs.reading_seconds if piece.reading is None else min(piece.reading, costs.reading_seconds)


def lengths(way: Course, here: Weather, costs: Costs) -> tuple[list[float], list[float]]:
    """Of each unit the seconds of its work, and those of its attempts with all that is around the work."""
    doing, taken = [], []
    sizes, common = here.sizes, here.common
    for piece, lead in zip(way.layout.pieces, way.leads, strict=True):
        pace = common * (here.own[lead] if lead >= 0 else here.alone)
        work = (piece.extra + sum([sizes[f] for f in piece.files])) * pace
        whole = work + pace * reading_of(piece, costs)
        if (here.luck[lead] if lead >= 0 else 1.0) < costs.failed:
            whole += _mending(work, costs, 1)
        doing.append(work)
        taken.append(whole + costs.tree_seconds)
    return doing, taken


def _missed(way: Course, here: Weather, misses: float) -> dict[int, tuple[list[int], int]]:
    """Of each unit that builds on others without waiting for them: on which, and how many times."""
    found: dict[int, tuple[list[int], int]] = {}
    owner, before, declared = way.owner, way.before, way.layout.declared
    for i, j in here.real:
        one, other = owner[i], owner[j]
        if one == other or before[one] >> other & 1:
            continue
        if j in declared and here.luck[i] * 7 % 1 >= misses:
            continue
        others, times = found.get(one, ([], 0))
        found[one] = ([*others, other], times + 1)
    return found


def _played(way: Course, taken: Sequence[float], costs: Costs, workers: int) -> tuple[list[float], float]:
    """When each unit is merged, and when the last candidate has been checked: whoever is free takes the unit of the
    longest tail; one merge at a time; one candidate at a time, which holds all that was merged when it began; who waits
    for a unit waits for its candidate."""
    pieces, followers, rank = way.layout.pieces, way.followers, way.rank
    merge, lag = costs.merge_seconds, costs.validation_seconds * costs.wait_share
    merged = [0.0] * len(pieces)
    open_needs = [len(p.needs) for p in pieces]
    ready = [(rank[n], n) for n, count in enumerate(open_needs) if count == 0]
    heapq.heapify(ready)
    events: list[tuple[float, int, int]] = []  # when, 0: an agent is done, 1: it is merged, 2: a candidate is checked
    line: list[int] = []
    candidate: list[int] = []
    free, merger, now = workers, 0.0, 0.0
    while ready or events:
        while ready and free:
            _, n = heapq.heappop(ready)
            heapq.heappush(events, (now + taken[n], 0, n))
            free -= 1
        now, what, n = heapq.heappop(events)
        if what == 0:
            free += 1
            merger = merged[n] = max(now, merger) + merge
            heapq.heappush(events, (merger, 1, n))
            continue
        if what == 1:
            line.append(n)
        else:
            for done in candidate:
                for other in followers[done]:
                    open_needs[other] -= 1
                    if open_needs[other] == 0:
                        heapq.heappush(ready, (rank[other], other))
            candidate = []
        if line and not candidate:
            candidate, line = line, []
            heapq.heappush(events, (now + lag, 2, 0))
    return merged, now


def simulate(layout: Layout, work: Work, costs: Costs, drawn: Sequence[Weather], *, workers: int) -> Outcomes:
    """Both ways in each draw. Raises ValueError for a cycle, or without a worker."""
    if workers < 1:
        raise ValueError(f"{workers} workers can do nothing")
    way = course(layout, work)
    several = [together(way, here, costs, workers) for here in drawn]
    return Outcomes(
        single=tuple(alone(here, costs) for here in drawn),
        parallel=tuple(seconds for seconds, _ in several),
        mended=tuple(mended for _, mended in several),
    )
