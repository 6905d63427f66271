"""What made a run fall back, said of a unit."""

from __future__ import annotations

from typing import Final

from ropeteam.cli.plain import whole
from ropeteam.core.model import TriggerId
from ropeteam.core.triggers import SENTENCES

FELL: Final[dict[TriggerId, str]] = {
    "agent_crashed": "The agent of unit {unit} ended without finishing its work.",
    "batch_validation_failed": "A check that passed before the change fails with unit {unit}.",
    "context_corrupted": "What the agent of unit {unit} reported cannot be relied on.",
    "file_conflict": "Unit {unit} does not fit beside the others.",
    "syntax_error": "Unit {unit} left a file that does not parse.",
    "token_budget_exceeded": "The agent of unit {unit} has nearly or wholly used up what it had.",
    "unit_failed_twice": "Unit {unit} failed twice.",
    "unexpected_problem": "Something failed in ropeteam itself, around unit {unit}.",
}
"""The same as `SENTENCES`, of a unit."""


def fell(id: str, unit: str, evidence: str) -> str:
    """What happened, in a sentence or two."""
    said = whole(evidence)
    if id == "file_conflict" and unit and said.startswith("Conflicts "):
        return f"Unit {unit} conflicted {said.removeprefix('Conflicts ')}"
    if id in ("undeclared_write", "file_conflict") and unit and said.startswith("It changed "):
        return f"Unit {unit} {said.removeprefix('It ')}"
    if id == "undeclared_write" and unit:
        return f"Unit {unit}: {said}"
    if id == "batch_validation_failed" and not unit:
        return f"The units hold one by one, and not together. {said}"
    sentence = SENTENCES.get(id, "")  # type: ignore[call-overload]
    if unit and id in FELL:
        sentence = FELL[id].format(unit=unit)
    return " ".join(part for part in (sentence, said) if part)
