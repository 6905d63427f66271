"""When a run of several agents is expected to end, and what that hangs on: for showing, it decides nothing.

Lengths of units come from the plan where it states any, else from the units that are done; without either nothing is
expected. All times here are real seconds: what a plan states for a scripted agent is divided by its `time_scale`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from math import exp, log
from statistics import median

from msgspec.structs import replace

from ropeteam.core.graph import critical_path, needs, tails
from ropeteam.core.model import Plan, Unit, UnitEstimate, Value
from ropeteam.core.progress import checkpoints, pieces, units, validated
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.timing import time_scale

OVERDUE_SHARE = 0.1
"""Of its length: how much longer a unit is taken to need that has outlasted it. A guess that moves on with the clock,
so that the expected end is never in the past."""

PACE_WEIGHT = 2.0
"""A unit's own spread (log-sigma .5) is about 1.4 times that of what all units of a feature have in common (.35)."""

DONE = ("ended", "merged", "validated")


class Moment(Value, frozen=True, kw_only=True):
    """The plan's units at one moment. lengths: of each unit in seconds; took: of those under way; done: those whose
    agent is done; unchecked: of these the ones that are in no checkpoint; left: what no agent of several will do, after
    a fall; lag: seconds of one validation."""

    at: float
    lengths: dict[str, float]
    took: dict[str, float]
    done: frozenset[str]
    unchecked: frozenset[str]
    lag: float
    left: tuple[str, ...] = ()


def expected_end(state: RunState, now: float) -> float | None:
    """When the result is validated, in seconds since the epoch; None when nothing can be told of it."""
    if not state.together or state.phase not in ("running", "draining") or state.parking or state.stop or state.ending:
        return None
    lengths = lengths_of(state, pieces(state))
    if lengths is None:
        return None
    here = moment_of(state, now, lengths)
    if not state.fallen:
        return now + going_on(state, here) + here.lag
    belay = state.newest("belay")
    if belay is not None and (belay.stage in ("running", *DONE[:2]) or belay.again):
        return max(now, _belay_ends(state, here, belay.started_at)) + here.lag
    return _with_rest(state, here)


def expected_before_fall(state: RunState) -> float | None:
    """What was expected at the moment of the fall, had it not happened; None when there was none."""
    fell = next((t for t in state.triggers if t.action in ("salvage", "strict")), None)
    if fell is None or not state.together:
        return None
    begun = [a for a in pieces(state) if a.started_at <= fell.at]
    lengths = lengths_of(state, [a for a in begun if a.ended_at and a.ended_at <= fell.at])
    if lengths is None:
        return None
    done = frozenset(a.unit for a in begun if a.ended_at and a.ended_at <= fell.at)
    took = {a.unit: fell.at - a.started_at for a in begun if a.unit not in done}
    unchecked = done - _checked(state, fell.at)
    lag = validation_of(state, fell.at)
    there = Moment(at=fell.at, lengths=lengths, took=took, done=done, unchecked=unchecked, lag=lag)
    return fell.at + going_on(state, there) + there.lag


def expected_path(state: RunState) -> tuple[str, ...]:
    """Units on the chain that the end of the run hangs on, in order, from the first: with what is known so far. Empty
    for one agent, and once the run fell back: then it hangs on one agent."""
    if state.plan is None or not state.together or state.fallen or len(state.plan.units) < 2:
        return ()
    lengths = lengths_of(state, pieces(state)) or {u.id: 1.0 for u in units(state)}
    measured = {a.unit: a.result.seconds for a in pieces(state) if a.stage in DONE}
    return critical_path(_weighted(state.plan, {**lengths, **measured}))


# ---- what is known


def lengths_of(state: RunState, known: Iterable[AttemptState]) -> dict[str, float] | None:
    """Seconds of each unit: what the plan predicts, at the pace of those that are done."""
    planned, done = units(state), [a for a in known if a.outcome == "ok"]
    given = {u.id: u.estimate.seconds_p50 / time_scale(state) for u in planned if u.estimate is not None}
    if given:
        mean = sum(given.values()) / len(given)
        p = pace((a.result.seconds, given[a.unit]) for a in done if a.unit in given)
        return {u.id: p * given.get(u.id, mean) for u in planned}
    return {u.id: median(a.result.seconds for a in done) for u in planned} if done else None


def pace(measured: Iterable[tuple[float, float]]) -> float:
    """How much longer units take than was predicted, 1: just as long. measured: seconds taken and predicted.

    The geometric mean, held back as if `PACE_WEIGHT` more units had taken just what was predicted: single units differ
    by more than their common pace.
    """
    ratios = [log(took / thought) for took, thought in measured if took > 0 and thought > 0]
    return exp(sum(ratios) / (len(ratios) + PACE_WEIGHT))


def moment_of(state: RunState, now: float, lengths: dict[str, float]) -> Moment:
    last = {a.unit: a for a in pieces(state)}
    done = frozenset(id for id, a in last.items() if a.stage in DONE)
    took = {id: max(0.0, now - a.started_at) for id, a in last.items() if a.stage == "running"}
    took |= {id: 0.0 for id, a in last.items() if a.again and id not in took}
    left = tuple(u.id for u in units(state) if u.id not in done and u.id not in took) if state.fallen else ()
    lag, unchecked = validation_of(state, now), done - validated(state)
    return Moment(at=now, lengths=lengths, took=took, done=done, unchecked=unchecked, lag=lag, left=left)


def _checked(state: RunState, at: float) -> frozenset[str]:
    """Units that were in a checkpoint then."""
    holding = checkpoints(state)
    began = [s.began for s in state.spans if s.kind == "validate" and s.of in holding and s.ended <= at]
    newest = max(began, default=float("-inf"))
    return frozenset(a.unit for a in pieces(state) if a.stage == "validated" and a.merged_at <= newest)


def validation_of(state: RunState, at: float) -> float:
    """Seconds of one validation: the newest then, else what the checks took on the code as it was."""
    measured = [s.ended - s.began for s in state.spans if s.kind == "validate" and s.ended <= at]
    return measured[-1] if measured else sum(b.run.seconds for b in state.baseline or ())


def remaining_of(here: Moment, id: str) -> float:
    length, took = here.lengths[id], here.took.get(id, 0.0)
    return length - took if took < length * (1 - OVERDUE_SHARE) else length * OVERDUE_SHARE


def not_begun(state: RunState) -> tuple[Unit, ...]:
    """Units that nobody has begun, or is about to."""
    begun = {a.unit for a in state.attempts} | {c.unit for c in state.under_way()}
    return tuple(u for u in units(state) if u.id not in begun)


def reading_of(state: RunState) -> float:
    """Seconds an agent reads itself in: as measured in this run, else as predicted."""
    measured = [a.result.reading_seconds for a in pieces(state) if a.stage in DONE and a.result.reading_seconds > 0]
    if measured:
        return median(measured)
    outlook = state.begun.outlook
    return outlook.costs.reading_seconds / time_scale(state) if outlook is not None else 0.0


# ---- the ways to go on


def going_on(state: RunState, here: Moment) -> float:
    """Seconds until the last agent is done: those under way first, then whoever is free takes the unit on which the
    longest work hangs. A unit can be begun one validation after the last one that it needs."""
    assert state.plan is not None
    remaining = {id: remaining_of(here, id) for id in here.lengths if id not in here.done}
    weight = tails(_weighted(state.plan, {**here.lengths, **remaining}))
    ended = dict.fromkeys(here.unchecked, 0.0)
    waits = {id: [n for n in of if n in remaining or n in ended] for id, of in needs(state.plan).items()}
    lag, workers = here.lag, state.begun.settings.workers
    running = [(remaining[id], id) for id in here.took if id in remaining]
    heapq.heapify(running)
    open_ = [id for id in remaining if id not in here.took]
    now = 0.0
    while running or open_:
        ready = [id for id in open_ if all(n in ended and ended[n] + lag <= now for n in waits[id])]
        for id in sorted(ready, key=lambda id: -weight[id])[: max(0, workers - len(running))]:
            open_.remove(id)
            heapq.heappush(running, (now + remaining[id], id))
        ahead = [at + lag for at in ended.values() if at + lag > now] + [at for at, _ in running[:1]]
        if not ahead:  # what is left waits for something that nobody will do
            break
        now = min(ahead)
        while running and running[0][0] <= now:
            at, id = heapq.heappop(running)
            ended[id] = at
    return max(ended.values(), default=0.0)


def _with_rest(state: RunState, here: Moment) -> float:
    """When one agent is done with what is left, which it begins once those under way are done and validated."""
    lag, rest = here.lag, state.newest("rest")
    if rest is not None and rest.stage in DONE:
        return here.at + lag
    length = by_one(state, here, here.left) or median(here.lengths.values())  # all is there, and fails together
    if rest is not None and rest.stage == "running":
        took = here.at - rest.started_at
        return here.at + (length - took if took < length * (1 - OVERDUE_SHARE) else length * OVERDUE_SHARE) + lag
    if not here.left and not state.complaint:
        length = 0.0
    draining = max((remaining_of(here, id) for id in here.took), default=0.0)
    last_look = lag if here.took or state.line else 0.0
    return here.at + draining + last_look + (length + lag if length else 0.0)


def _belay_ends(state: RunState, here: Moment, started_at: float) -> float:
    assert state.plan is not None
    e = state.plan.estimate
    if e is not None and e.single.seconds_p50 is not None:
        return started_at + e.single.seconds_p50 / time_scale(state)
    return started_at + by_one(state, here, tuple(here.lengths))


def by_one(state: RunState, here: Moment, ids: tuple[str, ...]) -> float:
    """Seconds of one agent for these units: it reads itself in once, where it is known what that takes."""
    reading = max((a.result.reading_seconds for a in pieces(state) if a.stage in DONE), default=0.0)
    if not ids:
        return 0.0
    return reading + sum(max(0.0, here.lengths[id] - reading) for id in ids)


def _weighted(plan: Plan, seconds: dict[str, float]) -> Plan:
    return replace(
        plan, units=tuple(replace(u, estimate=UnitEstimate(seconds_p50=seconds.get(u.id, 0.0))) for u in plan.units)
    )
