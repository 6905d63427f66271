"""What a scripted model says and how it fails, in words that belong to no provider's format."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call as the wire carries it: the tool's own name and input. The other calls are turned into this one.

    input: text for the tools of OpenAI that take free text. namespace: where codex offers the tool in one.
    """

    name: str
    input: dict[str, Any] | str
    namespace: str = ""


class WriteFile(msgspec.Struct, frozen=True, kw_only=True):
    """Write a whole file. path: relative to the agent's working directory, or absolute."""

    path: str
    content: str


class EditFile(msgspec.Struct, frozen=True, kw_only=True):
    """Replace a text that stands once in a file (which is read first, as some agents insist on)."""

    path: str
    find: str
    replace: str


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """Run a shell command."""

    command: str


class StructuredReport(msgspec.Struct, frozen=True, kw_only=True):
    """Answer in the JSON schema the agent was asked for: by the tool it offers for that, or else as its text."""

    content: dict[str, Any]


class McpCall(msgspec.Struct, frozen=True, kw_only=True):
    """Call a tool of an MCP server that the agent attached, whatever the agent calls it."""

    server: str
    tool: str
    input: dict[str, Any] = {}


AnyCall = Call | WriteFile | EditFile | Shell | StructuredReport | McpCall


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


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal in the provider's own words, which differ in status, document and place.

    auth: the key is not valid. forbidden: it may not do this. rate: too many requests. quota: nothing left that was
    paid for, or of the day. window: a subscription's window is used up. overload: too much to do for the provider.
    server: a fault of its own. context: the prompt is too long. model: no such model. bad: the request is not valid.
    seconds: when it says one may come again, None: it says nothing.
    """

    kind: Literal["auth", "forbidden", "rate", "quota", "window", "overload", "server", "context", "model", "bad"]
    seconds: float | None = None


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is not one, with status 200 where there is a status.

    garbage: an event (or a document, for who asks for no stream) that is not JSON. cut: the connection ends in the
    middle of the answer (which is given whole when it is asked for again); a document is shorter than its length says.
    empty: a stream without events, a document in which the model says nothing (no choices, no content). hang: nothing
    comes until the client leaves or the server closes. reset: the connection is reset. sse_error: an error event in
    the stream, or an error instead of the document.
    """

    kind: Literal["garbage", "cut", "empty", "hang", "reset", "sse_error"]


Fault = Status | Refused | Broken
