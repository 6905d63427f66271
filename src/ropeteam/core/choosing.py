"""Which agent, with which model, does an attempt: as the settings say, and another one where that one cannot go on."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from ropeteam.core.layers import layer_of
from ropeteam.core.model import Kind, Unit, Value
from ropeteam.core.patterns import owns
from ropeteam.core.settings import AgentFor, Settings
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.triggers import Aftermath

CANNOT_GO_ON: Final = ("quota_exhausted", "agent_not_usable")
"""Triggers that say something of the agent and nothing of the work: another one may go on with it."""


class Choice(Value, frozen=True, kw_only=True):
    """model: empty for what is set for that agent, or its own default."""

    agent: str
    model: str = ""


def read(named: str) -> Choice:
    """`name` or `name:model`; a model may hold colons itself."""
    agent, _, model = named.partition(":")
    return Choice(agent=agent, model=model)


def every(settings: Settings, first: str) -> tuple[str, ...]:
    """Names of all agents that a run may use, the run's own first."""
    f = settings.agent_for
    kinds = (f.contract, f.unit, f.plan, f.single, f.rest, f.belay)
    named = [one for one in (*kinds, *f.layers.values(), *f.patterns.values()) if one]
    return tuple(dict.fromkeys((first, *(read(one).agent for one in (*named, *settings.instead)))))


def chosen(state: RunState, kind: Kind, unit: Unit | None) -> Choice:
    """Who does the next attempt. unit: of the plan, for `contract` and `unit`."""
    settings, own = state.begun.settings, state.begun.answers.agent
    named = _named(settings.agent_for, kind, unit)
    choice = read(named) if named else Choice(agent=own)
    if choice.agent in state.used_up and (other := _substitute(state)):
        return read(other)
    return choice


def _named(f: AgentFor, kind: Kind, unit: Unit | None) -> str | None:
    if unit is not None and kind in ("contract", "unit"):
        for pattern, name in f.patterns.items():
            if unit.writes and all(w == pattern or owns((pattern,), _sample(w)) for w in unit.writes):
                return name
    if unit is not None and kind == "unit" and (of_layer := f.layers.get(layer_of(unit))):
        return of_layer
    by_kind: dict[Kind, str | None] = {
        "contract": f.contract or f.unit,
        "unit": f.unit,
        "plan": f.plan,
        "single": f.single,
        "rest": f.rest or f.single,
        "belay": f.belay or f.single,
    }
    return by_kind[kind]


def _sample(pattern: str) -> str:
    """A path that the pattern of a unit owns, to be held against another pattern."""
    inside = f"{pattern}x" if pattern.endswith("/") else pattern
    return inside.strip("/").replace("**", "x").replace("*", "x").replace("?", "x")


def _substitute(state: RunState) -> str:
    """The first that may go on in place of another; empty when there is none left."""
    return next((n for n in state.begun.settings.instead if read(n).agent not in state.used_up), "")


def in_place(state: RunState, a: AttemptState, next_step: Aftermath) -> tuple[RunState, Aftermath, str]:
    """Where the run would park because of its agent and another one may go on: the state that knows it, the next
    attempt at once, and a sentence. Else as it was."""
    if next_step.action != "park" or next_step.trigger not in CANNOT_GO_ON or not a.agent:
        return state, next_step, ""
    used_up = tuple(dict.fromkeys((*state.used_up, a.agent)))
    told = replace(state, used_up=used_up)
    other = _substitute(told)
    if not other:
        return state, replace(next_step, not_before=_first_back(state, a, next_step)), ""
    sentence = f" {read(other).agent} goes on in its place (agent.instead)."
    return told, replace(next_step, action="retry", counted=False, not_before=0.0), sentence


def _first_back(state: RunState, a: AttemptState, next_step: Aftermath) -> float:
    """When the first of them can go on again, as far as that was said; 0 where it was not."""
    said = [x.result.retry_at or 0.0 for x in state.attempts if x.agent in state.used_up]
    return min((at for at in (*said, next_step.not_before) if at > a.ended_at), default=0.0)
