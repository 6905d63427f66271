"""Where the time of a run went: how long it took, what one agent would have taken, what its end hung on.

With the scripted agent, seconds of agents count in feature time (real seconds times `time_scale`).
"""

from __future__ import annotations

from collections.abc import Iterable

from ropeteam.core.graph import needs
from ropeteam.core.model import Value
from ropeteam.core.progress import pieces
from ropeteam.core.state import AttemptState, RunState, spent


class SpanLine(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A stretch of time in seconds from the beginning of the run. kind: `attempt`, `baseline`, `validate`, `merge`,
    `land` or `offer`; of: the attempt or the commit; critical: the run's end hung on it."""

    kind: str
    of: str
    unit: str
    began: float
    ended: float
    critical: bool = False


class Actual(Value, frozen=True, kw_only=True, omit_defaults=False):
    """seconds: wall time in which the run was driven, without waiting for the user. orchestration_seconds: of it, what
    was neither an agent at work, nor a check that everything waited for, nor waiting for a provider or, in host mode,
    for somebody to take a unit.
    single_seconds_estimated: for several agents one reading-in, what the units took without their own reading-in, and
    one validation; with a belay that ended, what that took. validation_seconds: a last look at the whole, as measured.
    insurance_usd: what the belay cost. planning_seconds: until it was decided how to work. tokens, cost_usd: null where
    nobody said what any agent used (host mode)."""

    seconds: float = 0.0
    single_seconds_estimated: float | None = None
    speedup_estimated: float | None = None
    tokens: int | None = 0
    cost_usd: float | None = 0.0
    orchestration_seconds: float = 0.0
    validation_seconds: float = 0.0
    insurance_usd: float | None = 0.0
    planning_seconds: float = 0.0


def time_scale(state: RunState) -> float:
    """Seconds of feature time in one real second of an agent's work: 1 but for the scripted agent."""
    name = state.begun.answers.agent
    known = state.begun.settings.agents.get(name)
    return known.time_scale if name == "scripted" and known is not None else 1.0


def actual(state: RunState, scale: float) -> Actual:
    """What it took. Seconds in which agents or checks were at work are in feature time, others are as measured."""
    money, tokens, agents = spent(state.attempts)
    c = state.clockwork
    wall = max(0.0, c.driven - c.asked)
    if not state.together:
        total = wall + agents * (scale - 1.0)
        idle = max(0.0, wall - agents - c.checks - c.waited - covered(_offered(state)))
    else:
        busy = covered(_agents(state))
        total = wall + busy * (scale - 1.0)
        idle = max(0.0, wall - covered([*_agents(state), *_checks(state), *_offered(state)]) - c.waited)
    ended = state.outcome is not None
    alone = one_agent(state, scale) if state.together else total
    unknown = not tokens and not money and any(a.unmeasured for a in state.attempts)
    return Actual(
        seconds=round(total, 1),
        single_seconds_estimated=round(alone, 1) if ended and alone is not None else None,
        speedup_estimated=round(alone / total, 2) if ended and total and alone is not None else None,
        tokens=None if unknown else tokens,
        cost_usd=None if not money and any(a.costless for a in state.attempts) else round(money, 4),
        orchestration_seconds=round(idle, 1),
        validation_seconds=round(_validation(state), 1),
        insurance_usd=_insurance(state),
        planning_seconds=round(_planning(state, scale), 1),
    )


def one_agent(state: RunState, scale: float) -> float | None:
    """What one agent would have taken for what several did: the longest reading-in once, their work without it, one
    validation. A belay that ended has measured it. None while there is no work to tell from."""
    belay = state.newest("belay")
    if belay is not None and belay.outcome == "ok":
        return belay.result.seconds * scale + _validation(state)
    done = [a for a in (*pieces(state), *(a for a in state.attempts if a.unit == "rest")) if a.stage == "validated"]
    if not done:
        return None
    reading = max(a.result.reading_seconds for a in done)
    work = sum(a.result.seconds - a.result.reading_seconds for a in done)
    return (reading + work) * scale + _validation(state)


def _insurance(state: RunState) -> float | None:
    """What the belay cost; None where nobody said so."""
    tries = [a for a in state.attempts if a.unit == "belay"]
    cost = sum(a.usage.cost_usd for a in tries)
    return None if not cost and any(a.costless for a in tries) else round(cost, 4)


def _validation(state: RunState) -> float:
    """Seconds of the newest validation: of the whole, once there is one."""
    checks = [s for s in state.spans if s.kind == "validate"]
    return checks[-1].ended - checks[-1].began if checks else 0.0


def _planning(state: RunState, scale: float) -> float:
    """Seconds until it was decided, so far or in all. An agent that planned is at work like any other."""
    until = state.planning_seconds if state.decision is not None else state.clockwork.driven
    planners = [a for a in state.attempts if a.kind == "plan"]
    return until + sum(a.result.seconds for a in planners) * (scale - 1.0)


def _agents(state: RunState) -> list[tuple[float, float]]:
    """When attempts were at work. One that was cut off is over when its last sign was seen."""
    return [(a.started_at, a.started_at + a.result.seconds) for a in state.attempts]


def _checks(state: RunState) -> list[tuple[float, float]]:
    return [(s.began, s.ended) for s in state.spans if s.kind in ("validate", "baseline")]


def _offered(state: RunState) -> list[tuple[float, float]]:
    """When something was ready and nobody had taken it. What still waits does so to the last event."""
    waits = [(s.began, s.ended) for s in state.spans if s.kind == "offer"]
    c = state.clockwork
    return [*waits, *((max(since, c.since), c.last) for since in state.offered.values() if c.last > since)]


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds in which at least one of them was under way."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


# ---- the run as stretches of time


def spans(state: RunState) -> tuple[SpanLine, ...]:
    """Attempts, merges and checks, in the order in which they began, in real seconds from the run's first event."""
    if not state.together:
        return ()
    critical = critical_attempts(state)
    since = state.begun.at
    merged = {a.merged: a for a in state.attempts if a.merged}
    lines = [
        SpanLine(
            kind="attempt",
            of=a.id,
            unit=a.unit,
            began=round(a.started_at - since, 2),
            ended=round((a.ended_at or state.clockwork.last) - since, 2),
            critical=a.id in critical,
        )
        for a in state.attempts
    ]
    for s in state.spans:
        unit = s.of.partition("/")[0] if s.kind in ("merge", "offer") else merged[s.of].unit if s.of in merged else ""
        began, ended = round(s.began - since, 2), round(s.ended - since, 2)
        lines.append(SpanLine(kind=s.kind, of=s.of, unit=unit, began=began, ended=ended))
    return tuple(sorted(lines, key=lambda line: (line.began, line.ended)))


def critical_attempts(state: RunState) -> frozenset[str]:
    """Attempts on the chain that the run's end hung on: the last one to end, before it what it waited for, and so on to
    the beginning. A further try waited for the one before it; a unit for the last of what it needs to be validated, or
    for the attempt whose end freed a worker; `rest` for everything else to be over."""
    if state.plan is None or not state.together:
        return frozenset()
    belay, rest = state.newest("belay"), state.newest("rest")
    if belay is not None and belay.stage == "validated":
        return frozenset(a.id for a in state.attempts if a.unit == "belay")
    counting = [a for a in pieces(state) if a.stage in ("validated", "merged", "ended", "running")]
    here = rest or max(counting, key=lambda a: (a.ended_at or float("inf"), a.merged_at), default=None)
    waits = needs(state.plan)
    chain: dict[str, AttemptState] = {}
    while here is not None and here.id not in chain:
        chain[here.id] = here
        here = _waited_for(state, here, waits)
    return frozenset(chain)


def _waited_for(state: RunState, a: AttemptState, waits: dict[str, tuple[str, ...]]) -> AttemptState | None:
    """The attempt without whose end this one would have begun earlier."""
    if a.n > 1:
        return next((x for x in reversed(state.attempts) if x.unit == a.unit and x.n == a.n - 1), None)
    before = [x for x in pieces(state) if 0 < x.ended_at <= a.started_at]
    last = max(before, key=lambda x: x.ended_at, default=None)
    if a.unit not in waits:  # the rest
        return last
    done = [x for x in before if x.stage == "validated" and x.unit in waits[a.unit]]
    needed = max(done, key=lambda x: x.validated_at, default=None)
    ready = needed.validated_at if needed is not None else state.begun.at
    busy = [x for x in pieces(state) if x.started_at <= ready < (x.ended_at or float("inf")) and x.id != a.id]
    return last if len(busy) >= state.begun.settings.workers else needed
