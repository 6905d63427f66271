"""What is due until it is decided how to work: an agent plans where that is wanted, at most twice; else, and when it
comes to nothing, the plan that was made without one counts."""

from __future__ import annotations

from msgspec.structs import replace

from ropeteam.core import events as ev
from ropeteam.core.budget import exhausted, overspent
from ropeteam.core.choosing import in_place
from ropeteam.core.decide import decide, decide_made
from ropeteam.core.model import Action, Kind, Outcome, Trigger
from ropeteam.core.next_attempt import next_attempt
from ropeteam.core.state import AttemptState, RunState
from ropeteam.core.triggers import MAY_PASS, after_failure

PLAN = "plan"
"""Id of the unit of the agent that plans."""
TRIES = 2
"""It is asked once more, with what was wrong."""


def work(state: RunState) -> list[ev.AnyCommand]:
    """What should be under way, whether it is already or not."""
    if state.parking:
        return []
    a = state.newest(PLAN)
    if a is not None and a.stage == "running":
        return overspent(state)
    if a is not None and a.stage == "ended" and state.failures.get("Assess", 0) < 2:
        return [ev.Assess(attempt=a.id)]  # it is paid for, whatever is left of the budget
    getting_ready = [c for c in state.under_way() if c.unit == PLAN]
    if _wanted(state) and getting_ready:
        return []
    if getting_ready:
        return [ev.Stop(target=c.key, why="budget", unless_begun=True) for c in getting_ready]
    if not _wanted(state):
        return [ev.Plan()]
    kind: Kind = "plan"
    ask = next_attempt(state, PLAN, kind, ground=state.base)
    told = {a.id for a in state.attempts if a.stage == "ejected" or a.outcome in ("empty", "corrupted")}
    wrong = tuple(one for one in ask.earlier if one.attempt in told)  # one that was cut off has made no plan
    return [replace(ask, start=state.base, base=state.base, earlier=wrong)]  # nor is what it left in its tree one


def _wanted(state: RunState) -> bool:
    outlook = state.begun.outlook
    if outlook is None or not outlook.ask_agent or exhausted(state) or state.failures.get("Assess", 0) > 1:
        return False
    if state.failures.get(f"RunAgent:{PLAN}", 0) > 1:
        return False
    last = state.newest(PLAN)
    if last is not None and (last.stage, last.outcome) == ("failed", "budget"):
        return False  # it counts for no try: its cost, as it is told, may stay a little under the limit for ever
    return _tries(state) < TRIES


def _tries(state: RunState) -> int:
    return sum(a.counted for a in state.attempts if a.unit == PLAN)


def planned_without(state: RunState) -> ev.Planned:
    """With the plan that the run began with."""
    begun, outlook = state.begun, state.begun.outlook
    explanation = outlook.explanation if outlook is not None else None
    last = state.newest(PLAN)
    if explanation is not None and last is not None:
        first = last.problem.removeprefix("- ").partition("\n")[0] or last.result.evidence or "it was stopped"
        told = f"The agent made no plan that can be used ({first.rstrip('.')}). The static plan counts."
        explanation = replace(explanation, notices=(*explanation.notices, told))
    if begun.plan is not None and outlook is not None and outlook.ask_agent:
        decision = decide_made(begun.answers, begun.plan, begun.settings.gate)
    else:
        decision = decide(begun.answers, begun.plan, begun.settings.gate)
    return ev.Planned(decision=decision, plan=begun.plan, explanation=explanation)


# ---- what events do to it


def refused(state: RunState, event: ev.PlanRefused) -> RunState:
    """Its faults are what the next try is told."""
    a = state.attempt(event.attempt)
    told = "\n".join(f"- {fault}" for fault in event.faults)
    state = state.with_attempt(replace(a, stage="ejected", counted=True, problem=told))
    faults = "; ".join(fault.rstrip(".") for fault in event.faults[:5])
    more = f"; and {len(event.faults) - 5} more" if len(event.faults) > 5 else ""
    again = _tries(state) < TRIES
    t = Trigger(
        id="plan_refused",
        unit=PLAN,
        attempt=a.id,
        at=event.at,
        evidence=f"{faults}{more}.",
        action="retry" if again else "notice",
    )
    return state.closed("Assess", event.at).pend(t)


def failed(state: RunState, a: AttemptState, outcome: Outcome, at: float) -> RunState:
    """It failed of its own accord. What may pass is waited for, as for any agent; for the rest nobody has to stop."""
    passed = sum(x.outcome in MAY_PASS and not x.counted for x in state.attempts if x.unit == PLAN) - 1
    aftermath = after_failure(
        outcome,
        a.result,
        now=at,
        tries_left=TRIES - _tries(state) - 1,
        passed_before=passed,
        retry_seconds=state.begun.settings.limits.retry_seconds,
    )
    state, aftermath, other = in_place(state, a, aftermath)
    a = replace(a, stage="failed", counted=aftermath.counted, not_before=aftermath.not_before)
    state = replace(state.with_attempt(a), resume_at=aftermath.not_before if aftermath.action == "park" else None)
    action: Action = "notice" if aftermath.action == "stop" else aftermath.action
    evidence = (a.result.evidence or f"{a.id} ended as {outcome}.") + other
    return state.pend(Trigger(id=aftermath.trigger, unit=PLAN, attempt=a.id, at=at, evidence=evidence, action=action))
