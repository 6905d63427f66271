"""What one attempt is told of the others: filled from the state of the run when the attempt begins.

Texts in here come from the plan and from agents' reports. They are quoted to an agent and decide nothing.
"""

from __future__ import annotations

from typing import Literal

from ropeteam.core.model import DecisionNote, FileNote, Unit, Value


class Neighbour(Value, frozen=True, kw_only=True):
    """Another unit. state: `fallen` is a unit that failed or was ejected. changed: files it has put into the
    checkpoint, for a validated one."""

    unit: str
    title: str = ""
    writes: tuple[str, ...] = ()
    state: Literal["validated", "running", "pending", "fallen"] = "pending"
    changed: tuple[str, ...] = ()


class Asked(Value, frozen=True, kw_only=True):
    """A request to whoever gets the briefing. unit: who asks. path: in a file that the asker does not own."""

    unit: str
    path: str
    what: str


class Left(Value, frozen=True, kw_only=True):
    """A unit whose work is not in the checkpoint, for `rest`.

    commit: its last snapshot where there is one, and `ref` what keeps it: the commit can be read in every tree of the
    run, the ref is only in the user's repository. evidence: why it did not pass, with the end of the failing output,
    already cut to a length that can be told.
    """

    unit: str
    title: str = ""
    goal: str = ""
    writes: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    commit: str = ""
    ref: str = ""
    evidence: str = ""


class Briefing(Value, frozen=True, kw_only=True):
    """Everything that an attempt is told of the plan and of the others.

    unit: its own, for `contract` and `unit`. contract, contract_decisions: as the contract's agent reported them, once
    that is validated. others: every other unit, the contract too. requests: to this attempt. left: for `rest`.
    batches: titles in the order of the plan, for who does the whole feature.
    """

    unit: Unit | None = None
    contract: tuple[FileNote, ...] = ()
    contract_decisions: tuple[DecisionNote, ...] = ()
    others: tuple[Neighbour, ...] = ()
    requests: tuple[Asked, ...] = ()
    left: tuple[Left, ...] = ()
    batches: tuple[tuple[str, ...], ...] = ()
