"""What one attempt is told of the others: filled from the state of the run when the attempt begins.

Texts in here come from the plan and from agents' reports. They are quoted to an agent and decide nothing.
"""

from __future__ import annotations

from typing import Literal

from ropeteam.core.events import RunAgent
from ropeteam.core.model import Asked, DecisionNote, FileNote, Unit, Value
from ropeteam.core.progress import left, newest, pieces, related, units
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.survey import Survey

LONGEST_EVIDENCE = 4_000
"""Characters of why a unit's work did not do: the end of the failing output is what helps."""


class Neighbour(Value, frozen=True, kw_only=True):
    """Another unit. state: `fallen` is a unit that failed or was ejected. changed: files it has put into the
    checkpoint, for a validated one. provides: what new it makes available, as the plan says."""

    unit: str
    title: str = ""
    writes: tuple[str, ...] = ()
    state: Literal["validated", "running", "pending", "fallen"] = "pending"
    changed: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()


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
    batches: titles in the order of the plan, for who does the whole feature. survey, workers: for who plans: what is
    known without a model, and how many agents there will be.
    """

    unit: Unit | None = None
    contract: tuple[FileNote, ...] = ()
    contract_decisions: tuple[DecisionNote, ...] = ()
    others: tuple[Neighbour, ...] = ()
    requests: tuple[Asked, ...] = ()
    left: tuple[Left, ...] = ()
    batches: tuple[tuple[str, ...], ...] = ()
    survey: Survey = Survey()
    workers: int = 0


def briefing(state: RunState, command: RunAgent) -> Briefing | None:
    """What this attempt is told; None without a plan. The same for an attempt that begins at the same state."""
    if command.kind == "plan":
        survey = state.begun.outlook.survey if state.begun.outlook is not None else Survey()
        return Briefing(survey=survey, workers=state.begun.settings.workers)
    if state.plan is None:
        return None
    if command.kind in ("contract", "unit"):
        return _of_unit(state, command)
    batches = tuple(tuple(_title(state.plan_unit(id)) for id in batch) for batch in state.plan.batches)
    if command.kind != "rest":
        return Briefing(batches=batches)
    done = tuple(n for u in units(state) if (n := _neighbour(state, u)).state == "validated")
    given = tuple(r for a in pieces(state) if a.stage == "validated" for r in _requests(a))
    return Briefing(others=done, left=tuple(_left(state, u) for u in left(state)), requests=given)


def _of_unit(state: RunState, command: RunAgent) -> Briefing:
    assert state.plan is not None
    unit = state.plan_unit(command.unit)
    contract = state.plan.contract
    told = contract is not None and contract != unit.id and contract in related(state, unit.id)
    done = [a for a in pieces(state) if a.unit == contract and a.stage == "validated"] if told else []
    wiring = unit.writes == ("**",)  # its goal is made of the requests
    return Briefing(
        unit=unit,
        contract=_files(done[-1]) if done else (),
        contract_decisions=done[-1].result.report.decisions if done else (),
        others=tuple(_neighbour(state, u) for u in units(state) if u.id != unit.id),
        requests=() if wiring else command.asked,
    )


def _files(a: AttemptState) -> tuple[FileNote, ...]:
    """What it changed, with its own words for what each file is for."""
    purposes = {f.path: f.purpose for f in a.result.report.files}
    changed = (c.path for c in a.result.changes if c.kind != "deleted")
    return tuple(FileNote(path=path, purpose=purposes.get(path, "")) for path in changed)


def _neighbour(state: RunState, unit: Unit) -> Neighbour:
    last = next((a for a in newest(state) if a.unit == unit.id), None)
    done = next((a for a in pieces(state) if a.unit == unit.id and a.stage == "validated"), None)
    under_way = any(c.unit == unit.id for c in state.under_way())
    at: Literal["validated", "running", "pending", "fallen"] = "pending"
    if done is not None:
        at = "validated"
    elif under_way or (last is not None and (last.again or last.stage in ("running", "ended", "merged"))):
        at = "running"
    elif last is not None:
        at = "fallen"
    changed = tuple(c.path for c in done.result.changes) if done is not None else ()
    return Neighbour(
        unit=unit.id, title=_title(unit), writes=unit.writes, state=at, changed=changed, provides=unit.provides
    )


def _left(state: RunState, unit: Unit) -> Left:
    tried = [a for a in pieces(state) if a.unit == unit.id]
    kept = next((a for a in reversed(tried) if a.result.commit), None)
    return Left(
        unit=unit.id,
        title=unit.title,
        goal=unit.goal,
        writes=unit.writes,
        requirements=unit.requirements,
        commit=(kept.result.commit or "") if kept else "",
        ref=kept.result.ref if kept else "",
        evidence=tried[-1].problem[-LONGEST_EVIDENCE:] if tried else "",
    )


def _requests(a: AttemptState) -> tuple[Asked, ...]:
    return tuple(Asked(unit=a.unit, path=r.path, what=r.what) for r in a.result.report.requests)


def _title(unit: Unit) -> str:
    return unit.title or unit.goal or unit.id
