"""The table of triggers, and what a failed attempt leads to."""

from __future__ import annotations

from typing import get_args

import pytest

from ropeteam.core.decide import decide
from ropeteam.core.model import Answers, AttemptResult, Outcome, TriggerId
from ropeteam.core.settings import Gate
from ropeteam.core.triggers import LONGEST_WAIT, MAY_PASS, SENTENCES, Aftermath, after_failure

NOW = 1_000_000.0
FAILURES = [o for o in get_args(Outcome) if o != "ok"]
WORK = [o for o in FAILURES if o not in MAY_PASS and o not in ("auth", "budget")]


def after(outcome: Outcome, *, left: int = 1, passed_before: int = 0, retry_at: float | None = None) -> Aftermath:
    result = AttemptResult(retry_at=retry_at)
    return after_failure(outcome, result, now=NOW, tries_left=left, passed_before=passed_before, retry_seconds=30.0)


def test_every_trigger_has_one_sentence_for_people() -> None:
    assert set(SENTENCES) == set(get_args(TriggerId))
    for sentence in SENTENCES.values():
        assert sentence.endswith(".")
        assert sentence[0].isupper()
        assert len(sentence) < 90


@pytest.mark.parametrize("outcome", FAILURES)
def test_every_outcome_but_ok_has_a_trigger_of_its_own(outcome: Outcome) -> None:
    assert after(outcome).trigger in SENTENCES


@pytest.mark.parametrize("outcome", WORK)
def test_a_fault_of_the_agent_counts_and_is_tried_again_while_tries_are_left(outcome: Outcome) -> None:
    assert (after(outcome).action, after(outcome).counted) == ("retry", True)
    assert (after(outcome, left=0).action, after(outcome, left=0).counted) == ("stop", True)
    assert after(outcome).not_before == 0.0


@pytest.mark.parametrize(
    ("outcome", "trigger"),
    [("corrupted", "context_corrupted"), ("context", "token_budget_exceeded"), ("turns", "agent_crashed")],
)
def test_which_trigger_a_fault_is(outcome: Outcome, trigger: TriggerId) -> None:
    assert after(outcome).trigger == trigger


@pytest.mark.parametrize("left", [0, 1])
def test_an_agent_that_cannot_be_used_parks_and_does_not_count(left: int) -> None:
    assert after("auth", left=left) == Aftermath(trigger="agent_not_usable", action="park", counted=False)


def test_a_budget_that_is_gone_ends_the_run() -> None:
    assert after("budget") == Aftermath(trigger="token_budget_exceeded", action="stop", counted=False)


@pytest.mark.parametrize("outcome", sorted(MAY_PASS))
@pytest.mark.parametrize("left", [0, 1])
def test_a_cause_that_may_pass_is_waited_for_once_even_in_the_last_try(outcome: Outcome, left: int) -> None:
    waited = after(outcome, left=left)
    assert (waited.trigger, waited.action, waited.counted) == ("agent_crashed", "retry", False)
    assert waited.not_before == NOW + 30.0
    assert after(outcome, retry_at=NOW + 200).not_before == NOW + 200


def test_a_second_rate_limit_in_a_row_is_a_quota_and_a_second_overload_a_fault() -> None:
    assert after("rate", passed_before=1) == Aftermath(trigger="quota_exhausted", action="park", counted=False)
    assert after("rate", passed_before=1, retry_at=NOW + 60).not_before == NOW + 60
    assert after("overload", passed_before=1) == Aftermath(trigger="agent_crashed", action="retry", counted=True)
    assert after("overload", passed_before=1, left=0).action == "stop"


@pytest.mark.parametrize("outcome", sorted(MAY_PASS))
def test_the_longest_wait_is_a_bound(outcome: Outcome) -> None:
    assert after(outcome, retry_at=NOW + LONGEST_WAIT).action == "retry"
    later = after(outcome, retry_at=NOW + LONGEST_WAIT + 1)
    assert (later.trigger, later.action, later.not_before) == ("quota_exhausted", "park", NOW + LONGEST_WAIT + 1)


@pytest.mark.parametrize("mode", ["auto", "single"])
def test_without_estimates_one_agent_is_the_decision_with_its_reason(mode: str) -> None:
    decision = decide(Answers(mode=mode, agent="command"), None, Gate())  # type: ignore[arg-type]
    assert (decision.mode, decision.triggers, decision.overridden) == ("single", (), ())
    assert len(decision.reasons) == 1
