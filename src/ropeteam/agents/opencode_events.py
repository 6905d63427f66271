"""The events of `opencode run --format json`, as far as we read them. Unknown fields and events are ignored.

Field names and meanings were seen with version 1.18.33; recordings of that program are in the tests.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """Every field has a default: a version that leaves one out is understood without it."""


class Head(_Event, frozen=True, kw_only=True):
    """What every event has. type: `step_start`, `text`, `reasoning`, `tool_use`, `step_finish`, `error`.

    There is no last event: a run that went well ends after a `step_finish` whose reason is not `tool-calls`.
    """

    type: str = ""
    session: str = msgspec.field(default="", name="sessionID")


class Cache(_Event, frozen=True, kw_only=True):
    read: float = 0
    write: float = 0


class Tokens(_Event, frozen=True, kw_only=True):
    """Of one step, which is one request. input: without what came from the cache. reasoning: beside `output`."""

    input: float = 0
    output: float = 0
    reasoning: float = 0
    cache: Cache = Cache()


class State(_Event, frozen=True, kw_only=True):
    """Of a tool's call. status: `completed` or `error`."""

    status: str = ""
    input: dict[str, Any] = {}
    error: str | None = None


class Part(_Event, frozen=True, kw_only=True):
    """What an event is about. Which fields are set depends on the event. cost: in US dollars, of one step."""

    id: str = ""
    text: str = ""
    tool: str = ""
    call: str = msgspec.field(default="", name="callID")
    state: State = State()
    reason: str = ""
    cost: float = 0.0
    tokens: Tokens | None = None


class Event(Head, frozen=True, kw_only=True):
    part: Part = Part()


class FaultData(_Event, frozen=True, kw_only=True):
    """status: of HTTP. headers: of the provider's answer, names in lower case."""

    message: str = ""
    status: int | None = msgspec.field(default=None, name="statusCode")
    headers: dict[str, str] | None = msgspec.field(default=None, name="responseHeaders")
    body: str | None = msgspec.field(default=None, name="responseBody")


class Fault(_Event, frozen=True, kw_only=True):
    """name: `APIError`, `ProviderAuthError`, `ContextOverflowError`, `MessageAbortedError`, `UnknownError` …"""

    name: str = ""
    data: FaultData = FaultData()


class Failed(Head, frozen=True, kw_only=True):
    """The event `error`: the run ends with it, unless a step follows (after it shortened its conversation)."""

    error: Fault = Fault()
