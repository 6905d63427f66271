"""The events of `codex exec --json`, and of the record that codex keeps of a conversation, as far as we read them.

Unknown fields and events are ignored. Field names and meanings were seen with version 0.169.0; recordings of that
program are in the tests.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    """Every field has a default: a version that leaves one out is understood without it."""


class Head(_Event, frozen=True, kw_only=True):
    """What every event has. `thread.started`, `turn.started`, `turn.completed`, `turn.failed`, `item.started`,
    `item.updated`, `item.completed`, `error`."""

    type: str = ""


class ThreadStarted(_Event, frozen=True, kw_only=True):
    thread_id: str = ""


class Change(_Event, frozen=True, kw_only=True):
    """Of a patch. path: absolute. kind: `add`, `update`, `delete`."""

    path: str = ""
    kind: str = ""


class Step(_Event, frozen=True, kw_only=True):
    """Of the list of what is to be done that the model keeps."""

    text: str = ""
    completed: bool = False


class Words(_Event, frozen=True, kw_only=True):
    message: str = ""


class Item(_Event, frozen=True, kw_only=True):
    """One thing said or done. type: `agent_message`, `reasoning`, `command_execution`, `file_change`, `mcp_tool_call`,
    `web_search`, `todo_list`, `error` (something people should know; the run goes on).

    A command or patch that codex's own sandbox refused at once has no item at all: see `codex_record`.
    """

    id: str = ""
    type: str = ""
    text: str | None = None
    message: str | None = None
    command: str | None = None
    status: str | None = None
    exit_code: int | None = None
    changes: list[Change] | None = None
    server: str | None = None
    tool: str | None = None
    arguments: Any = None
    query: str | None = None
    items: list[Step] | None = None


class ItemEvent(_Event, frozen=True, kw_only=True):
    item: Item = Item()


class Tokens(_Event, frozen=True, kw_only=True):
    """input_tokens holds those that were read from the provider's cache; output_tokens those of reasoning."""

    input_tokens: int | None = 0
    cached_input_tokens: int | None = 0
    output_tokens: int | None = 0


class TurnCompleted(_Event, frozen=True, kw_only=True):
    """usage: of the whole conversation, with what it went on from."""

    usage: Tokens | None = None


class TurnFailed(_Event, frozen=True, kw_only=True):
    error: Words = Words()


# ---- the record: `sessions/YYYY/MM/DD/rollout-TIME-ID.jsonl`


class Recorded(_Event, frozen=True, kw_only=True):
    type: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class TurnContext(_Event, frozen=True, kw_only=True):
    model: str = ""


class TokenUsage(_Event, frozen=True, kw_only=True):
    """Of one request. Only of requests of this very conversation: what it was forked from has a record of its own."""

    usage: Tokens | None = None


class Output(_Event, frozen=True, kw_only=True):
    """What the model was told of a call. output: text, or blocks with a `text`."""

    type: str = ""
    call_id: str = ""
    output: Any = None


class TokenCountInfo(_Event, frozen=True, kw_only=True):
    model_context_window: int | None = 0


class Message(_Event, frozen=True, kw_only=True):
    """`token_count` has an `info`."""

    type: str = ""
    info: TokenCountInfo | None = None
