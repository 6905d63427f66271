"""What the wire formats of language models have in common: a request as it was understood, and how one is answered."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ropeteam.testing.model_script import Call, Refused, Status
from ropeteam.testing.prompt_cache import Block, Rule, Use

# How agents tell the model where it works: claude and opencode, codex, gemini.
_DIRECTORIES = (
    re.compile(r"working directory: *(/[^\n]*)", re.IGNORECASE),
    re.compile(r"<cwd>(/[^<\n]*)</cwd>"),
    re.compile(r"working in the directory: *(/[^\n]*)", re.IGNORECASE),
    re.compile(r"\*\*Workspace Directories:\*\*\s*-? *(/[^\n]*)", re.IGNORECASE),
)
_MOVED = re.compile(r"working directory: *(/[^\n]*?) \(was /", re.IGNORECASE)  # claude, in a copied conversation
_numbers = itertools.count(1)


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that an agent offers. free: it takes text instead of named values. fields: names of its values.
    namespace: the group it is offered in, for codex."""

    name: str
    free: bool = False
    fields: frozenset[str] = frozenset()
    namespace: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request. main: it offers tools, so it belongs to the main loop; others (titles, summaries) use up no turn.

    schema: the answer is wanted as JSON. directory: the agent's, as the request says, empty if it does not.
    """

    model: str
    stream: bool
    main: bool
    tools: Mapping[str, Tool]
    blocks: tuple[Block, ...]
    schema: bool = False

    @property
    def text(self) -> str:
        """All text of system prompt and messages."""
        return "\n".join(block.words for block in self.blocks if block.words)

    @property
    def system(self) -> str:
        """The system prompt alone."""
        return "\n".join(block.words for block in self.blocks if block.words and block.place == "system")

    @property
    def directory(self) -> str:
        """Where the agent works, as it says to the model; empty where it does not."""
        if moved := _MOVED.findall(self.text):
            return str(moved[-1])
        found = next((match for pattern in _DIRECTORIES if (match := pattern.search(self.text))), None)
        return found[1].strip() if found else ""


class Wire(Protocol):
    """One wire format. `path` is that of a request, without the part that names the run and without its query."""

    name: str
    answers: str
    """The list in an answer's document that holds what the model says."""

    @property
    def rule(self) -> Rule:
        """How the provider caches."""
        ...

    def serves(self, path: str) -> bool: ...

    def counts(self, path: str) -> bool:
        """Whether the request only asks how many tokens a prompt has."""
        ...

    def count(self, body: Mapping[str, Any]) -> dict[str, Any]: ...

    def read(self, body: Mapping[str, Any], path: str) -> Asked: ...

    def error(self, status: int, message: str = "") -> dict[str, Any]:
        """The format's error document. message: empty for words that go with the status."""
        ...

    def refuse(self, asked: Asked, refused: Refused) -> Status | Sequence[bytes]:
        """How the provider says it: an HTTP error, or events of a stream."""
        ...

    def message(self, asked: Asked, text: str, calls: Sequence[Call], use: Use) -> dict[str, Any]:
        """The answer as one document."""
        ...

    def events(self, message: Mapping[str, Any]) -> Iterator[bytes]:
        """The same answer as server-sent events."""
        ...

    def error_event(self) -> bytes:
        """What a provider sends when it fails after it has begun to answer."""
        ...


def number() -> int:
    """For ids that no other answer of this process has."""
    return next(_numbers)


def event(value: Mapping[str, Any], *, named: bool = True) -> bytes:
    """A server-sent event; named: with its `type` as its name."""
    name = f"event: {value['type']}\n" if named else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


def canonical(value: object) -> str:
    """The same text for the same content, whatever the order of its keys."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def fields_of(schema: object) -> frozenset[str]:
    """The names that a JSON schema of an object lists."""
    found = schema.get("properties") if isinstance(schema, Mapping) else None
    return frozenset(found) if isinstance(found, Mapping) else frozenset()


def retry_after(refused: Refused) -> dict[str, str]:
    return {} if refused.seconds is None else {"retry-after": f"{refused.seconds:g}"}
