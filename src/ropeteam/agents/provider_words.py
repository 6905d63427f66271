"""What an error's text alone says of the provider, for agents that tell it in words only."""

from __future__ import annotations

import re
from typing import Final, Literal

from ropeteam.agents import refusals

Refusal = Literal["auth", "rate", "overload", "context"]

_STATUS = re.compile(r"\b(?:4(?:01|02|03|08|13|29)|5(?:00|02|03|04|29))\b")
_ENVELOPE: Final = re.compile(r"^(litellm\.)?internal error\b", re.IGNORECASE)
"""What JSON-RPC calls any error: it says nothing."""
_AUTH: Final = re.compile(
    r"authentication required|api_key|missing environment variable: `\w*KEY"
    # What is left of a 403: litellm passes on neither its status nor its code.
    # A model that "does not exist or you do not have access to it" is another matter.
    r"|insufficient[_ ]permission|(?<!exist or you may )(?<!exist or you do )not have (?:the )?(?:permission|access)\b",
    re.IGNORECASE,
)
_OVERLOAD: Final = re.compile(
    r"internalservererror|down or overloaded|model is at capacity|failed to parse json|empty or malformed response"
    r"|server had an error while processing"
    # What claude says of an answer without any content.
    r"|last_content_type=none"
    # What litellm makes of an error that comes with status 200.
    r"|\bAPIError: \w+ -\s*$",
    re.IGNORECASE,
)


def refusal(text: str) -> Refusal | None:
    """Why the provider refused; None when the words do not say. Only for texts known to be errors: a text about such
    errors has the same words."""
    words = _ENVELOPE.sub("", text)
    status = _STATUS.search(words)
    match refusals.outcome(int(status[0]) if status else 0, words):
        case "auth" | "rate" | "overload" | "context" as found:
            return found
    if _AUTH.search(words):
        return "auth"
    return "overload" if _OVERLOAD.search(words) else None


def status_of(text: str) -> int:
    """The status of HTTP that an error's text stands for, as far as it matters while a program tries again: 403 for a
    log-in that is refused, where trying again is no use; 429; else 0."""
    match refusal(text):
        case "auth":
            return 403
        case "rate":
            return 429
        case _:
            return 0
