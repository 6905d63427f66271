"""An agent's proposal of a plan, checked: mended where that needs no guess, refused with every fault where it does.

Nothing that the agent says is believed because it says so: paths are held against the repository, the order against
what was found without a model, owners against each other. Its own figures are shown and not used, but for the lines of
files, which only people or a model can guess for a file that does not exist yet.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from ropeteam.core import proposal_evidence, proposal_mending, proposal_reading, proposal_text
from ropeteam.core.model import Feature, Plan, Value
from ropeteam.core.plan_batches import layered
from ropeteam.core.plan_document import Faults
from ropeteam.core.plan_reading import of_value, parse
from ropeteam.core.proposal_mending import Draft
from ropeteam.core.survey import Survey
from ropeteam.errors import BadInput

MOST_FAULTS: Final = 40
"""More are counted only: they go into a prompt."""

_DONE: Final = ("✓", "done", "completed", "complete", "x")
_PLACE: Final = re.compile(r"units\[(\d+)\](?:\.(\w+))?")
_ADVICE: Final = (
    (
        "in a circle",
        "Take out one of these needs, or make one unit of them, or let the contract declare what is shared",
    ),
    ("which is no unit", "Name the id of a unit of this plan, or leave it out"),
    ("means something else", "Choose another id"),
    ("cannot be an id", "Choose another id"),
    ("leads out of the repository", "Write paths from the root of the repository"),
    ("absolute path", "Write paths from the root of the repository"),
    ("units, at most", "Plan about one unit for each agent that works at once"),
    ("list of units", "Put at least one unit in it"),
    ("is the id of", "Give each unit an id of its own"),
)


class Proposal(Value, frozen=True, kw_only=True):
    """A valid plan without estimates, laid out in batches, and the survey with what the agent knows on top.

    mended: what was changed in its plan, a sentence each. confidence: its own, 0 to 1: shown, not used.
    """

    plan: Plan
    survey: Survey
    mended: tuple[str, ...] = ()
    confidence: float | None = None


class Refused(Value, frozen=True, kw_only=True):
    """faults: a sentence each, with what to do: they are what the agent is told when it is asked again."""

    faults: tuple[str, ...]


def checked(
    text: str, feature: Feature, survey: Survey, known_files: Collection[str], *, tree: str = ""
) -> Proposal | Refused:
    """What comes of an agent's answer. Never raises.

    survey: what was found without a model. known_files: all paths at the base commit. tree: the absolute path of the
    agent's work tree, which it may have put before paths.
    """
    found = proposal_text.document(text)
    if isinstance(found, str):
        return Refused(faults=(found,))
    known = known_files if isinstance(known_files, set | frozenset) else frozenset(known_files)
    ids = tuple(requirement.id for requirement in feature.requirements)
    document = proposal_reading.read(found, requirements=ids, known=known, tree=tree)
    faults = Faults()
    plan = of_value(document.raw, faults, shared=True)
    if plan is None or faults.found:
        of_value(document.raw, full := Faults())  # with the paths that several own, to name all at once
        return _refused(_sentences(full if full.found else faults, document.raw))
    draft = Draft(plan, document.mended)
    _mend(draft, feature, survey, document.files, known)
    if draft.faults:
        return _refused(draft.faults)
    return _accepted(draft, survey, document, known)


def _mend(
    draft: Draft,
    feature: Feature,
    survey: Survey,
    files: Sequence[proposal_reading.FileSaid],
    known: Collection[str],
) -> None:
    """In this order: who owns what first, since the rest asks for it."""
    there = [file.path for file in survey.files] if survey.named else []
    said = [file.path for file in files]
    proposal_mending.own_all(draft, (*there, *said), survey)
    proposal_mending.tests_beside_code(draft)
    proposal_mending.one_owner(draft, (*there, *said), survey)
    due = {one.id: one.text for one in feature.requirements if one.status.strip().lower() not in _DONE}
    proposal_mending.cover(draft, due, survey)
    proposal_evidence.in_order(draft, survey)
    proposal_evidence.unknown_files(draft, files, known)


def _accepted(
    draft: Draft, survey: Survey, document: proposal_reading.Document, known: Collection[str]
) -> Proposal | Refused:
    """The plan as any other plan is read: what we mended is checked as what was given."""
    built = msgspec.to_builtins(msgspec.structs.replace(draft.plan(), batches=()))
    for unit in built["units"]:
        unit.pop("batch", None)
    try:
        plan = layered(parse(msgspec.json.encode(built), "the plan"), "auto")
    except BadInput as error:
        return _refused([error.message])
    return Proposal(
        plan=plan,
        survey=proposal_evidence.informed(survey, plan, document.files, known),
        mended=tuple(dict.fromkeys(draft.mended)),
        confidence=document.confidence,
    )


# ---- words


def _refused(faults: Sequence[str]) -> Refused:
    told = list(dict.fromkeys(faults))
    if len(told) > MOST_FAULTS:
        told = [*told[:MOST_FAULTS], f"There are {len(told) - MOST_FAULTS} more faults."]
    return Refused(faults=tuple(told))


def _sentences(faults: Faults, raw: dict[str, object]) -> list[str]:
    """Faults of a document as sentences that speak of units, not of places in a file that nobody has."""
    listed = raw.get("units")
    units = listed if isinstance(listed, list) else []
    return [_sentence(place, said, units) for place, said in faults.found]


def _sentence(place: str, said: str, units: list[object]) -> str:
    where = f"`{place}`: " if place else ""
    if (at := _PLACE.match(place)) is not None:
        unit = units[int(at[1])] if int(at[1]) < len(units) else None
        id = unit.get("id") if isinstance(unit, dict) else None
        named = f"Unit `{id}`" if isinstance(id, str) and id else f"Unit number {int(at[1]) + 1}"
        where = f"{named}{f', `{at[2]}`' if at[2] else ''}: "
    advice = next((f" {words}." for key, words in _ADVICE if key in said), "")
    return f"{where}{said}.{advice}"
