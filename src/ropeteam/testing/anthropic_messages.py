"""The Anthropic Messages format of the scripted model: requests read, answers written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ropeteam.testing.model_script import Call, Refused, Status
from ropeteam.testing.model_wire import Asked, Tool, canonical, event, fields_of, number, retry_after
from ropeteam.testing.prompt_cache import Block, Breakpoints, Use, tokens

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}

_REFUSALS = {
    "auth": (401, "invalid x-api-key"),
    "forbidden": (403, "Your account does not have permission to use this model."),
    "rate": (429, "This request would exceed your organization's rate limit."),
    "quota": (400, "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."),
    "window": (429, "This request would exceed your account's rate limit. Please try again later."),
    "overload": (529, "Overloaded"),
    "server": (500, "Internal server error"),
    "context": (400, "prompt is too long: 210000 tokens > 200000 maximum"),
    "model": (404, "model: no-such-model"),
    "bad": (400, "messages: at least one message is required"),
}
_WINDOW = {
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": "1900000000",
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
}
_HOUR, _FIVE_MINUTES = 3600.0, 300.0


class AnthropicMessages:
    """`/v1/messages` and `/v1/messages/count_tokens`: Claude Code."""

    name = "anthropic"
    answers = "content"
    rule = Breakpoints(provider="anthropic")

    def serves(self, path: str) -> bool:
        return path.endswith("/messages") or self.counts(path)

    def counts(self, path: str) -> bool:
        return path.endswith("/messages/count_tokens")

    def count(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"input_tokens": tokens(canonical(body))}

    def read(self, body: Mapping[str, Any], path: str) -> Asked:  # noqa: ARG002
        tools = {
            name: Tool(name=name, fields=fields_of(tool.get("input_schema")))
            for tool in body.get("tools") or ()
            if (name := str(tool.get("name", "")))
        }
        return Asked(
            model=str(body.get("model", "")),
            stream=bool(body.get("stream")),
            main=bool(tools),
            tools=tools,
            blocks=tuple(_blocks(body)),
        )

    def error(self, status: int, message: str = "") -> dict[str, Any]:
        kind = ERROR_TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message or f"scripted {kind}"}}

    def refuse(self, asked: Asked, refused: Refused) -> Status:  # noqa: ARG002
        status, message = _REFUSALS[refused.kind]
        headers = {**retry_after(refused), **(_WINDOW if refused.kind == "window" else {})}
        return Status(status=status, headers=headers, body=self.error(status, message))

    def message(self, asked: Asked, text: str, calls: Sequence[Call], use: Use) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        for call in calls:
            content.append({"type": "tool_use", "id": f"toolu_{number():024d}", "name": call.name, "input": call.input})
        return {
            "id": f"msg_{number():024d}",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": content,
            "stop_reason": "tool_use" if calls else "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": use.full,
                "cache_creation_input_tokens": use.written,
                "cache_read_input_tokens": use.cached,
                "output_tokens": use.output,
            },
        }

    def events(self, message: Mapping[str, Any]) -> Iterator[bytes]:
        usage = dict(message["usage"])
        start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
        yield event({"type": "message_start", "message": start})
        for index, block in enumerate(message["content"]):
            if block["type"] == "text":
                empty: dict[str, Any] = {"type": "text", "text": ""}
                delta = {"type": "text_delta", "text": block["text"]}
            else:
                empty = {**block, "input": {}}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            yield event({"type": "content_block_start", "index": index, "content_block": empty})
            yield event({"type": "content_block_delta", "index": index, "delta": delta})
            yield event({"type": "content_block_stop", "index": index})
        stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        yield event({"type": "message_delta", "delta": stop, "usage": {"output_tokens": usage["output_tokens"]}})
        yield event({"type": "message_stop"})

    def error_event(self) -> bytes:
        return event(self.error(529))


def _blocks(body: Mapping[str, Any]) -> Iterator[Block]:
    """All that the model reads, in the order in which a prefix is cached, each with its place."""
    for tool in body.get("tools") or ():
        yield _block(f"tool:{tool.get('name')}", tool)
    for block in _content(body.get("system")):
        yield _block("system", block)
    for index, message in enumerate(body.get("messages") or ()):
        for block in _content(message.get("content")):
            yield _block(f"{index}:{message.get('role')}", block)


def _block(place: str, value: Mapping[str, Any]) -> Block:
    bare = {key: part for key, part in value.items() if key != "cache_control"}
    control = value.get("cache_control")
    mark = 0.0
    if control:
        mark = _HOUR if isinstance(control, Mapping) and control.get("ttl") == "1h" else _FIVE_MINUTES
    return Block(place=place, text=canonical(bare), words=str(value.get("text", "")), mark=mark)


def _content(content: str | list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []
