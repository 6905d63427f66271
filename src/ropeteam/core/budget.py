"""The limits of a run: what is used of each, and the trigger when one is nearly or wholly used up."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core.model import Action, Trigger
from ropeteam.core.state import RunState, spent


def watch_budget(state: RunState, at: float) -> RunState:
    """`token_budget_exceeded`: a notice above the share, the end of the run when nothing is left."""
    share = state.begun.settings.limits.budget_share
    for name, used, limit in used_of(state):
        text = f"{_figure(name, used)} of {_figure(name, limit)} used ({100 * used / limit:.0f} %)."
        action: Action = "stop" if used >= limit else "notice"
        if used < share * limit or f"{name}:{action}" in state.warned or f"{name}:stop" in state.warned:
            continue
        state = replace(state, warned=(*state.warned, f"{name}:{action}"))
        t = Trigger(id="token_budget_exceeded", attempt=name, at=at, evidence=text, action=action)
        state = state.pend(t)
    return state


def exhausted(state: RunState) -> bool:
    """Nothing is left of one of the run's limits."""
    return any(used >= limit for _, used, limit in used_of(state))


def used_of(state: RunState) -> list[tuple[str, float, float]]:
    """(what, used, limit) of every limit of the run that is set: dollars, tokens, agent seconds."""
    money, tokens, seconds = spent(state.attempts)
    limits = state.begun.settings.limits
    known = (
        ("money", money, state.budget_usd),
        ("tokens", float(tokens), state.budget_tokens),
        ("time", seconds, limits.run_seconds),
    )
    return [(name, used, float(limit)) for name, used, limit in known if limit]


def _figure(name: str, value: float) -> str:
    return {"money": f"${value:.2f}", "tokens": f"{value:,.0f} tokens", "time": f"{value:.0f} s"}[name]
