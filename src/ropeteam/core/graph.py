"""What a plan's graph says: order, cycles, depth, width, the critical path, and how long it takes with so many workers.

Everything is asked of a `Plan` that may still be a bad one: needs that are not there are passed over, and what has no
meaning for a graph with a cycle says so. Equal cases are decided by the order in which the plan lists its units, so
that every answer is the same each time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from itertools import pairwise

from ropeteam.core.model import Plan, Value

DEFAULT_SECONDS = 1.0
"""Weight of every unit of a plan that estimates none: then only the shape counts."""


class ListSchedule(Value, frozen=True, kw_only=True):
    """When each unit begins and ends, in seconds from the beginning; makespan: when the last one ends."""

    makespan: float
    starts: dict[str, float]
    ends: dict[str, float]


def needs(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Of each unit everything it waits for directly: what it names, the contract, and, with barriers, all units of the
    batch before its own."""
    known = {unit.id for unit in plan.units}
    before_contract = _reached(plan.contract, {u.id: u.needs for u in plan.units}) if plan.contract in known else known
    barrier = _barriers(plan)
    found: dict[str, tuple[str, ...]] = {}
    for unit in plan.units:
        named = [other for other in unit.needs if other in known]
        if plan.contract is not None and unit.id not in before_contract:
            named.append(plan.contract)
        found[unit.id] = tuple(dict.fromkeys((*named, *(o for o in barrier.get(unit.id, ()) if o in known))))
    return found


def _barriers(plan: Plan) -> dict[str, tuple[str, ...]]:
    if not plan.barriers:
        return {}
    batches = [batch for batch in plan.batches if batch]
    return {id: before for before, batch in pairwise(batches) for id in batch}


def _reached(start: str | None, edges: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Everything that can be reached from `start`, itself included."""
    found: set[str] = set()
    waiting = [start] if start is not None else []
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting.extend(edges.get(here, ()))
    return found


# ---- order


def order(plan: Plan) -> tuple[str, ...]:
    """All units, each after what it waits for; else as the plan lists them. Raises ValueError for a cycle."""
    done = tuple(_settled(needs(plan)))
    if len(done) != len({unit.id for unit in plan.units}):
        raise ValueError("the plan has a cycle: " + " -> ".join(cycle(plan)))
    return done


def _settled(waits: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Units whose needs can all be met, in order; those on a cycle, and behind one, never come."""
    place = {id: number for number, id in enumerate(waits)}
    open_needs = {id: len(of) for id, of in waits.items()}
    followers = _turned(waits)
    ready = [place[id] for id, count in open_needs.items() if count == 0]
    names = tuple(waits)
    while ready:
        here = names[heapq.heappop(ready)]
        yield here
        for other in followers[here]:
            open_needs[other] -= 1
            if open_needs[other] == 0:
                heapq.heappush(ready, place[other])


def _turned(waits: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Of each unit those that wait for it."""
    found: dict[str, list[str]] = {id: [] for id in waits}
    for id, of in waits.items():
        for other in of:
            found[other].append(id)
    return found


def cycle(plan: Plan) -> tuple[str, ...]:
    """A cycle, as ids of which each needs the next, the first again at the end; empty when there is none."""
    return next(iter(cycles(plan)), ())


def cycles(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Cycles that share no unit, so that every knot of the graph is named by at least one of them."""
    waits = needs(plan)
    found: list[tuple[str, ...]] = []
    while True:
        free = set(_settled(waits))
        waits = {id: tuple(o for o in of if o not in free) for id, of in waits.items() if id not in free}
        # Behind a cycle there are units that wait for it without being on one: every unit left has a need that is
        # left, so following needs must come back to where it has been.
        if not waits:
            return tuple(found)
        trail: dict[str, int] = {}
        here = next(iter(waits))
        while here not in trail:
            trail[here] = len(trail)
            here = waits[here][0]
        ring = tuple(trail)[trail[here] :]
        found.append((*ring, here))
        gone = set(ring)
        waits = {id: tuple(o for o in of if o not in gone) for id, of in waits.items() if id not in gone}


def depths(plan: Plan) -> dict[str, int]:
    """Of each unit how many units the longest chain to it has, itself included. Raises ValueError for a cycle."""
    waits = needs(plan)
    found: dict[str, int] = {}
    for id in order(plan):
        found[id] = 1 + max((found[other] for other in waits[id]), default=0)
    return found


def depth(plan: Plan) -> int:
    """Units in the longest chain; 0 without units. Raises ValueError for a cycle."""
    return max(depths(plan).values(), default=0)


def ancestors(plan: Plan) -> dict[str, frozenset[str]]:
    """Of each unit all units that are surely done before it begins; on a cycle that includes the unit itself."""
    names = tuple(needs(plan))
    return {id: frozenset(names[n] for n in _bits(b)) for id, b in zip(names, _closed(plan), strict=True)}


def _closed(plan: Plan) -> list[int]:
    """Of each unit, in the order of `needs`, everything before it: bit n for the n-th unit."""
    waits = needs(plan)
    number = {id: n for n, id in enumerate(waits)}
    settled = tuple(_settled(waits))
    names = (*settled, *(waits.keys() - set(settled)))
    before = [0] * len(waits)
    changed = True
    while changed:  # the second time nothing changes, unless there is a cycle
        changed = False
        for id in names:
            bits = 0
            for other in waits[id]:
                bits |= 1 << number[other] | before[number[other]]
            changed = changed or bits != before[number[id]]
            before[number[id]] = bits
    return before


def width(plan: Plan) -> int:
    """The largest number of units that can run at once. Raises ValueError for a cycle.

    Exact, by Dilworth's theorem: the largest set of units of which none waits for another is as large as the smallest
    number of chains that hold all units, and that is units less the largest matching in the closed graph.
    """
    count, before = len(order(plan)), _closed(plan)
    follower: dict[int, int] = {}  # of a unit, the one after it in its chain
    return count - sum(_chained(start, before, follower) for start in range(count))


def _chained(start: int, before: list[int], follower: dict[int, int]) -> bool:
    """Give `start` a unit to follow, moving other followers to make room. Breadth first, without recursion."""
    came: dict[int, int] = {}  # of a unit, who could follow it instead
    left: dict[int, int] = {}  # of who would be moved, the unit it would leave
    seen, waiting = 0, [start]
    for here in waiting:
        for unit in _bits(before[here] & ~seen):
            seen |= 1 << unit
            came[unit] = here
            if unit in follower:
                left[follower[unit]] = unit
                waiting.append(follower[unit])
                continue
            follower[unit] = came[unit]
            while came[unit] != start:
                unit = left[came[unit]]
                follower[unit] = came[unit]
            return True
    return False


def _bits(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


# ---- time


def weights(plan: Plan) -> dict[str, float]:
    """Seconds of each unit: its own p50; where it has none the mean of those there are; 1.0 where there are none."""
    given = [unit.estimate.seconds_p50 for unit in plan.units if unit.estimate is not None]
    mean = sum(given) / len(given) if given else DEFAULT_SECONDS
    return {unit.id: mean if unit.estimate is None else unit.estimate.seconds_p50 for unit in plan.units}


def tails(plan: Plan) -> dict[str, float]:
    """Of each unit the seconds of the longest chain from its beginning to the end of the plan, its own included.

    Who has the longest goes first. Raises ValueError for a cycle.
    """
    seconds, followers = weights(plan), _turned(needs(plan))
    found: dict[str, float] = {}
    for id in reversed(order(plan)):
        found[id] = seconds[id] + max((found[other] for other in followers[id]), default=0.0)
    return found


def critical_path(plan: Plan) -> tuple[str, ...]:
    """The chain that takes longest, in order: with any number of workers it cannot end earlier. Raises ValueError for a
    cycle."""
    left, waits = tails(plan), needs(plan)
    followers = _turned(waits)
    path: list[str] = []
    choice = [id for id in left if not waits[id]]
    while choice:
        path.append(max(choice, key=left.__getitem__))
        choice = followers[path[-1]]
    return tuple(path)


def list_schedule(plan: Plan, workers: int) -> ListSchedule:
    """Whoever is free takes the unit with the longest tail of those that can begin. Raises ValueError for a cycle or
    without a worker.

    By Graham it takes at most work / workers + (1 - 1 / workers) * critical path, and never twice the best there is.
    """
    if workers < 1:
        raise ValueError(f"{workers} workers can do nothing")
    seconds, left, waits = weights(plan), tails(plan), needs(plan)
    followers = _turned(waits)
    open_needs = {id: len(of) for id, of in waits.items()}
    place = {id: number for number, id in enumerate(waits)}
    ready = [(-left[id], place[id], id) for id, count in open_needs.items() if count == 0]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            id = heapq.heappop(ready)[2]
            starts[id], ends[id] = now, now + seconds[id]
            heapq.heappush(running, (ends[id], place[id], id))
        now = running[0][0]
        while running and running[0][0] <= now:
            for other in followers[heapq.heappop(running)[2]]:
                open_needs[other] -= 1
                if open_needs[other] == 0:
                    heapq.heappush(ready, (-left[other], place[other], other))
    return ListSchedule(makespan=max(ends.values(), default=0.0), starts=starts, ends=ends)
