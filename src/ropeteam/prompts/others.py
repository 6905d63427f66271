"""What an attempt is told of the plan and of the others (`ropeteam.core.briefing`), as parts of its prompt."""

from __future__ import annotations

from collections.abc import Sequence

from ropeteam.core.briefing import Briefing, Left, Neighbour
from ropeteam.core.model import Unit
from ropeteam.prompts.markdown import code, codes, fenced, fill, item, items, one_line

SHOWN_UNITS = 30
SHOWN_PATTERNS = 6  # of one unit, to the others
SHOWN_OWN_PATTERNS = 60
SHOWN_PROVIDED = 12  # names that one unit makes available
SHOWN_CHANGED = 8  # files of one unit
SHOWN_FILES = 60  # of the contract
SHOWN_DECISIONS = 20
SHOWN_REQUESTS = 30


def plan(briefing: Briefing) -> list[str]:
    """Who owns what, and what the contract declares: to the byte the same for all units that are told both.

    That is why the unit itself stands among the others, and why nothing is said here of how far they are.
    """
    every = list(briefing.others)
    if briefing.unit is not None:
        mine = briefing.unit
        every.append(Neighbour(unit=mine.id, title=mine.title, writes=mine.writes, provides=mine.provides))
    every.sort(key=lambda one: one.unit)
    lines = [_line(one) for one in every]
    parts = [fill("units", units=items(lines, SHOWN_UNITS))] if len(every) > 1 else []
    if briefing.contract or briefing.contract_decisions:
        files = [item(code(note.path), note.purpose) for note in briefing.contract]
        decisions = [
            item(one_line(note.decision), note.rationale) for note in briefing.contract_decisions if note.decision
        ]
        parts.append(
            fill(
                "declared",
                files=items(files, SHOWN_FILES),
                decisions="What was decided with it:\n\n" + items(decisions, SHOWN_DECISIONS) if decisions else "",
            )
        )
    return parts


def _line(one: Neighbour) -> str:
    provides = f"; provides {codes(one.provides, SHOWN_PROVIDED)}" if one.provides else ""
    return f"- {_named(one.unit, one.title)}: {codes(one.writes, SHOWN_PATTERNS) or 'nothing'}{provides}"


def yours(unit: Unit) -> str:
    provided = codes(unit.provides, SHOWN_PROVIDED)
    return fill(
        "yours",
        writes=items((f"- {code(one)}" for one in unit.writes), SHOWN_OWN_PATTERNS),
        provides=f"Others count on finding this with you, by exactly these names: {provided}." if provided else "",
    )


def reads(unit: Unit) -> str:
    """A sentence to go behind another."""
    return f" Look at what fits {codes(unit.reads, SHOWN_PATTERNS)} too." if unit.reads else ""


def others(briefing: Briefing) -> str:
    """How far the others are, for a unit: what is there to build on, and what is not."""
    missing = [one.unit for one in briefing.others if one.state != "validated"]
    needs = briefing.unit.needs if briefing.unit else ()
    there = validated(briefing, needs)
    if not there and not missing:
        return ""
    where = "what the contract declares" if briefing.contract else "the documents and the goals of the units"
    parts = ["## What is there, and what is not"]
    if there:
        parts.append(f"Validated, and in your work tree:\n\n{there}")
    if missing:
        parts.append(fill("missing", units=codes(missing, SHOWN_UNITS), where=where))
    return "\n\n".join(parts)


def validated(briefing: Briefing, needs: Sequence[str] = ()) -> str:
    """The list of validated units with their files, but for files that are told as the contract's.

    needs: units to be marked as what this one builds on.
    """
    declared = {note.path for note in briefing.contract}
    lines = []
    for one in briefing.others:
        changed = [path for path in one.changed if path not in declared]
        if one.state == "validated" and (changed or not one.changed):
            builds = ", which you build on" if one.unit in needs else ""
            files = f": {codes(changed, SHOWN_CHANGED)}" if changed else ""
            lines.append(f"- {_named(one.unit, one.title)}{builds}{files}")
    return items(lines, SHOWN_UNITS)


def asked(briefing: Briefing) -> str:
    lines = [item(f"{code(one.path)}, for {code(one.unit)}", one.what) for one in briefing.requests]
    return fill("asked", requests=items(lines, SHOWN_REQUESTS)) if lines else ""


def left(briefing: Briefing) -> str:
    """What is left to do, with what is known of it. Never cut: it has to be done."""
    return fill("left", units="\n\n".join(_left(one) for one in briefing.left)) if briefing.left else ""


def _left(one: Left) -> str:
    parts = [f"### {_named(one.unit, one.title)}"]
    if one.goal.strip():
        parts.append(one.goal.strip())
    facts = [f"Requirements: {', '.join(one.requirements)}."] if one.requirements else []
    if one.writes:
        facts.append(f"Planned in {codes(one.writes, SHOWN_PATTERNS)}.")
    if one.commit:
        facts.append(f"An earlier try: commit {code(one.commit)}.")
    if facts:
        parts.append(" ".join(facts))
    if one.evidence.strip():
        parts.append(f"Why that did not pass:\n\n{fenced(one.evidence, 'text')}")
    return "\n\n".join(parts)


def order(batches: Sequence[Sequence[str]], whole: str) -> str:
    """The order of the work, for who does all of it. whole: what that is."""
    lines = ["; ".join(one_line(title) for title in batch) for batch in batches if batch]
    if not lines:
        return fill("order", whole=whole)
    return fill(
        "order-planned", whole=whole, batches=items((f"- {line}" for line in lines), SHOWN_UNITS).replace("\n", "\n   ")
    )


def _named(unit: str, title: str) -> str:
    words = one_line(title)
    return f"{code(unit)} {words}" if words and words != unit else code(unit)
