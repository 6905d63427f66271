"""What a text says of a provider that did not answer as hoped, for agents that tell it in words only.

The words are those of the programs and libraries themselves (litellm, the SDKs of Anthropic, OpenAI and Google, codex),
as they were seen with the faults of the loopback model server.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Refusal = Literal["auth", "rate", "overload", "context"]

_WORDS: Final[tuple[tuple[Refusal, str], ...]] = (
    (
        "context",
        r"context[ _]?(window|length)[ _]?exceeded|maximum context length|prompt is too long|input is too long"
        r"|ran out of room in the model's context|exceeds? the (maximum|available) (number of tokens|context)",
    ),
    (
        "rate",
        r"\b4(02|29)\b|rate[ _-]?limit|too many requests|insufficient[ _]quota|quota (exceeded|exhausted)"
        r"|exceeded your (current )?quota|resource( has been|_| )exhausted|usage limit|hit your limit"
        r"|credit balance is too low|payment required|out of credits",
    ),
    (
        "auth",
        r"\b40[13]\b|unauthorized|unauthenticated|authentication[ _]?(error|failed|required)|incorrect api key"
        r"|invalid (api|x-api)[ -]?key|api[ _]key not (valid|found)|missing (an )?api[ _]key|not logged in"
        r"|please (run )?/?log ?in|permission[ _]?denied[ _]?error|api_key client option must be set",
    ),
    (
        "overload",
        r"\b(500|502|503|504|529)\b|overloaded|internal ?server ?error|service ?unavailable|bad gateway|high demand"
        r"|connection ?(error|refused|reset|closed|aborted|failed)|econn(refused|reset)|fetch failed|timed? ?out"
        r"|stream (disconnected|closed)|error sending request|server disconnected|unable to connect",
    ),
)
_PATTERNS: Final = tuple((refusal, re.compile(words, re.IGNORECASE)) for refusal, words in _WORDS)


def refusal(text: str) -> Refusal | None:
    """Why the provider refused, by the words of an error; None when they do not say. Only for texts known to be
    errors: a text about such errors has the same words."""
    return next((kind for kind, pattern in _PATTERNS if pattern.search(text)), None)
