"""The OpenAI Responses format of the scripted model, as codex uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ropeteam.testing import openai_errors
from ropeteam.testing.model_script import Call, Refused, Status
from ropeteam.testing.model_wire import Asked, Tool, canonical, event, fields_of, number
from ropeteam.testing.prompt_cache import Block, Steps, Use, tokens


class OpenAIResponses:
    """`/v1/responses`: codex."""

    name = "responses"
    answers = "output"
    rule = Steps(provider="openai")

    def serves(self, path: str) -> bool:
        return path.endswith("/responses") or self.counts(path)

    def counts(self, path: str) -> bool:
        return path.endswith("/responses/input_tokens")

    def count(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"object": "response.input_tokens", "input_tokens": tokens(canonical(body))}

    def read(self, body: Mapping[str, Any], path: str) -> Asked:  # noqa: ARG002
        tools = {tool.name: tool for tool in _tools(_offered(body), "")}
        form = (body.get("text") or {}).get("format") or {}
        return Asked(
            model=str(body.get("model", "")),
            stream=bool(body.get("stream")),
            main=bool(tools),
            tools=tools,
            blocks=tuple(_blocks(body)),
            schema=form.get("type") == "json_schema",
        )

    def error(self, status: int, message: str = "") -> dict[str, Any]:
        return openai_errors.error(status, message)

    def refuse(self, asked: Asked, refused: Refused) -> Status | Sequence[bytes]:
        """A prompt that is too long shows once the answer has begun, if it is streamed; the others before."""
        if refused.kind == "context" and asked.stream:
            return _failed(openai_errors.failure(refused))
        return openai_errors.refusal(refused)

    def message(self, asked: Asked, text: str, calls: Sequence[Call], use: Use) -> dict[str, Any]:
        output: list[dict[str, Any]] = []
        if text:
            content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
            output.append(
                {"type": "message", "id": _id("msg"), "role": "assistant", "status": "completed", "content": content}
            )
        output.extend(_call(call) for call in calls)
        return {
            **_empty(asked.model),
            "status": "completed",
            "output": output,
            "usage": {
                "input_tokens": use.read,
                "input_tokens_details": {"cached_tokens": use.cached},
                "output_tokens": use.output,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": use.read + use.output,
            },
        }

    def events(self, message: Mapping[str, Any]) -> Iterator[bytes]:
        for sequence, value in enumerate(_events(message)):
            yield event({**value, "sequence_number": sequence})

    def error_event(self) -> bytes:
        return _failed(openai_errors.failure(Refused(kind="server")))[-1]


def _offered(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Newer models of codex (gpt-5.6, gpt-6) get their tools as the first item of the input."""
    items = body.get("input")
    more = items if isinstance(items, list) else []
    given = [item.get("tools") or [] for item in more if item.get("type") == "additional_tools"]
    return [*(body.get("tools") or []), *(tool for tools in given for tool in tools)]


def _tools(tools: Sequence[Mapping[str, Any]], namespace: str) -> Iterator[Tool]:
    for tool in tools:
        if tool.get("type") == "namespace":
            yield from _tools(tool.get("tools") or (), str(tool.get("name", "")))
            continue
        # What the provider runs itself (web search) has a type and no name.
        name = str(tool.get("name") or tool.get("type") or "")
        free = tool.get("type") == "custom"
        yield Tool(name=name, free=free, fields=fields_of(tool.get("parameters")), namespace=namespace)


def _blocks(body: Mapping[str, Any]) -> Iterator[Block]:
    if instructions := body.get("instructions"):
        yield Block(place="system", text=str(instructions), words=str(instructions))
    for tool in body.get("tools") or ():
        yield Block(place="tool", text=canonical(tool))
    given = body.get("input")
    items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given or ()
    for item in items:
        role = str(item.get("role") or item.get("type"))
        place = "system" if role in ("developer", "system") else role
        read = {key: value for key, value in item.items() if key != "id"}  # which no model reads
        yield Block(place=place, text=canonical(read), words=_words(item.get("content")))


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def _call(call: Call) -> dict[str, Any]:
    identity = _id("call")
    if isinstance(call.input, str):
        item = {"type": "custom_tool_call", "id": _id("ctc"), "input": call.input}
    else:
        item = {"type": "function_call", "id": _id("fc"), "arguments": json.dumps(call.input)}
    namespace = {"namespace": call.namespace} if call.namespace else {}
    return {**item, **namespace, "call_id": identity, "name": call.name, "status": "completed"}


def _events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    begun = {**message, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(message["output"]):
        if item["type"] == "message":
            where = {"item_id": item["id"], "output_index": index, "content_index": 0}
            part = item["content"][0]
            yield _added(index, {**item, "status": "in_progress", "content": []})
            yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
            yield {"type": "response.output_text.delta", **where, "delta": part["text"], "logprobs": []}
            yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **where, "part": part}
        else:
            yield from _call_events(index, item)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": message}


def _call_events(index: int, item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    free = item["type"] == "custom_tool_call"
    field, name = ("input", "custom_tool_call_input") if free else ("arguments", "function_call_arguments")
    where = {"item_id": item["id"], "output_index": index}
    yield _added(index, {**item, "status": "in_progress", field: ""})
    yield {"type": f"response.{name}.delta", **where, "delta": item[field]}
    yield {"type": f"response.{name}.done", **where, field: item[field]}


def _added(index: int, item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def _failed(error: Mapping[str, Any]) -> list[bytes]:
    response = {**_empty(""), "status": "failed", "error": error}
    created = {**response, "status": "in_progress", "error": None}
    return [
        event({"type": "response.created", "sequence_number": 0, "response": created}),
        event({"type": "response.failed", "sequence_number": 1, "response": response}),
    ]


def _empty(model: str) -> dict[str, Any]:
    # The moment it was made is not the client's business; a fixed one keeps recordings the same.
    created = 1_800_000_000
    return {
        "id": _id("resp"),
        "object": "response",
        "created_at": created,
        "model": model,
        "output": [],
        "error": None,
        "incomplete_details": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }


def _id(kind: str) -> str:
    return f"{kind}_{number():024d}"
