"""From what is known of the work to a plan with its prediction: what `app` does before a run, and what is done with an
agent's proposal."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from msgspec.structs import replace

from ropeteam.core.costs import Costs
from ropeteam.core.estimate import estimated
from ropeteam.core.graph import width
from ropeteam.core.grouping import explained, grouped, whole
from ropeteam.core.model import Feature, Plan
from ropeteam.core.plan_batches import layered
from ropeteam.core.proposal import Refused, checked
from ropeteam.core.settings import Settings
from ropeteam.core.survey import Explanation, Outlook, PlannedFile, Survey

REQUIREMENT_LINES = 60
REQUIREMENT_FILES = 2
"""Where nobody names files: so much added code a requirement. The median of 1,805 real features is 406 lines in 12
files, which would be six or seven requirements; a guess, which is why such a plan is one unit."""


def outlook_of(
    feature: Feature,
    survey: Survey,
    costs: Costs,
    settings: Settings,
    *,
    mode: Literal["auto", "single", "parallel"],
    given: Plan | None = None,
) -> tuple[Plan, Outlook]:
    """The plan that counts unless an agent makes a better one, predicted, and what it was made from.

    given: a plan to be used as it is; what it does not state is estimated.
    """
    if given is not None:
        survey = _believed(given, survey)
        plan = predicted(layered(given, settings.plan.grouping), feature, survey, costs, settings)
        why = _explained(plan, survey, costs, settings, "given")
        return plan, Outlook(survey=survey, costs=costs, explanation=why)
    plan, explanation = planned(feature, survey, costs, settings, mode=mode)
    ask = _why_ask(plan, survey, settings, mode)
    return plan, Outlook(survey=survey, costs=costs, explanation=explanation, ask_agent=ask)


def _believed(given: Plan, survey: Survey) -> Survey:
    """What a plan that somebody wrote says of who needs whom is meant: what it does not say is less likely. Of one that
    states predictions the figures count as they are, and it may be ours: of that nothing was ever declared."""
    if given.estimate is not None:
        return survey
    patterns = [pattern.lstrip("/") for unit in given.units for pattern in unit.writes]
    return replace(survey, declared=(*survey.declared, *(file.path for file in survey.files), *patterns))


def planned(
    feature: Feature,
    survey: Survey,
    costs: Costs,
    settings: Settings,
    *,
    mode: Literal["auto", "single", "parallel"] = "auto",
) -> tuple[Plan, Explanation]:
    """The static plan, with why it is as it is. Where the documents do not name the files: one unit that owns
    everything, since what they only mention is not all that will be written."""
    if survey.files and survey.named:
        return grouped(
            survey,
            costs,
            feature=feature,
            workers=settings.workers,
            gate=settings.gate,
            grouping=settings.plan.grouping,
            mode=mode,
            seed=settings.plan.seed,
        )
    plan = layered(whole(feature), settings.plan.grouping)
    told = "The feature's documents name no files, so there is nothing to share out without reading the code."
    return (
        predicted(plan, feature, _guessed(feature, survey), costs, settings),
        Explanation(planner="static", notices=survey.notices or (told,)),
    )


def _guessed(feature: Feature, survey: Survey) -> Survey:
    """With as many files as such a feature would have, those that are mentioned among them."""
    count = REQUIREMENT_FILES * max(1, len({r.id for r in feature.requirements}))
    lines = REQUIREMENT_LINES // REQUIREMENT_FILES
    new = tuple(PlannedFile(path=f"?/{n}", status="A", lines=lines) for n in range(count - len(survey.files)))
    return replace(survey, files=(*survey.files, *new))


def predicted(plan: Plan, feature: Feature, survey: Survey, costs: Costs, settings: Settings) -> Plan:
    """The plan with what it does not state itself: times, tokens, both ways, confidence."""
    return estimated(
        plan,
        survey,
        costs,
        workers=settings.workers,
        quantile=settings.gate.quantile,
        seed=settings.plan.seed,
        requirements=tuple(dict.fromkeys(r.id for r in feature.requirements)),
    )


def proposed(
    text: str, feature: Feature, outlook: Outlook, settings: Settings, known_files: Collection[str], *, tree: str = ""
) -> tuple[Plan, Explanation] | Refused:
    """What an agent proposed, as a plan that can be carried out, predicted with what it knows on top of the survey."""
    found = checked(text, feature, outlook.survey, known_files, tree=tree)
    if isinstance(found, Refused):
        return found
    plan = predicted(layered(found.plan, settings.plan.grouping), feature, found.survey, outlook.costs, settings)
    notices = [f"Changed in the agent's plan: {text}" for text in found.mended]
    if found.confidence is not None:
        notices.append(f"The agent itself is {found.confidence:.0%} sure of its plan, which counts for nothing here.")
    why = _explained(plan, found.survey, outlook.costs, settings, "agent")
    return plan, replace(why, notices=tuple(notices))


def _explained(
    plan: Plan, survey: Survey, costs: Costs, settings: Settings, planner: Literal["agent", "given"]
) -> Explanation:
    gate = settings.gate
    return explained(
        plan,
        survey,
        costs,
        planner=planner,
        workers=settings.workers,
        at=gate.quantile,
        seed=settings.plan.seed,
        least=gate.min_speedup,
    )


def _why_ask(plan: Plan, survey: Survey, settings: Settings, mode: Literal["auto", "single", "parallel"]) -> str:
    """Why an agent is to plan; empty when none is."""
    wanted = settings.plan.planner
    if wanted == "static" or (mode == "single" and wanted != "agent"):
        return ""
    if wanted == "agent":
        return "You asked for a plan made by an agent (planner agent)."
    if mode == "parallel" and width(plan) < 2:
        return "You asked for several agents, and what is known without reading the code cannot be shared out."
    seconds = plan.estimate.single.seconds_p50 if plan.estimate is not None else None
    if survey.named or seconds is None or seconds < settings.gate.min_sequential_seconds:
        return ""
    return "The feature's documents do not name its files, so an agent reads the code and plans."
