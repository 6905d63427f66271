"""One reading for several: whose conversation an attempt goes on from.

Who plans has read the repository; who writes the contract goes on from that conversation, and every unit that builds on
the contract from the contract's. Each gets a copy, at the state it ended in: what the provider has in its cache of it
is read at a tenth of the price, and nothing is read twice.

An attempt goes on from another only where that is sure to be no worse than reading anew: same agent and model, a
conversation that ended well, was not shortened, and leaves room for the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ropeteam.core.costs import FORK_READING, Costs
from ropeteam.core.graph import ancestors
from ropeteam.core.model import Kind, Outcome, Usage
from ropeteam.core.settings import Settings
from ropeteam.core.state import AttemptState, RunState

ROOM: Final = 0.30
"""Share of the model's context that must be left below `limits.context_share` for the work itself: 60,000 of 200,000
tokens. A unit's own part in our tables takes 40,000 (`core.costs`: one reading-in, which a fork is spared)."""

USUAL_WINDOW: Final = 200_000
"""Tokens; for an agent that says how much of its context it uses and not how large that is."""

UNSUITED: Final = frozenset[Outcome]({"corrupted", "context"})
"""How an attempt ended whose successor begins without what was read before it."""


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
    f = settings.agent_for
    same = not (f.contract or f.unit or f.layers or f.patterns)
    shares = forks and same and settings.reading.share in ("auto", "fork")
    return Costs(fork_reading=FORK_READING if shares else None)


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
