"""The gate: parallel or single, with the reasons."""

from __future__ import annotations

from ropeteam.core.graph import width
from ropeteam.core.model import Answers, Decision, Plan, TriggerId
from ropeteam.core.settings import Gate


def decide(answers: Answers, plan: Plan | None, gate: Gate) -> Decision:
    """Several agents where a plan is there and nothing that it states speaks against it.

    What is tested is what the plan states, with the numbers that are shown; what it does not state is not tested.
    `--mode parallel` overrides, and what it overrides is recorded. The first reasons belong to the triggers, in order.
    """
    if answers.mode == "single":
        return Decision(mode="single", reasons=("One agent, as asked (--mode single).",))
    if plan is None:
        return Decision(
            mode="single",
            reasons=("One agent: without a plan (--plan) there is nothing that several could share out.",),
        )
    against = _against(plan, gate)
    ids = tuple(id for id, _ in against)
    reasons = tuple(reason for _, reason in against)
    if answers.mode == "parallel":
        asked = f"Several agents, as asked (--mode parallel): {_shape(plan)}."
        return Decision(mode="parallel", overridden=ids, reasons=(asked, *(f"Overridden: {r}" for r in reasons)))
    if ids:
        belay = " Beside one agent --belay has nothing to insure." if answers.belay else ""
        return Decision(mode="single", triggers=ids, reasons=(*reasons, f"One agent does it.{belay}"))
    return Decision(mode="parallel", reasons=(f"Several agents: {_shape(plan)}.", *_for(plan)))


def _against(plan: Plan, gate: Gate) -> list[tuple[TriggerId, str]]:
    found: list[tuple[TriggerId, str]] = []
    sure, e = plan.confidence, plan.estimate
    if sure is not None and sure.value < gate.min_confidence:
        why = f" ({'; '.join(r.rstrip('.') for r in sure.reasons)})" if sure.reasons else ""
        text = f"The plan's confidence is {sure.value:.0%}, the least is {gate.min_confidence:.0%}{why}."
        found.append(("confidence_below_minimum", text))
    fast = e.speedup_quantile if e is not None else None
    if width(plan) < 2:
        text = "No two units of the plan can be worked on at once: the speed-up cannot be above 1."
        found.append(("speedup_below_minimum", text))
    elif fast is not None and fast < gate.min_speedup:
        text = f"The predicted speed-up is {fast:.2f} (its lower quantile), the least is {gate.min_speedup:.2f}."
        found.append(("speedup_below_minimum", text))
    seconds = e.single.seconds_p50 if e is not None else None
    if seconds is not None and seconds < gate.min_sequential_seconds:
        text = f"One agent would take {seconds:.0f} s, the least is {gate.min_sequential_seconds:.0f} s."
        found.append(("sequential_time_below_minimum", text))
    return found


def _for(plan: Plan) -> tuple[str, ...]:
    e = plan.estimate
    if e is None or e.speedup_quantile is None:
        return ("The plan predicts no times, so the gate was not applied.",)
    return (f"Predicted speed-up {e.speedup_quantile:.2f} (its lower quantile).",)


def _shape(plan: Plan) -> str:
    batches = len(plan.batches)
    return f"{len(plan.units)} units in {batches} {'batch' if batches == 1 else 'batches'}"
