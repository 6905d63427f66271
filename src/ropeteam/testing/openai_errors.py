"""How OpenAI refuses, in both of its formats."""

from __future__ import annotations

from typing import Any, Final

from ropeteam.testing.model_script import Refused, Status
from ropeteam.testing.model_wire import retry_after

QUOTA: Final = "You exceeded your current quota, please check your plan and billing details."
_TYPES: Final = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error"}
_CODES: Final = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}

_REFUSALS: Final = {
    # kind: status, type, code, message
    "auth": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: dummy."),
    "forbidden": (403, "insufficient_permissions", "insufficient_permissions", "You have insufficient permissions."),
    "rate": (429, "requests", "rate_limit_exceeded", "Rate limit reached for requests per min."),
    "quota": (429, "insufficient_quota", "insufficient_quota", QUOTA),
    "window": (429, "usage_limit_reached", None, "The usage limit has been reached"),
    "overload": (503, "service_unavailable_error", "server_is_overloaded", "Our servers are currently overloaded."),
    "server": (500, "server_error", "server_error", "The server had an error while processing your request."),
    "context": (
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
    ),
    "model": (404, "invalid_request_error", "model_not_found", "The model `no-such-model` does not exist."),
    "bad": (400, "invalid_request_error", "invalid_value", "Invalid value: 'x'."),
}


def error(status: int, message: str = "") -> dict[str, Any]:
    kind = _TYPES.get(status, "server_error" if status >= 500 else "requests")
    words = message or f"scripted error {status}"
    return {"error": {"message": words, "type": kind, "param": None, "code": _CODES.get(status)}}


def refusal(refused: Refused) -> Status:
    status, kind, code, message = _REFUSALS[refused.kind]
    if refused.kind == "rate" and refused.seconds is not None:
        message = f"{message} Please try again in {refused.seconds:g}s."
    document: dict[str, Any] = {"message": message, "type": kind, "param": None, "code": code}
    if refused.kind == "window":
        # What codex gets with a subscription; seconds since the epoch.
        document |= {"plan_type": "plus", "resets_at": 1_900_000_000, "resets_in_seconds": 3600}
    return Status(status=status, headers=retry_after(refused), body={"error": document})


def failure(refused: Refused) -> dict[str, Any]:
    """What a refusal is in an event of a stream that has begun."""
    _, _, code, message = _REFUSALS[refused.kind]
    return {"code": code or "server_error", "message": message}
