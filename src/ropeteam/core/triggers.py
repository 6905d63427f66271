"""The table of triggers: what each means in a sentence, and what a failed attempt leads to.

Thresholds are in the settings (`Limits`); the ids are those of `model.TriggerId`, used in reports and documents.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from ropeteam.core.model import Action, AttemptResult, Outcome, TriggerId, Value

SENTENCES: Final[dict[TriggerId, str]] = {
    "confidence_below_minimum": "The plan is not certain enough to work in parallel.",
    "batch_validation_failed": "A check that passed before the change fails with it.",
    "agent_crashed": "The agent ended without finishing its work.",
    "context_corrupted": "What the agent reported cannot be relied on.",
    "token_budget_exceeded": "The budget is nearly or wholly used up.",
    "syntax_error": "A changed file does not parse.",
    "file_conflict": "The work of two units does not go together.",
    "speedup_below_minimum": "Working in parallel would not be enough faster.",
    "sequential_time_below_minimum": "The work is too short to be worth sharing out.",
    "unexpected_problem": "Something failed in ropeteam itself.",
    "checkout_changed": "Files in your checkout changed while an agent was at work.",
    "undeclared_write": "An agent wrote outside the files it was given.",
    "plan_refused": "The plan that the agent made cannot be carried out.",
    "disk_nearly_full": "The disk is nearly full.",
    "unit_failed_twice": "A piece of work failed twice.",
    "quota_exhausted": "The provider's quota is used up for now.",
    "agent_not_usable": "The agent cannot be used: not installed, not logged in, or refused.",
    "cancelled": "You cancelled the run.",
}

_BY_OUTCOME: Final[dict[Outcome, TriggerId]] = {
    "auth": "agent_not_usable",
    "rate": "agent_crashed",
    "overload": "agent_crashed",
    "context": "token_budget_exceeded",
    "turns": "agent_crashed",
    "budget": "token_budget_exceeded",
    "denied": "agent_crashed",
    "killed": "agent_crashed",
    "unknown": "agent_crashed",
    "empty": "agent_crashed",
    "stalled": "agent_crashed",
    "timeout": "agent_crashed",
    "corrupted": "context_corrupted",
    "crashed": "agent_crashed",
}

MAY_PASS: Final = frozenset[Outcome]({"rate", "overload"})
"""Causes outside the agent's work that may be gone in a moment: tried again once, not counted as a failed try."""

LONGEST_WAIT: Final = 600.0
"""Seconds. A provider that says it can go on later than this is not waited for: the run parks and says when."""


class Aftermath(Value, frozen=True, kw_only=True):
    """What a failed attempt leads to. counted: against the tries. not_before: of the next attempt."""

    trigger: TriggerId
    action: Action
    counted: bool
    not_before: float = 0.0


def after_failure(
    outcome: Outcome,
    result: AttemptResult,
    *,
    now: float,
    tries_left: int,
    passed_before: int,
    retry_seconds: float,
) -> Aftermath:
    """What follows when a `single` or `rest` attempt failed.

    tries_left: how many attempts may still be made once this one is counted. passed_before: how many attempts in a row
    just before this one ended for a cause that may pass.
    """
    trigger = _BY_OUTCOME.get(outcome, "agent_crashed")
    if outcome == "auth":
        return Aftermath(trigger=trigger, action="park", counted=False)
    if outcome == "budget":
        return Aftermath(trigger=trigger, action="stop", counted=False)
    if outcome in MAY_PASS:
        return _may_pass(outcome, result, now=now, again=passed_before > 0, tries_left=tries_left, wait=retry_seconds)
    return Aftermath(trigger=trigger, action="retry" if tries_left > 0 else "stop", counted=True)


def after_unit_failure(
    outcome: Outcome,
    result: AttemptResult,
    *,
    now: float,
    passed_before: int,
    retry_seconds: float,
    fallback: Literal["salvage", "strict"],
) -> Aftermath:
    """What follows when one of several attempts failed. passed_before: how many of its unit ended before for a cause
    that may pass."""
    first = after_failure(
        outcome, result, now=now, tries_left=0, passed_before=passed_before, retry_seconds=retry_seconds
    )
    if first.action in ("park", "retry"):
        return first
    return replace(first, action=fallback, counted=True)


def _may_pass(
    outcome: Outcome, result: AttemptResult, *, now: float, again: bool, tries_left: int, wait: float
) -> Aftermath:
    until = result.retry_at if result.retry_at is not None else now + wait
    if until - now > LONGEST_WAIT or (again and outcome == "rate"):
        return Aftermath(trigger="quota_exhausted", action="park", counted=False, not_before=result.retry_at or 0.0)
    if again:
        return Aftermath(trigger="agent_crashed", action="retry" if tries_left > 0 else "stop", counted=True)
    return Aftermath(trigger="agent_crashed", action="retry", counted=False, not_before=until)
