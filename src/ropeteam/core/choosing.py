"""Which agent, with which model, does an attempt: as the settings say, and another one where that one cannot go on."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from ropeteam.core.layers import layer_of
from ropeteam.core.model import Kind, Unit, Value
from ropeteam.core.patterns import owns
from ropeteam.core.reading import scout_of
from ropeteam.core.settings import AgentFor, Settings
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.triggers import LONGEST_WAIT, Aftermath

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
    """Who does the next attempt. unit: of the plan, for `contract` and `unit`.

    One that was used up does again once the time has come that its provider told; but not where what the attempt would
    go on from has been read by the one who stood in for it."""
    settings, own = state.begun.settings, state.begun.answers.agent
    named = _named(settings.agent_for, kind, unit)
    choice = read(named) if named else Choice(agent=own)
    out = _is_out(state, choice.agent)
    if not out and choice.agent not in state.used_up:
        return choice
    other = next((read(name) for name in settings.instead if not _is_out(state, read(name).agent)), None)
    if other is None or not (out or _has_read(state, kind, unit, other, choice)):
        return choice
    return other


def _is_out(state: RunState, agent: str) -> bool:
    """It cannot go on: not here, or not yet as far as anybody told."""
    if any(each.agent == agent for each in state.unusable):
        return True
    until = state.used_up.get(agent)
    return until is not None and not 0 < until <= state.clockwork.last


def _has_read(state: RunState, kind: Kind, unit: Unit | None, one: Choice, other: Choice) -> bool:
    """There is a conversation that `one` can go on from and `other` cannot."""
    if unit is None:
        return False
    mine, others = (scout_of(state, unit.id, kind, who.agent, who.model) for who in (one, other))
    return bool(mine) and not others


def why_not(state: RunState, agent: str) -> str:
    """Why an attempt with this agent is not to begin at all, and what to do; empty where it may."""
    return next((each.why for each in state.unusable if each.agent == agent), "")


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


def substitute(state: RunState) -> str:
    """The name of the first that may go on in place of another; empty when there is none left."""
    names = (read(name).agent for name in state.begun.settings.instead)
    return next((name for name in names if not _is_out(state, name)), "")


def in_place(state: RunState, a: AttemptState, next_step: Aftermath) -> tuple[RunState, Aftermath, str]:
    """Where the run would park because of its agent and another one may go on: the state that knows it, the next
    attempt at once, and a sentence. Else as it was."""
    if next_step.action != "park" or next_step.trigger not in CANNOT_GO_ON or not a.agent:
        return state, next_step, ""
    told = replace(state, used_up={**state.used_up, a.agent: _back_at(state, a, next_step)})
    piece = told.plan_unit(a.unit) if a.kind in ("contract", "unit") and told.plan is not None else None
    other = chosen(told, a.kind, piece).agent
    if _is_out(told, other):
        return state, replace(next_step, not_before=_first_back(state, a, next_step)), ""
    sentence = f" {other} goes on in its place (agent.instead)."
    return told, replace(next_step, action="retry", counted=False, not_before=0.0), sentence


def _back_at(state: RunState, a: AttemptState, next_step: Aftermath) -> float:
    """When it can go on again as far as its provider told; 0 for not any more. One that was taken back and refused soon
    again is not taken back: two of them could hand the work to and fro for ever, and no try would be counted."""
    said = next_step.not_before if next_step.not_before > a.ended_at else 0.0
    before = state.used_up.get(a.agent, 0.0)
    if before and a.started_at >= before:
        return said if said - a.ended_at > LONGEST_WAIT else 0.0
    return max(said, before)  # others of it were at work, and one of them was told more


def _first_back(state: RunState, a: AttemptState, next_step: Aftermath) -> float:
    """When the first of them can go on again, as far as that was said; 0 where it was not."""
    return min((at for at in (*state.used_up.values(), next_step.not_before) if at > a.ended_at), default=0.0)
