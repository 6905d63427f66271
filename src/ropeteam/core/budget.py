"""The limits of a run: what is used of each, and the trigger when one is nearly or wholly used up."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core.events import RunAgent
from ropeteam.core.model import Action, Trigger
from ropeteam.core.state import RunState, spent


def watch_budget(state: RunState, at: float) -> RunState:
    """`token_budget_exceeded`: a notice above the share, the end of the run when nothing is left."""
    share = state.begun.settings.limits.budget_share
    for name, used, limit in used_of(state):
        text = f"{_figure(name, used)} of {_figure(name, limit)} used ({100 * used / limit if limit else 100:.0f} %)."
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
    known = (
        ("money", money, state.budget_usd),
        ("tokens", float(tokens), state.budget_tokens),
        ("time", seconds, state.run_seconds),
    )
    return [(name, used, float(limit)) for name, used, limit in known if limit is not None]


def left(state: RunState, without: str = "") -> tuple[float | None, int | None, float | None]:
    """Dollars, tokens and agent seconds that are left of the run's limits; `without`: as if that attempt were not."""
    money, tokens, seconds = spent(a for a in state.attempts if a.id != without)
    return (
        None if state.budget_usd is None else max(0.0, state.budget_usd - money),
        None if state.budget_tokens is None else max(0, state.budget_tokens - tokens),
        None if state.run_seconds is None else max(0.0, state.run_seconds - seconds),
    )


def raised(state: RunState, given: RunAgent) -> bool:
    """The user has allowed more since this attempt was given its limits: what stopped it stops the run no longer."""
    usd, tokens, _ = left(state, without=given.attempt)
    more_usd = usd is not None and given.budget_usd is not None and usd > given.budget_usd
    return more_usd or (tokens is not None and given.budget_tokens is not None and tokens > given.budget_tokens)


def _figure(name: str, value: float) -> str:
    return {"money": f"${value:.2f}", "tokens": f"{value:,.0f} tokens", "time": f"{value:.0f} s"}[name]
