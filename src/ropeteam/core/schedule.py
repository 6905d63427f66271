"""The whole run as a state machine: an event comes in, a new state and the next commands come out.

::

    RunStarted -> Plan -> Planned -> RunAgent single/1 -> Merge -> Validate -> Compose -> Ask | Land | LeaveBranch
        |                   | ^        ^   |                          | ^        -> WriteDocuments -> Finish
        |                   | |        |   `-> MeasureBaseline -------' |
        |                   | |        `------ single/2 <-- failed      |
        |                   `-|> RunAgent of each unit -> Merge ... -> Validate -> checkpoint -> the next units ...
        |                     |        a trigger -> those that run end -> RunAgent rest/1 -> Merge ...
        `-> RunAgent plan/1 -> Assess -> PlanRefused -> RunAgent plan/2

`step` first records what happened (`core.record`), then looks at the state alone and says what is due and not under
way yet (`core.asking`: before it is decided; `core.alone`: one agent; `core.together`: several). So there is no hidden
memory: every prefix of the journal folds to the live state, and a resumed run does what the live one would have done.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from ropeteam.core import alone, asking, together
from ropeteam.core import events as ev
from ropeteam.core.choosing import why_not
from ropeteam.core.model import LandedReason, Trigger
from ropeteam.core.record import record
from ropeteam.core.state import AttemptState, Landing, RunState


def step(state: RunState, event: ev.AnyEvent) -> tuple[RunState, tuple[ev.AnyCommand, ...]]:
    """The state after `event`, and the commands that are now due and not open yet. Pure and deterministic."""
    state = record(state, event)
    fresh = tuple({c.key: c for c in reversed(due(state)) if c.key not in state.open}.values())[::-1]
    if not fresh:
        return state, ()
    return replace(
        state,
        open={**state.open, **{c.key: c for c in fresh}},
        opened={**state.opened, **{c.key: event.at for c in fresh}},
    ), fresh


def fold(events: Iterable[ev.AnyEvent]) -> RunState:
    """The state after all of them."""
    state = RunState()
    for event in events:
        state, _ = step(state, event)
    return state


def at_once(command: ev.AnyCommand, state: RunState) -> ev.AnyEvent | None:
    """The event of a command that needs nothing done; None of one that does. It belongs into the transaction of the
    event that led to it."""
    match command:
        case ev.Fire():
            return ev.TriggerFired(trigger=command.trigger)
        case ev.Plan():
            return asking.planned_without(state)
        case ev.Replan():
            return ev.Replanned(plan=command.plan, why=command.why)
        case ev.Finish():
            return ev.RunEnded(outcome=command.outcome)
        case ev.Park():
            return ev.Parked(until=command.until)
        case ev.Interrupt():
            return ev.Interrupted()
        case _:
            return None


def due(state: RunState) -> list[ev.AnyCommand]:
    """What should be under way in this state, whether it is already or not."""
    if state.started is None:
        return []
    if state.pending:
        return [ev.Fire(trigger=t) for t in state.pending]
    if state.outcome is not None:
        return _land_again(state, state.again) if state.again is not None else _stops(state, "interrupt")
    if state.phase in ("parked", "interrupted") and state.stop != "cancel":
        return []
    if (lost := _without_snapshot(state)) and state.stop != "park":
        return [ev.Keep(attempt=a.id, start=a.start, base=a.base) for a in lost]
    if state.stop:
        return _stop(state)
    if state.ending is not None:
        long = ev.RunAgent | ev.Validate | ev.MeasureBaseline  # the other one of belay and integration: kept in a ref
        if beside := [c for c in state.open.values() if isinstance(c, long)]:
            why = "another one was faster" if state.ending.startswith("delivered") else "the run ends"
            return [ev.Stop(target=c.key, why=why) for c in beside]
        return _deliver(state) if state.tip and state.ending.startswith("delivered") else _end(state)
    if state.decision is None:
        return _with_who_is_there(state, asking.work(state))
    return _with_who_is_there(state, together.work(state) if state.together else alone.work(state))


def _with_who_is_there(state: RunState, commands: list[ev.AnyCommand]) -> list[ev.AnyCommand]:
    """An attempt whose agent is not there is not begun: the run parks, once what is under way has ended. A run that
    needs no agent any more ends as it would have."""
    own = state.begun.answers.agent
    for c in commands:
        if isinstance(c, ev.RunAgent) and c.key not in state.open and (why := why_not(state, c.agent or own)):
            t = Trigger(id="agent_not_usable", unit=c.unit, evidence=why, action="park")
            return [*(other for other in commands if not isinstance(other, ev.RunAgent)), ev.Fire(trigger=t)]
    return commands


def _without_snapshot(state: RunState) -> list[AttemptState]:
    """Attempts that ended in a way that left their work in their tree alone."""
    ended = [a for a in state.attempts if a.stage in ("failed", "lost", "stopped", "ejected")]
    return [a for a in ended if a.result.commit is None and not a.unkept]


# ---- stopping


def _stop(state: RunState) -> list[ev.AnyCommand]:
    """Ask everything long to stop, let what is short end, then end, park or be interrupted."""
    stops = _stops(state, state.stop)
    # A tool that makes a lock file anew can take minutes; at the end of a run a merge is waited for all the same.
    stops += [ev.Stop(target=c.key, why=state.stop) for c in state.open.values() if isinstance(c, ev.Merge)]
    if stops:
        return stops
    if any(not isinstance(c, ev.Fire) for c in state.open.values()):
        return []
    if state.stop == "cancel":
        return [ev.Finish(outcome="cancelled")]
    if state.stop == "park":
        return [ev.Park(until=state.resume_at)]
    return [ev.Interrupt()]


def _stops(state: RunState, why: str) -> list[ev.AnyCommand]:
    """Requests to stop everything under way that takes long."""
    long = ev.RunAgent | ev.MeasureBaseline | ev.Validate | ev.Ask | ev.Plan
    return [ev.Stop(target=c.key, why=why) for c in state.open.values() if isinstance(c, long)]


# ---- ending


def _deliver(state: RunState) -> list[ev.AnyCommand]:
    assert state.ending is not None
    if state.documents is None:
        return [ev.Compose(tip=state.tip, outcome=state.ending, at=state.clockwork.last)]
    if state.landed or state.branch:
        return _end(state)
    repo = state.begun.repo
    why = state.landed_reason or _not_to_land(state)
    if why is not None:
        return [ev.LeaveBranch(branch=branch_name(state), head=state.head, reason=why)]
    if state.begun.answers.land == "ask" and state.answered is None:
        return [ev.Ask(question="land")]
    assert repo.branch is not None
    return [ev.Land(head=state.head, onto=repo.base, branch=repo.branch)]


def _not_to_land(state: RunState) -> LandedReason | None:
    answers, repo = state.begun.answers, state.begun.repo
    if answers.include_dirty:
        return "include_dirty"
    if answers.land == "no" or state.answered is False:
        return "asked"
    return "other_branch" if repo.branch is None else None


def _end(state: RunState) -> list[ev.AnyCommand]:
    assert state.ending is not None
    stops = _stops(state, "the run ends")
    if stops:
        return stops
    if any(not isinstance(c, ev.Fire | ev.WriteDocuments | ev.Finish) for c in state.open.values()):
        return []
    if state.written is None and state.ending != "cancelled":
        return [ev.WriteDocuments(outcome=state.ending)]
    return [ev.Finish(outcome=state.ending)]


def branch_name(state: RunState) -> str:
    """Of the branch that is left when the result does not land: the feature, and the end of the run's id."""
    return f"ropeteam/{state.begun.feature.name.replace('/', '-')}-{state.begun.run.rsplit('-', 1)[-1]}"


# ---- landing a kept result later


def _land_again(state: RunState, again: Landing) -> list[ev.AnyCommand]:
    repo = state.begun.repo
    if again.onto == repo.head:
        return [ev.Land(head=state.head, onto=again.onto, branch=again.branch, left=state.branch)]
    if not again.commit:
        return [ev.Rebase(head=state.head, base=repo.head, onto=again.onto)]
    if again.baseline is None:
        return [ev.MeasureBaseline(commit=again.onto)]
    if again.checks is None:
        return [ev.Validate(commit=again.commit, base=again.onto, baseline=again.baseline)]
    return [ev.Land(head=again.commit, onto=again.onto, branch=again.branch, left=state.branch)]
