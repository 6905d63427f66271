"""Falling back: from several agents to one, keeping what is validated. What is taken out again, and what is said."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core.model import Action, Trigger
from ropeteam.core.progress import pieces
from ropeteam.core.state import AttemptState, RunState


def action_of(state: RunState) -> Action:
    """What a trigger in parallel leads to: as the settings say."""
    return state.begun.settings.fallback


def fall(state: RunState, trigger: Trigger) -> RunState:
    """Several agents no longer: nothing new starts, and the trigger is announced. Fallen already: only announced. Once
    it is known how the run ends, only noticed: it changes nothing any more."""
    if state.ending is not None:
        return state.pend(replace(trigger, action="notice"))
    how = action_of(state)
    state = state.pend(replace(trigger, action=how))
    if state.fallen or not state.together:
        return state
    state = replace(state, fallen=how)
    return _let_go(state) if how == "strict" else state


def _let_go(state: RunState) -> RunState:
    """Strict: what is not validated is for reference only."""
    for a in pieces(state):
        if a.stage in ("ended", "merged"):
            state = state.with_attempt(let_go(a))
        elif a.again:
            state = state.with_attempt(replace(a, again=False))
    return replace(state, line=(), suspects=0)


def let_go(a: AttemptState) -> AttemptState:
    """Of no fault of its own, and not to be merged."""
    return replace(a, stage="ejected", problem="Everything was stopped by a fall.")


def eject(state: RunState, a: AttemptState, trigger: Trigger, problem: str) -> RunState:
    """Take the work of this attempt out again; what was merged on top of it is merged anew. The run falls back."""
    state = state.with_attempt(replace(a, stage="ejected", counted=True, problem=problem, again=False))
    if a.id in state.line:
        for id in state.line:
            if id != a.id:
                state = state.with_attempt(replace(state.attempt(id), stage="ended", merged="", merged_at=0.0))
        state = replace(state, line=(), suspects=0)
    return fall(state, replace(trigger, unit=a.unit, attempt=a.id))


def drop(state: RunState, a: AttemptState, trigger: Trigger, problem: str) -> RunState:
    """The belay is out: told, and no reason to fall back. What it made is kept."""
    state = state.with_attempt(replace(a, stage="ejected", counted=True, problem=problem, again=False))
    return state.pend(replace(trigger, unit=a.unit, attempt=a.id, action="notice"))
