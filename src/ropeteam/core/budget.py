"""The limits of a run: what is used of each, and the trigger when one is nearly or wholly used up."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core.events import AnyCommand, RunAgent, Stop
from ropeteam.core.falling import fall
from ropeteam.core.model import Trigger
from ropeteam.core.progress import at_work, left
from ropeteam.core.state import RunState, spent


def watch_budget(state: RunState, at: float) -> RunState:
    """`token_budget_exceeded`: above the share several agents become one (for one it is a notice), and when nothing is
    left the run ends. Both at once are told as both: what is done with a larger budget is done by one agent."""
    share = state.begun.settings.limits.budget_share
    for name, used, limit in used_of(state):
        text = f"{_figure(name, used)} of {_figure(name, limit)} used ({100 * used / limit if limit else 100:.0f} %)."
        word = "stop" if used >= limit else "notice"
        if used < share * limit or f"{name}:{word}" in state.warned or f"{name}:stop" in state.warned:
            continue
        state = replace(state, warned=(*state.warned, f"{name}:{word}"))
        t = Trigger(id="token_budget_exceeded", attempt=name, at=at, evidence=text, action="notice")
        falls = state.together and not state.fallen and not state.ending and (left(state) or at_work(state))
        if falls and state.attempts:
            state = fall(state, t)
        if word == "stop":
            state = state.pend(replace(t, action="stop"))
        elif not falls:
            state = state.pend(t)
    return state


def overspent(state: RunState) -> list[AnyCommand]:
    """Requests to stop the attempts that run, once money or tokens are gone."""
    gone = any(used >= limit for name, used, limit in used_of(state) if name != "time")
    begun = {a.id for a in state.attempts}
    return [Stop(target=c.key, why="budget") for c in state.under_way() if gone and c.attempt in begun]


def watch_context(state: RunState, id: str, at: float) -> RunState:
    """`token_budget_exceeded` for one attempt of several: its model's context is fuller than the share."""
    a = state.attempt(id)
    used, limit = a.usage.context_used, a.usage.context_limit
    if a.kind not in ("contract", "unit") or not limit or f"context:{id}" in state.warned:
        return state
    if used <= state.begun.settings.limits.context_share * limit:
        return state
    state = replace(state, warned=(*state.warned, f"context:{id}"))
    text = f"The context of its model is {100 * used / limit:.0f} % full: {used:,} of {limit:,} tokens."
    return fall(state, Trigger(id="token_budget_exceeded", unit=a.unit, attempt=id, at=at, evidence=text))


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


def left_of_limits(state: RunState, without: str = "") -> tuple[float | None, int | None, float | None]:
    """Dollars, tokens and agent seconds that are left of the run's limits; `without`: as if that attempt were not."""
    money, tokens, seconds = spent(a for a in state.attempts if a.id != without)
    return (
        None if state.budget_usd is None else max(0.0, state.budget_usd - money),
        None if state.budget_tokens is None else max(0, state.budget_tokens - tokens),
        None if state.run_seconds is None else max(0.0, state.run_seconds - seconds),
    )


def raised(state: RunState, given: RunAgent) -> bool:
    """The user has allowed more since this attempt was given its limits: what stopped it stops the run no longer."""
    usd, tokens, _ = left_of_limits(state, without=given.attempt)
    more_usd = usd is not None and given.budget_usd is not None and usd > given.budget_usd
    return more_usd or (tokens is not None and given.budget_tokens is not None and tokens > given.budget_tokens)


def _figure(name: str, value: float) -> str:
    return {"money": f"${value:.2f}", "tokens": f"{value:,.0f} tokens", "time": f"{value:.0f} s"}[name]
