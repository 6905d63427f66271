"""The gate: parallel or single, with the reasons."""

from __future__ import annotations

from ropeteam.core.graph import width
from ropeteam.core.model import Answers, Decision, Plan, TriggerId
from ropeteam.core.settings import Gate


def decide(answers: Answers, plan: Plan | None, gate: Gate) -> Decision:
    """Several agents where a plan is there and nothing that it predicts speaks against it.

    What is tested are the numbers that are shown. `--mode parallel` overrides, and what it overrides is recorded. The
    first reasons belong to the triggers, in order; the last one is the decision in a sentence.
    """
    if answers.mode == "single":
        return Decision(mode="single", reasons=(_asked_for_one(plan, gate),))
    if plan is None:
        return Decision(
            mode="single",
            reasons=("One agent: there is no plan that several could share out.",),
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


def decide_made(answers: Answers, plan: Plan, gate: Gate) -> Decision:
    """The same for a plan that nobody gave, after an agent was asked for one: several agents that are asked for are one
    where nothing can be shared out, and it is not told as anything else."""
    if answers.mode == "parallel" and width(plan) < 2:
        told = "Several agents were asked for (--mode parallel), and no two units of the plan can be worked on at once."
        return Decision(mode="single", triggers=("speedup_below_minimum",), reasons=(told, "One agent does it."))
    return decide(answers, plan, gate)


def sentence(decision: Decision, plan: Plan | None) -> str:
    """The decision in one sentence, with the two times where they are known."""
    e = plan.estimate if plan is not None else None
    times = ""
    if e is not None and e.single.seconds_p50 is not None and e.parallel.seconds_p50 is not None:
        one, several = minutes(e.single.seconds_p50), minutes(e.parallel.seconds_p50)
        times = f": {one} with one, {several} with several"
    if decision.mode == "parallel":
        return f"Several agents{times}{' (you asked for it)' if decision.overridden else ''}."
    why = {
        "confidence_below_minimum": "it is not certain enough to gain time",
        "speedup_below_minimum": "several would not be enough faster",
        "sequential_time_below_minimum": "the work is too short to be worth sharing out",
    }
    because = [why[id] for id in decision.triggers if id in why]
    told = because[0] if len(because) == 1 else f"{', '.join(because[:-1])} and {because[-1]}" if because else ""
    return f"One agent{times}{': ' if because and not times else '; ' if because else ''}{told}."


def minutes(seconds: float) -> str:
    """`45 s`, `14 min`, `1 h 05 min`: as exact as a prediction is."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    whole = round(seconds / 60)
    return f"{whole} min" if whole < 60 else f"{whole // 60} h {whole % 60:02d} min"


def _asked_for_one(plan: Plan | None, gate: Gate) -> str:
    asked = "One agent, as asked (--mode single)."
    fast = plan.estimate.speedup_quantile if plan is not None and plan.estimate is not None else None
    if plan is None or fast is None or _against(plan, gate):
        return asked
    return f"{asked} Several would probably be faster: {fast:.2f} times (the lower quantile)."


def _against(plan: Plan, gate: Gate) -> list[tuple[TriggerId, str]]:
    found: list[tuple[TriggerId, str]] = []
    sure, e = plan.confidence, plan.estimate
    if sure is not None and sure.value < gate.min_confidence:
        why = f" ({'; '.join(_within(r, n) for n, r in enumerate(sure.reasons))})" if sure.reasons else ""
        text = f"The plan's confidence is {sure.value:.1%}, the least is {gate.min_confidence:.0%}{why}."
        found.append(("confidence_below_minimum", text))
    fast = e.speedup_quantile if e is not None else None
    if fast is not None and fast < gate.min_speedup:
        none = "; no two units of the plan can be worked on at once" if width(plan) < 2 else ""
        text = f"The predicted speed-up is {fast:.2f} (its lower quantile), the least is {gate.min_speedup:.2f}{none}."
        found.append(("speedup_below_minimum", text))
    elif width(plan) < 2:
        text = "No two units of the plan can be worked on at once: the speed-up cannot be above 1."
        found.append(("speedup_below_minimum", text))
    seconds = e.single.seconds_p50 if e is not None else None
    if seconds is not None and seconds < gate.min_sequential_seconds:
        text = f"One agent would take {seconds:.0f} s, the least is {gate.min_sequential_seconds:.0f} s."
        found.append(("sequential_time_below_minimum", text))
    return found


def _within(reason: str, number: int) -> str:
    """A reason as a part of a longer sentence."""
    text = reason.rstrip(".")
    return text if number == 0 or not text[:2].istitle() else text[0].lower() + text[1:]


def _for(plan: Plan) -> tuple[str, ...]:
    e = plan.estimate
    if e is None or e.speedup_quantile is None:
        return ("The plan predicts no times, so the gate was not applied.",)
    sure = f", {plan.confidence.value:.1%} sure to take no longer than one agent" if plan.confidence else ""
    return (f"Predicted speed-up {e.speedup_quantile:.2f} (its lower quantile){sure}.",)


def _shape(plan: Plan) -> str:
    batches = len(plan.batches)
    return f"{len(plan.units)} units in {batches} {'batch' if batches == 1 else 'batches'}"
