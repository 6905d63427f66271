"""The Anthropic Messages format of the scripted model: requests read, answers written, usage with a simulated cache."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec

from ropeteam.testing.model_script import AnyCall, Call, EditFile, Shell, StructuredReport, Turn, WriteFile

BYTES_PER_TOKEN = 4
CACHE_MINIMUM = 1024
"""Prefixes under so many tokens are not cached, as the provider documents for most of its models."""

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
STRUCTURED_OUTPUT = "StructuredOutput"
"""The tool by which Claude Code asks for an answer in a JSON schema."""

_WORKING_DIRECTORY = re.compile(r"working directory: *(/[^\n]*)", re.IGNORECASE)
_numbers = itertools.count(1)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request. main: it offers tools, so it belongs to the main loop; others (titles, summaries) use up no turn."""

    model: str
    stream: bool
    main: bool
    tools: frozenset[str]
    directory: str
    blocks: tuple[tuple[str, dict[str, Any]], ...]

    @property
    def text(self) -> str:
        """All text of system prompt and messages."""
        return "\n".join(str(block["text"]) for _, block in self.blocks if "text" in block)


class PromptCache:
    """Which prefixes a provider would have in its cache. Shared by all runs of a server; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()

    def usage(self, asked: Asked) -> dict[str, int]:
        """Every block marked `cache_control` stores the prefix up to it; the longest stored prefix is read."""
        digest = hashlib.sha256(asked.model.encode())
        total, read, marked = 0, 0, 0
        new: list[str] = []
        with self._lock:
            for place, block in asked.blocks:
                bare = {key: value for key, value in block.items() if key != "cache_control"}
                text = json.dumps([place, bare], sort_keys=True)
                digest.update(text.encode())
                total += tokens(text)
                if digest.hexdigest() in self._known:
                    read = total
                if "cache_control" in block and total >= CACHE_MINIMUM:
                    new.append(digest.hexdigest())
                    marked = total
            self._known.update(new)
        marked = max(marked, read)
        return {
            "input_tokens": total - marked,
            "cache_creation_input_tokens": marked - read,
            "cache_read_input_tokens": read,
        }


class AnthropicMessages:
    """Reads and writes one wire format. Another format would be another class with these methods."""

    def __init__(self) -> None:
        self.cache = PromptCache()

    def read(self, body: Mapping[str, Any]) -> Asked:
        blocks = tuple(_blocks(body))
        offered = frozenset(str(tool.get("name", "")) for tool in body.get("tools") or ())
        asked = Asked(
            model=str(body.get("model", "")),
            stream=bool(body.get("stream")),
            main=bool(offered),
            tools=offered,
            directory="",
            blocks=blocks,
        )
        found = _WORKING_DIRECTORY.search(asked.text)
        return msgspec.structs.replace(asked, directory=found[1].strip() if found else "")

    def count(self, body: Mapping[str, Any]) -> dict[str, int]:
        return {"input_tokens": tokens(json.dumps(body))}

    def error(self, status: int) -> dict[str, Any]:
        kind = ERROR_TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": f"scripted {kind}"}}

    def message(self, asked: Asked, turn: Turn, directory: str) -> dict[str, Any]:
        """The answer as one document."""
        content: list[dict[str, Any]] = [{"type": "text", "text": turn.text}] if turn.text else []
        for call in turn.calls:
            for concrete in own_calls(call, asked.tools, directory):
                identity = f"toolu_{next(_numbers):024d}"
                content.append({"type": "tool_use", "id": identity, "name": concrete.name, "input": concrete.input})
        return {
            "id": f"msg_{next(_numbers):024d}",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": content,
            "stop_reason": "tool_use" if turn.calls else "end_turn",
            "stop_sequence": None,
            "usage": {**self.cache.usage(asked), "output_tokens": tokens(json.dumps(content))},
        }

    def events(self, message: Mapping[str, Any]) -> Iterator[bytes]:
        """The answer as server-sent events."""
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


def tokens(text: str) -> int:
    return max(1, len(text.encode()) // BYTES_PER_TOKEN)


def event(value: Mapping[str, Any]) -> bytes:
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


def own_calls(call: AnyCall, offered: frozenset[str], directory: str) -> Sequence[Call]:
    """A call in the names of the tools that the agent offers."""
    match call:
        case Call():
            return (call,)
        case WriteFile():
            path = str(PurePosixPath(directory, call.path))
            return (Call(name=_tool("Write", offered), input={"file_path": path, "content": call.content}),)
        case EditFile():
            path = str(PurePosixPath(directory, call.path))
            change = {"file_path": path, "old_string": call.find, "new_string": call.replace}
            return (
                Call(name=_tool("Read", offered), input={"file_path": path}),
                Call(name=_tool("Edit", offered), input=change),
            )
        case Shell():
            description = "As the script says"
            return (Call(name=_tool("Bash", offered), input={"command": call.command, "description": description}),)
        case StructuredReport():
            return (Call(name=_tool(STRUCTURED_OUTPUT, offered), input=call.content),)


def _tool(name: str, offered: frozenset[str]) -> str:
    if name not in offered:
        raise LookupError(f"the agent offers no tool {name}, only {', '.join(sorted(offered))}")
    return name


def _blocks(body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All that the model reads, in the order in which a prefix is cached, each with its place."""
    for tool in body.get("tools") or ():
        yield f"tool:{tool.get('name')}", tool
    for block in _content(body.get("system")):
        yield "system", block
    for index, message in enumerate(body.get("messages") or ()):
        for block in _content(message.get("content")):
            yield f"{index}:{message.get('role')}", block


def _content(content: str | list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []
