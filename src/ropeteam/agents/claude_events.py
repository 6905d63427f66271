"""The events of `claude --output-format stream-json`, as far as we read them. Unknown fields and events are ignored.

Field names and meanings were seen with version 2.1.330; recordings of that program are in the tests.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """Every field has a default: a version that leaves one out is understood without it."""


class Head(_Event, frozen=True, kw_only=True):
    """What every event has."""

    type: str = ""
    subtype: str = ""
    session_id: str = ""


class Server(_Event, frozen=True, kw_only=True):
    """An MCP server. status: `connected`, `failed`, `pending` ..."""

    name: str = ""
    status: str = ""


class Init(_Event, frozen=True, kw_only=True):
    model: str = ""
    mcp_servers: list[Server] | None = None


class Retry(_Event, frozen=True, kw_only=True):
    """It waits `retry_delay_ms` and asks again. error_status: of HTTP; None when there was no answer at all."""

    attempt: int = 0
    error_status: int | None = None
    error: str | None = None
    retry_delay_ms: float = 0.0


class Denied(_Event, frozen=True, kw_only=True):
    """A permission that was not given. message: in the event; tool_input: in the result."""

    tool_name: str = ""
    tool_use_id: str = ""
    message: str = ""


class Block(_Event, frozen=True, kw_only=True):
    type: str = ""
    text: str = ""
    name: str = ""
    input: dict[str, Any] = {}


class Tokens(_Event, frozen=True, kw_only=True):
    input_tokens: int | None = 0
    cache_creation_input_tokens: int | None = 0
    cache_read_input_tokens: int | None = 0
    output_tokens: int | None = 0


class Message(_Event, frozen=True, kw_only=True):
    """One answer of the model; it comes in several events with the same id, one for each block of its content."""

    id: str = ""
    model: str = ""
    content: list[Block] | str = []
    usage: Tokens | None = None


class Assistant(_Event, frozen=True, kw_only=True):
    """parent_tool_use_id: set for a message of a subagent. error: set when claude wrote the message itself."""

    message: Message = Message()
    parent_tool_use_id: str | None = None
    error: str | None = None


class RateLimitInfo(_Event, frozen=True, kw_only=True, rename="camel"):
    """Of a subscription's window. resets_at: seconds since the epoch."""

    status: str | None = None
    resets_at: float | None = None
    rate_limit_type: str | None = None


class RateLimit(_Event, frozen=True, kw_only=True):
    rate_limit_info: RateLimitInfo = RateLimitInfo()


class ModelUsage(_Event, frozen=True, kw_only=True, rename="camel"):
    """Of one model over the whole conversation, subagents and side requests included. In one that goes on from a copy
    of another, what that had used is in it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    context_window: int = 0
    cost_usd: float = msgspec.field(default=0.0, name="costUSD")


class Result(_Event, frozen=True, kw_only=True):
    """The last event. `subtype` is "success" also when the provider refused every request: `is_error` counts.

    Its `usage` is not read: when the money limit was reached it is all zeros, while `modelUsage` is right. since_last:
    what was used since the last event of this kind, or since the start; newer versions tell it.
    """

    subtype: str = ""
    is_error: bool = False
    terminal_reason: str | None = None
    api_error_status: int | None = None
    api_error: str | None = None
    result: str | None = None
    structured_output: Any = None
    errors: list[str] | None = None
    permission_denials: list[Denied] | None = None
    num_turns: int = 0
    total_cost_usd: float | None = None
    model_usage: dict[str, ModelUsage] = msgspec.field(default_factory=dict, name="modelUsage")
    since_last: dict[str, ModelUsage] | None = msgspec.field(default=None, name="model_usage_since_last_result")
