"""What a scripted model says and how it fails, in words that belong to no provider's format."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call as the wire carries it: the tool's own name and input. The other calls are turned into this one."""

    name: str
    input: dict[str, Any]


class WriteFile(msgspec.Struct, frozen=True, kw_only=True):
    """Write a whole file. path: relative to the agent's working directory, or absolute."""

    path: str
    content: str


class EditFile(msgspec.Struct, frozen=True, kw_only=True):
    """Replace a text that stands once in a file (which is read first, as agents insist on)."""

    path: str
    find: str
    replace: str


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """Run a shell command."""

    command: str


class StructuredReport(msgspec.Struct, frozen=True, kw_only=True):
    """Answer in the JSON schema the agent was asked for, by the tool it offers for that."""

    content: dict[str, Any]


AnyCall = Call | WriteFile | EditFile | Shell | StructuredReport


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the model in the main loop. delay: real seconds before it."""

    text: str = ""
    calls: tuple[AnyCall, ...] = ()
    delay: float = 0.0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP error instead of an answer. body: None for the error document of the format that was asked in."""

    status: int
    headers: dict[str, str] = {}
    body: dict[str, Any] | None = None


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is not one.

    garbage: an event that is not JSON. cut: the connection ends in the middle of the answer (which is given whole when
    it is asked for again). empty: a stream without events. hang: nothing comes until the client leaves or the server
    closes. reset: the connection is reset. sse_error: an error event in a stream with status 200.
    """

    kind: Literal["garbage", "cut", "empty", "hang", "reset", "sse_error"]


Fault = Status | Broken
