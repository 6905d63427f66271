"""The next attempt of a unit: from the newest snapshot of it there is, told what came before, within what is left."""

from __future__ import annotations

from ropeteam.core import events as ev
from ropeteam.core.budget import left_of_limits
from ropeteam.core.choosing import chosen
from ropeteam.core.model import Asked, Kind
from ropeteam.core.reading import scout_of
from ropeteam.core.state import RunState


def next_attempt(
    state: RunState,
    unit: str,
    kind: Kind,
    *,
    ground: str,
    slot: int | None = None,
    asked: tuple[Asked, ...] = (),
    first: tuple[ev.Earlier, ...] = (),
) -> ev.RunAgent:
    """ground: where the first attempt of the unit begins, and what its changes are measured against. slot: None for the
    smallest that is free. first: what it is told before the attempts before it."""
    before = [a for a in state.attempts if a.unit == unit]
    last = before[-1] if before else None
    kept = next((a for a in reversed(before) if a.result.commit), None)
    usd, tokens, seconds = left_of_limits(state)
    piece = state.plan_unit(unit) if kind in ("contract", "unit") and state.plan is not None else None
    who = chosen(state, kind, piece)
    own = state.begun.answers.agent
    longest = state.begun.settings.limits.attempt_seconds
    return ev.RunAgent(
        attempt=f"{unit}/{last.n + 1 if last else 1}",
        unit=unit,
        kind=kind,
        start=kept.result.commit if kept and kept.result.commit else ground,
        base=kept.base if kept else ground,
        seconds=longest if seconds is None else min(seconds, longest),
        slot=free_slot({c.slot for c in state.under_way()}) if slot is None else slot,
        not_before=last.not_before if last and last.stage == "failed" else 0.0,
        earlier=(*first, *(ev.Earlier(attempt=a.id, ref=a.result.ref, problem=a.problem) for a in before)),
        asked=last.asked if last else asked,
        budget_usd=usd,
        budget_tokens=tokens,
        agent="" if who.agent == own else who.agent,
        model=who.model,
        fork=scout_of(state, unit, kind, who.agent, who.model),
    )


def free_slot(taken: set[int]) -> int:
    """The smallest number from 1 on that no attempt under way has: 0 belongs to the checks."""
    return next(n for n in range(1, len(taken) + 2) if n not in taken)
