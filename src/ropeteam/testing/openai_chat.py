"""The OpenAI chat completions format of the scripted model, which most other agents and providers speak."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ropeteam.testing import openai_errors
from ropeteam.testing.model_script import Call, Refused, Status
from ropeteam.testing.model_wire import Asked, Tool, canonical, event, fields_of, number
from ropeteam.testing.prompt_cache import Block, Steps, Use, tokens


class OpenAIChat:
    """`/v1/chat/completions`: opencode, aider, mini-swe-agent."""

    name = "chat"
    answers = "choices"
    rule = Steps(provider="openai")

    def serves(self, path: str) -> bool:
        return path.endswith("/chat/completions")

    def counts(self, path: str) -> bool:  # noqa: ARG002
        return False

    def count(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"input_tokens": tokens(canonical(body))}

    def read(self, body: Mapping[str, Any], path: str) -> Asked:  # noqa: ARG002
        functions = [tool.get("function") or {} for tool in body.get("tools") or ()]
        tools = {
            name: Tool(name=name, fields=fields_of(function.get("parameters")))
            for function in functions
            if (name := str(function.get("name", "")))
        }
        return Asked(
            model=str(body.get("model", "")),
            stream=bool(body.get("stream")),
            main=bool(tools),
            tools=tools,
            blocks=tuple(_blocks(body)),
            schema=(body.get("response_format") or {}).get("type") == "json_schema",
        )

    def error(self, status: int, message: str = "") -> dict[str, Any]:
        return openai_errors.error(status, message)

    def refuse(self, asked: Asked, refused: Refused) -> Status:  # noqa: ARG002
        return openai_errors.refusal(refused)

    def message(self, asked: Asked, text: str, calls: Sequence[Call], use: Use) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text or None}
        if calls:
            message["tool_calls"] = [_call(call) for call in calls]
        return {
            "id": f"chatcmpl-{number():024d}",
            "object": "chat.completion",
            "created": 1_800_000_000,
            "model": asked.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
            "usage": {
                "prompt_tokens": use.read,
                "completion_tokens": use.output,
                "total_tokens": use.read + use.output,
                "prompt_tokens_details": {"cached_tokens": use.cached},
            },
        }

    def events(self, message: Mapping[str, Any]) -> Iterator[bytes]:
        (choice,) = message["choices"]
        said = choice["message"]
        yield _chunk(message, {"role": "assistant", "content": ""})
        if said["content"]:
            yield _chunk(message, {"content": said["content"]})
        for index, call in enumerate(said.get("tool_calls", ())):
            function = call["function"]
            named = {**call, "index": index, "function": {**function, "arguments": ""}}
            yield _chunk(message, {"tool_calls": [named]})
            arguments = {"index": index, "function": {"arguments": function["arguments"]}}
            yield _chunk(message, {"tool_calls": [arguments]})
        yield _chunk(message, {}, choice["finish_reason"])
        yield event({**_chunk_head(message), "choices": [], "usage": message["usage"]}, named=False)
        yield b"data: [DONE]\n\n"

    def error_event(self) -> bytes:
        return event(openai_errors.error(500), named=False)


def _call(call: Call) -> dict[str, Any]:
    arguments = call.input if isinstance(call.input, str) else json.dumps(call.input)
    function = {"name": call.name, "arguments": arguments}
    return {"id": f"call_{number():024d}", "type": "function", "function": function}


def _blocks(body: Mapping[str, Any]) -> Iterator[Block]:
    for tool in body.get("tools") or ():
        yield Block(place="tool", text=canonical(tool))
    for message in body.get("messages") or ():
        role = str(message.get("role"))
        place = "system" if role in ("system", "developer") else role
        # Some clients mark blocks for other providers; OpenAI passes over that.
        yield Block(place=place, text=canonical(message), words=_words(message.get("content")))


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def _chunk_head(message: Mapping[str, Any]) -> dict[str, Any]:
    head = {key: message[key] for key in ("id", "created", "model")}
    return {**head, "object": "chat.completion.chunk"}


def _chunk(message: Mapping[str, Any], delta: Mapping[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event({**_chunk_head(message), "choices": [choice]}, named=False)
