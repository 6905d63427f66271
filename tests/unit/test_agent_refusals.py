"""What a provider's refusal means, in the words of the providers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.agents import refusals
from ropeteam.core.model import Outcome
from ropeteam.ports import Finish

NOW = 1_795_000_000.0

SENTENCES: list[tuple[int, str, Outcome | None]] = [
    (401, "You exceeded your current quota", "auth"),
    (403, "The caller does not have permission", "auth"),
    (400, "API key not valid. Please pass a valid API key.", "auth"),
    (0, "Incorrect API key provided: sk-xx", "auth"),
    (0, "invalid x-api-key", "auth"),
    (429, "", "rate"),
    (402, "Insufficient Balance", "rate"),
    (400, "Your credit balance is too low to access the Anthropic API.", "rate"),
    (403, "Quota exceeded for requests per day", "rate"),
    (0, "You have exhausted your capacity on this model. Your quota will reset after 21h14m3s.", "rate"),
    (0, "RESOURCE_EXHAUSTED", "rate"),
    (0, "insufficient_quota", "rate"),
    (0, "You've hit your usage limit.", "rate"),
    (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "context"),
    (400, "This model's maximum context length is 128000 tokens.", "context"),
    (400, "prompt is too long: 210000 tokens > 200000 maximum", "context"),
    (413, "", "context"),
    (503, "The model is overloaded. Please try again later.", "overload"),
    (529, "Overloaded", "overload"),
    (500, "", "overload"),
    (0, "exception TypeError: fetch failed sending request", "overload"),
    (0, "Unable to connect. Is the computer able to access the url?", "overload"),
    (400, "messages.0.content: field required", None),
    (404, "models/none is not found for API version v1beta", None),
    (0, "", None),
]


@pytest.mark.parametrize(("status", "words", "outcome"), SENTENCES)
def test_what_a_refusal_is(status: int, words: str, outcome: Outcome | None) -> None:
    assert refusals.outcome(status, words) == outcome


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Your quota will reset after 21h14m3s.", 76443.0),
        ("Please retry in 39.5s", 39.5),
        ("Suggested retry after 60s.", 60.0),
        ("Try again in 5 minutes and 3 seconds", 303.0),
        ("It will reset in 3 days 2 hours. To continue", 266400.0),
        ("available again in 250ms", 0.25),
        ("it resets at 2026-11-19T00:26:40Z", 1600.0),
        ("retry after 2026-11-19 00:26:40", 1600.0),
    ],
)
def test_when_it_can_go_on(words: str, seconds: float) -> None:
    base = 1_795_046_400.0 if "2026" in words else NOW
    found = refusals.retry_at(words, base)

    assert found is not None
    assert found - base == pytest.approx(seconds)


@pytest.mark.parametrize(
    "words", ["", "later", "try again", "resets at noon", "reset in 999 days", "resets at 2020-01-01T00:00:00Z"]
)
def test_when_it_does_not_say(words: str) -> None:
    assert refusals.retry_at(words, NOW) is None


def test_of_a_whole_answer_the_sentence_is_shown() -> None:
    assert refusals.plain('[API Error: {"error":{"code":401,"message":"no \\"key\\"","status":"X"}}]') == 'no "key"'
    assert refusals.plain("as it is") == "as it is"


def test_who_was_stopped_while_the_provider_let_it_wait_is_told_by_that() -> None:
    stalled = Finish(outcome="stalled", evidence="Stopped: quiet.")
    words = "You have exhausted your daily quota."

    told = refusals.while_waiting(stalled, words)
    assert told is not None
    assert told[0] == "rate"
    assert "daily quota" in told[1]
    assert refusals.while_waiting(stalled, "") is None, "it was not waiting"
    assert refusals.while_waiting(Finish(outcome="killed"), words) is None, "it was stopped for another reason"


@given(st.integers(-1, 1000), st.text() | st.from_regex(r"(retry|reset) (in|after|at) [0-9a-z .:T-]{0,40}"))
def test_any_words_are_understood_or_left(status: int, words: str) -> None:
    refusals.outcome(status, words)
    at = refusals.retry_at(words, NOW)

    assert at is None or NOW < at <= NOW + refusals.LONGEST
