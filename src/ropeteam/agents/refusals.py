"""What it means when a provider does not answer a request, by status and words, whoever passes them on.

The words are those of the providers' own documentation and of what the agents make of them (gemini 0.61.0, opencode
1.18.33). What the program that was refused says comes first to its adapter; this is for what all of them share.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from ropeteam.core.model import Outcome
from ropeteam.ports import Finish

_QUOTA: Final = r"""
resource[_ ]?exhausted
quota
insufficient[_ ](?:balance|funds|credits?)
credit balance
out of credits
billing
(?:usage|spend|spending|rate)[_ ]?limit
hit your limit
too many requests
exhausted your
"""
_CONTEXT: Final = r"""
context[_ ]?(?:length|window|overflow)
(?:prompt|input) is too long
too many (?:input )?tokens
token[_ ]count.{0,40}exceeds
exceeds the (?:maximum|model|limit).{0,40}tokens?
maximum.{0,20}tokens
request too large
reduce the length
"""
_AUTH: Final = r"""
unauthenticated
unauthori[sz]ed
permission_denied
(?:invalid|incorrect|missing)[_ ](?:x-)?api[_ -]key
api[_ ]key (?:not valid|is missing|expired)
(?:invalid|failed) authentication
authentication[_ ](?:error|fail)
not (?:logged|signed) in
failed to (?:authenticate|load oauth)
auth(?:entication)? method
token (?:has )?expired
re-?authenticate
"""
_TROUBLE: Final = r"""
overload
unavailable
internal (?:server )?error
server_error
bad gateway
gateway time
timed? ?out
high demand
fetch failed
incomplete json
json pars
econn
enotfound
eai_again
epipe
etimedout
socket
network
connect
terminated
stream (?:ended|closed)
"""


def _any_of(words: str) -> re.Pattern[str]:
    """A pattern for each line."""
    return re.compile("|".join(words.split("\n")[1:-1]), re.IGNORECASE)


_quota, _context, _auth, _trouble = _any_of(_QUOTA), _any_of(_CONTEXT), _any_of(_AUTH), _any_of(_TROUBLE)

_UNITS: Final = {"milli": 0.001, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LENGTH: Final = r"(?:\d+(?:\.\d+)?\s*[smhd][a-z]*[ ,]*(?:and )?)+"
_WAIT: Final = re.compile(rf"(?:retry|reset|again|available|wait)\w*\s+(?:after|in|for)\s+({_LENGTH})", re.IGNORECASE)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(milli|ms|[smhd])", re.IGNORECASE)
_UNTIL: Final = re.compile(
    r"(?:retry|reset|again|available)\w*\s+(?:after|at|on|until)\s+"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)",
    re.IGNORECASE,
)
_MESSAGE: Final = re.compile(r'"message"\s*:\s*"((?:[^"\\]|\\.)+)"')
READ: Final = 4000
"""Characters of a provider's words that are looked at."""
LONGEST: Final = 40 * 86400.0
"""Seconds. What a provider says beyond this is not a time when it can go on (a month is the longest window)."""


def outcome(status: int, words: str) -> Outcome | None:
    """What a refused request is. status: of HTTP, 0 where none was told. None where neither says anything we know.

    A quota that is used up is looked for before the status: providers say it with 429, 402, 403 and 400.
    """
    words = words[:READ]
    if status == 401:
        return "auth"
    if status in (402, 429) or _quota.search(words):
        return "rate"
    if status == 413 or _context.search(words):
        return "context"
    if status == 403 or _auth.search(words):
        return "auth"
    if status in (408, 499) or status >= 500 or (status == 0 and _trouble.search(words)):
        return "overload"
    return None


def status(words: str) -> int:
    """The status of HTTP that the words stand for, as far as it matters to people: 429, or 0."""
    return 429 if outcome(0, words) == "rate" else 0


def plain(words: str) -> str:
    """The provider's own sentence, where its whole answer stands in the words: `{"error": {"message": …}}`."""
    found = _MESSAGE.search(words[:READ])
    return re.sub(r"\\(.)", r"\1", found[1]) if found else words


def while_waiting(stopped: Finish, words: str) -> tuple[Outcome, str] | None:
    """The outcome of a program that was stopped because it was quiet for too long, when what it waited for was a
    provider. words: of the last answer that was refused, empty when another one came after it."""
    refused = outcome(0, words) if stopped.outcome == "stalled" and words else None
    if refused is None:
        return None
    return refused, f"{stopped.evidence} It was waiting for its provider: {' '.join(words.split())[:300].rstrip('.')}."


def retry_at(words: str, now: float) -> float | None:
    """When the provider says it can go on, in seconds since the epoch; None where its words do not say."""
    words = words[:READ]
    until = _UNTIL.search(words)
    if until is None:
        seconds = wait(words)
        return now + seconds if seconds else None
    try:
        at = datetime.fromisoformat(until[1])
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at.timestamp() if 0 < at.timestamp() - now <= LONGEST else None


def wait(words: str) -> float:
    """How long the provider says to wait, in seconds; 0 where its words do not say."""
    found = _WAIT.search(words[:READ])
    if found is None:
        return 0.0
    seconds = sum(float(number) * _UNITS[unit.lower()] for number, unit in _PART.findall(found[1]))
    return seconds if seconds <= LONGEST else 0.0
