"""What the pieces of a run take: the numbers that an estimate is made of, with where each comes from.

The defaults are published priors (`docs/design/0017`); `core.history` moves them towards what this repository's own
journal measured, the more the more there is of it.
"""

from __future__ import annotations

from typing import Final

from ropeteam.core.model import Value

FORK_READING: Final = 45.0
"""Seconds from the start of an agent that goes on from a conversation that has read the project to its first change:
`Costs.fork_reading` where nothing was measured. The studies behind `docs/design/0017` take 30 s for a shared reading
instead of 75 s, and 10 s for a fork that reads nothing more. That was assumed, not measured with a real model, and such
an agent still reads what is its own: of the 45 s that would be saved 30 are believed (`docs/design/0029`)."""


class Costs(Value, frozen=True, kw_only=True):
    """Seconds are wall time of one agent, tokens are all tokens, dollars per million of them.

    reading_seconds: an agent reads itself in, once an attempt. line_seconds: of one added line, re-work included;
    file_seconds: on top, for each file. sigma: log-sigma of a unit's time around its median; common_sigma: the share of
    it that all units of a feature have in common. size_sigma: log-sigma of the lines guessed before the work.
    validation_seconds: the project's checks on one candidate. merge_seconds: one merge with its cheap checks.
    tree_seconds: until an agent's first request. planning_seconds: what the planning itself takes.
    conflict: probability that two units with owners of their own conflict all the same; broken: that a clean merge
    breaks the checks; failed: that an attempt comes to nothing. repair_share: what one agent needs to mend such a
    thing, as a share of the unit's own work; repair_seconds: on top, each time. optimism: predicted times of several
    agents are multiplied by it, since so many times as long as predicted, beside one agent, runs of several took here
    (1: nothing is known of that). contract_share: of the work on a file, what declaring its interface takes;
    contract_misses: how often what is declared is not what is needed; contract_reading: seconds its agent reads itself
    in (None: as any other); fork_reading: the same of one that goes on from the conversation that wrote the contract
    (None: nobody can). wait_share: of a validation, what a unit waits for the checkpoint that it builds on. runs: how
    many runs of this repository are in it (0: priors alone).
    """

    reading_seconds: float = 75.0
    line_seconds: float = 0.51
    file_seconds: float = 10.0
    sigma: float = 0.5
    common_sigma: float = 0.3
    size_sigma: float = 0.5
    validation_seconds: float = 40.0
    merge_seconds: float = 2.0
    tree_seconds: float = 2.0
    planning_seconds: float = 1.0
    conflict: float = 0.02
    broken: float = 0.05
    failed: float = 0.05
    repair_share: float = 0.3
    repair_seconds: float = 40.0
    contract_share: float = 0.08
    contract_misses: float = 0.05
    contract_reading: float | None = None
    fork_reading: float | None = None
    wait_share: float = 1.0
    reading_tokens: float = 40_000.0
    line_tokens: float = 36.0
    step_tokens: float = 30_000.0
    dollars_per_million: float = 1.0
    optimism: float = 1.0
    runs: int = 0
    source: str = "published priors"
