"""The later half of `speedup_below_minimum`: with what is known by now, would one agent end earlier than going on?"""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.expecting import going_on, lengths_of, moment_of, not_begun, reading_of, remaining_of
from ropeteam.core.falling import fall
from ropeteam.core.model import Trigger, Unit
from ropeteam.core.progress import left, pieces
from ropeteam.core.replanning import at_checkpoint, best_joined
from ropeteam.core.state import RunState
from ropeteam.core.timing import time_scale

LOOKED_AT = (ev.AttemptSucceeded, ev.AttemptFailed, ev.CandidatePassed, ev.BaselineMeasured, ev.Replanned)
"""Events after which something is known that was not before."""


def look(state: RunState, event: ev.AnyEvent) -> RunState:
    """The state, fallen back where two units or more have not begun and one agent is predicted to do them earlier.

    With `--mode parallel` it is only recorded as overridden, once. Nothing predicted: nothing looked at.
    """
    if not isinstance(event, LOOKED_AT) or not state.together or state.fallen or state.ending or state.stop:
        return state
    if state.plan is None or state.plan.estimate is None or state.suspects or state.newest("belay") is not None:
        return state  # a belay is the one agent already
    open_ = not_begun(state)
    if len(open_) < 2:
        return state
    ahead = both_ways(state, open_, event.at)
    if ahead is None or ahead[1] >= ahead[0]:
        return state
    if _joined_instead(state, event, ahead[1]):
        return state
    scale = time_scale(state)
    told = (
        f"{len(open_)} units have not begun. One agent would be done with them in {ahead[1] * scale:.0f} s, several in "
        f"{ahead[0] * scale:.0f} s, as things stand now."
    )
    if state.begun.answers.mode == "parallel":
        return _overridden(state, told)
    return fall(state, Trigger(id="speedup_below_minimum", at=event.at, evidence=told))


def _joined_instead(state: RunState, event: ev.AnyEvent, alone: float) -> bool:
    """Whether going on ends as early as one agent, because units are joined: now, or at the checkpoint that comes. At a
    checkpoint that joins none nothing is put off: by then others may have begun, or wait for a validation."""
    now = isinstance(event, ev.CandidatePassed | ev.Replanned)
    return alone >= best_joined(state, event.at) and (not now or at_checkpoint(state) is not None)


def _overridden(state: RunState, told: str) -> RunState:
    d = state.decision
    if d is None or any(reason.endswith(told) for reason in d.reasons) or "speedup_below_minimum" in d.overridden:
        return state
    overridden = (*d.overridden, "speedup_below_minimum")
    return replace(state, decision=replace(d, overridden=overridden, reasons=(*d.reasons, f"Overridden: {told}")))


def both_ways(state: RunState, open_: tuple[Unit, ...], at: float) -> tuple[float, float] | None:
    """Seconds (real ones) from now until all is done and validated: going on as planned; and with one agent for what
    has not begun, once those under way have ended. Where a fall is strict those are stopped, and the one agent has all
    to do that is not validated. None where nothing is predicted."""
    lengths = lengths_of(state, pieces(state))
    if lengths is None:
        return None
    here = moment_of(state, at, lengths)
    several = going_on(state, here) + here.lag
    reading = reading_of(state)

    def by_one(units: tuple[Unit, ...]) -> float:
        return reading + sum(max(0.0, lengths[u.id] - reading) for u in units) + here.lag

    if state.begun.settings.fallback == "strict":
        return several, by_one(left(state))
    running = max((remaining_of(here, id) for id in here.took), default=0.0)
    looked_at = here.lag if here.took or state.line else 0.0  # what was under way is validated first
    return several, running + looked_at + by_one(open_)
