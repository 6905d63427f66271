"""One reading for several: whose conversation an attempt goes on from.

Who plans has read the repository; who writes the contract goes on from that conversation, and every unit that builds on
the contract from the contract's. Each gets a copy, at the state it ended in: what the provider has in its cache of it
is read at a tenth of the price, and nothing is read twice.

An attempt goes on from another only where that is sure to be no worse than reading anew: same agent and model, a
conversation that ended well, was not shortened, and leaves room for the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from ropeteam.core.costs import FORK_READING, Costs
from ropeteam.core.graph import ancestors
from ropeteam.core.model import Decision, Kind, Outcome, Plan, Usage
from ropeteam.core.settings import Settings
from ropeteam.core.state import AttemptState, RunState

ROOM: Final = 0.30
"""Share of the model's context that must be left below `limits.context_share` for the work itself: 60,000 of 200,000
tokens. A unit's own part in our tables takes 40,000 (`core.costs`: one reading-in, which a fork is spared)."""

USUAL_WINDOW: Final = 200_000
"""Tokens; for an agent that says how much of its context it uses and not how large that is."""

UNSUITED: Final = frozenset[Outcome]({"corrupted", "context"})
"""How an attempt ended whose successor begins without what was read before it."""

MOST_ALONE: Final = 1
"""Units that read for themselves beside those that go on from one conversation, where it is still the one reading. Each
is given a map of its own: at full price one costs what one in the shared prompt does, two cost twice that."""


def scout_of(state: RunState, unit: str, kind: Kind, agent: str, model: str) -> str:
    """Id of the attempt that one of this unit goes on from; empty for none. agent, model: as in `RunAgent`."""
    if state.begun.settings.reading.share not in ("auto", "fork") or kind not in ("contract", "unit"):
        return ""
    tried = [a for a in state.attempts if a.unit == unit]
    if any(a.fork and (a.outcome in UNSUITED or a.result.unforked) for a in tried):
        return ""
    name = agent or state.begun.answers.agent
    for scout in _scouts(state, unit):
        if scout.agent != name or _model(state, name, scout.model) != _model(state, name, model):
            continue
        if _can_be_shared(state, scout):
            return scout.id
    return ""


def _model(state: RunState, agent: str, chosen: str) -> str:
    """The model that is set for that agent where none was chosen for the attempt; empty for the agent's own default."""
    own = state.begun.settings.agents.get(agent)
    return chosen or (own.model if own is not None else None) or ""


def _scouts(state: RunState, unit: str) -> Iterator[AttemptState]:
    """The contract's attempt for who builds on it, then that of who planned: each only once its work counts."""
    contract = state.plan.contract if state.plan is not None else None
    if state.plan is not None and contract is not None and contract in ancestors(state.plan).get(unit, ()):
        yield from (a for a in state.attempts if a.unit == contract and a.stage == "validated")
    yield from (a for a in state.attempts if a.kind == "plan" and a.stage == "validated")


def _can_be_shared(state: RunState, scout: AttemptState) -> bool:
    found = scout.result
    if not (scout.forks and scout.outcome == "ok" and found.session) or found.compacted:
        return False
    if scout.unkept or not (found.commit and found.ref):
        return False  # without a sandbox its tree is taken away while others go on from it
    if any(a.fork == scout.id and a.result.unforked for a in state.attempts):
        return False  # nobody finds it
    used = scout.usage.context_used
    most = state.begun.settings.limits.context_share - ROOM
    return 0 < used <= most * (scout.usage.context_limit or USUAL_WINDOW)


def costs_before(settings: Settings, *, forks: bool) -> Costs:
    """The published priors, as they hold for these settings. forks: whether the run's agent can go on from another.
    Where units have different agents nobody knows beforehand who goes on from whom: nothing is expected of it."""
    return Costs(fork_reading=FORK_READING if _shares(settings, forks=forks) else None)


def _shares(settings: Settings, *, forks: bool) -> bool:
    f = settings.agent_for
    same = not (f.contract or f.unit or f.layers or f.patterns)
    return forks and same and settings.reading.share in ("auto", "fork")


def expected(settings: Settings, decision: Decision, plan: Plan | None, *, forks: bool, agent_plans: bool) -> bool:
    """Whether the units of a run are expected to go on from one conversation that has read: what is journalled when it
    begins (`RunStarted.one_reading`). It moves no fork (`scout_of`): it says what is in the prompt that all share.

    forks: whether the run's agent can go on from another. decision, plan: as they are when it begins. agent_plans: an
    agent makes another plan first; units go on from its conversation, or from the contract's after it.
    """
    if not _shares(settings, forks=forks):
        return False
    if agent_plans:
        return settings.agent_for.plan is None
    if decision.mode != "parallel" or plan is None or plan.contract is None:
        return False
    before = ancestors(plan)
    behind = sum(plan.contract in before[u.id] for u in plan.units)
    return behind > MOST_ALONE and len(plan.units) - 1 - behind <= MOST_ALONE


def reads_for_others(state: RunState, unit: str, kind: Kind, *, forks: bool) -> bool:
    """Whether others are expected to go on from what this one will read. forks: whether its agent can be gone on from.
    Not once it had no room left for what it read: it is helped as anybody else then."""
    short = any(a.unit == unit and a.outcome in UNSUITED for a in state.attempts)
    return state.begun.one_reading and forks and kind in ("plan", "contract") and not short


def told(settings: Settings, mode: Literal["parallel", "single"], *, one_reading: bool) -> str:
    """How agents read themselves in, as far as that is expected: a sentence for people. mode: as it was decided."""
    share = settings.reading.share
    packs = share in ("auto", "pack")
    if mode == "single":
        return f"The one agent reads for itself{', with a map of the repository' if packs else ''}."
    if one_reading:
        other = "is given a map of it and excerpts" if packs else "reads for itself"
        return f"Units go on from one conversation that has read the repository; one that cannot {other}."
    return {
        "auto": "Each unit is given a map of the repository, and excerpts where it does not go on from a conversation.",
        "fork": "Each unit goes on from a conversation that has read, where there is one; else it reads for itself.",
        "pack": "Each unit is given a map of the repository and excerpts.",
        "none": "Each unit reads for itself.",
    }[share]


def chain(state: RunState, attempt: str) -> tuple[AttemptState, ...]:
    """The attempts whose conversations one that goes on from `attempt` holds, the newest first. Empty for none."""
    known = {a.id: a for a in state.attempts}
    found: list[AttemptState] = []
    while attempt in known:
        found.append(known.pop(attempt))
        attempt = found[-1].fork
    return tuple(found)


def with_planner(state: RunState, scout: str) -> bool:
    """Whether who planned is in the conversation that one who goes on from `scout` holds."""
    return any(a.kind == "plan" for a in chain(state, scout))


def used_by(state: RunState, scout: str) -> Usage:
    """What the conversation that ended with `scout` has used, from its beginning on."""
    all_of_it = [a.usage for a in chain(state, scout)]
    return Usage(
        input=sum(u.input for u in all_of_it),
        cached=sum(u.cached for u in all_of_it),
        output=sum(u.output for u in all_of_it),
        cost_usd=sum(u.cost_usd for u in all_of_it),
    )
