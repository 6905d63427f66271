"""The events of `gemini --output-format stream-json`, as far as we read them. Unknown fields and events are ignored.

Field names and meanings were seen with version 0.61.0; recordings of that program are in the tests.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """Every field has a default: a version that leaves one out is understood without it."""


class Head(_Event, frozen=True, kw_only=True):
    """What every event has. type: `init`, `message`, `tool_use`, `tool_result`, `error`, `result`."""

    type: str = ""


class Init(_Event, frozen=True, kw_only=True):
    """The first event. model: as it was asked for; `auto…` where gemini chooses for every request."""

    session_id: str = ""
    model: str = ""


class Message(_Event, frozen=True, kw_only=True):
    """A piece of the conversation. delta: more of the same message follows or went before."""

    role: str = ""
    content: str = ""
    delta: bool = False


class ToolUse(_Event, frozen=True, kw_only=True):
    tool_name: str = ""
    tool_id: str = ""
    parameters: dict[str, Any] = {}


class Fault(_Event, frozen=True, kw_only=True):
    """type: of a tool's result `policy_violation` for a permission that was not given; of the last event the name of
    the exception."""

    type: str = ""
    message: str = ""


class ToolResult(_Event, frozen=True, kw_only=True):
    tool_id: str = ""
    status: str = ""
    error: Fault | None = None


class Warned(_Event, frozen=True, kw_only=True):
    """The event `error`, after which it may go on. severity: `warning` or `error`."""

    severity: str = ""
    message: str = ""


class Tokens(_Event, frozen=True, kw_only=True):
    """Of one model, over the whole run. total_tokens: those of its thoughts included, which `output_tokens` leaves out.

    input_tokens: all of the input; of it `cached` from the provider's cache and `input` not.
    """

    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached: int = 0
    input: int = 0


class Stats(Tokens, frozen=True, kw_only=True):
    """Of all models."""

    duration_ms: float = 0.0
    tool_calls: int = 0
    models: dict[str, Tokens] = {}


class Result(_Event, frozen=True, kw_only=True):
    """The last event. status: `success` or `error`. error: absent where the model's answer could not be used; what was
    wrong with it the event before says. stats: its `duration_ms` is 0 where it ended with an error."""

    status: str = ""
    error: Fault | None = None
    stats: Stats | None = None
