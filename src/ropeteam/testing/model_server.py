"""A language-model server on the loopback interface that says what a test tells it to: no key, no network.

    with ModelServer() as server:
        server.script("mine", [Turn(calls=(WriteFile(path="a.txt", content="hi"),)), Turn(text="Done.")])
        run_agent(env={"ANTHROPIC_BASE_URL": server.base_url("mine"), "ANTHROPIC_API_KEY": "dummy"})
        assert server.requests("mine")[0].main

It speaks Anthropic Messages, OpenAI Responses, OpenAI chat completions and Gemini, streaming and not, so the real
programs run against it: claude, codex, gemini, opencode and others; each finds its format by its path. One run of one
agent is one name and one base URL (to which clients of OpenAI want `/v1` added). Each request of the agent's main loop
(one that offers tools) first uses up a fault, if any are left, else a turn; after the last turn the model says "Done."
Everything runs in threads of the caller's process and ends with it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from ropeteam.testing import agent_tools
from ropeteam.testing.anthropic_messages import AnthropicMessages
from ropeteam.testing.gemini_contents import GeminiContents
from ropeteam.testing.model_http import Answer, Listener
from ropeteam.testing.model_script import (
    AnyCall,
    Broken,
    Call,
    EditFile,
    Fault,
    McpCall,
    Refused,
    Shell,
    Status,
    StructuredReport,
    Turn,
    WriteFile,
)
from ropeteam.testing.model_usage import Answered, Reading, reading
from ropeteam.testing.model_wire import Asked, Wire
from ropeteam.testing.openai_chat import OpenAIChat
from ropeteam.testing.openai_responses import OpenAIResponses
from ropeteam.testing.prompt_cache import PromptCache, Use, tokens

WIRES: Sequence[Wire] = (AnthropicMessages(), OpenAIResponses(), OpenAIChat(), GeminiContents())
_LAST = Turn(text="Done.")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent sent. headers: names in lower case; of credentials only that they were there. at: epoch seconds.

    asked: what it asks the model, None where it asks for something else (which models there are, how many tokens).
    """

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float
    asked: Asked | None = None

    @property
    def main(self) -> bool:
        """Whether it belongs to the main loop (it offers tools)."""
        return self.asked is not None and self.asked.main

    @property
    def text(self) -> str:
        """All text that the model would read, system prompt first."""
        return "" if self.asked is None else self.asked.text

    @property
    def system(self) -> str:
        """The system prompt alone."""
        return "" if self.asked is None else self.asked.system


class _Run:
    """What one agent is to be told, and what it has asked."""

    def __init__(
        self,
        turns: Iterable[Turn],
        faults: Iterable[Fault | None],
        *,
        forever: bool = False,
        directory: str | None = None,
        every: bool = False,
    ) -> None:
        self.turns = list(turns)
        self.faults = list(faults)
        self.forever = forever
        self.directory = directory
        self.every = every
        self.requests: list[Request] = []
        self.served = 0
        self.parts: dict[str, _Run] = {}

    def part(self, text: str) -> tuple[str, _Run]:
        """The script of the agent that reads this text, and by which words of it."""
        return next(((saying, part) for saying, part in self.parts.items() if saying in text), ("", self))

    def next_fault(self) -> Fault | None:
        if len(self.faults) > 1 or (self.faults and not self.forever):
            return self.faults.pop(0)
        return self.faults[0] if self.faults else None

    def next_turn(self, *, keep: bool) -> Turn:
        turn = self.turns[self.served] if self.served < len(self.turns) else _LAST
        self.served += not keep
        return turn


class ModelServer:
    """The server, as a context manager. Listens on 127.0.0.1, on a port the system picks (or on `port`).

    cache: the providers' prompt caches, shared by all runs.
    """

    def __init__(self, port: int = 0, *, cache: PromptCache | None = None) -> None:
        self.closing = threading.Event()
        self._port = port
        self._cache = cache or PromptCache()
        self._runs: dict[str, _Run] = {}
        self._answered: list[Answered] = []
        self._changed = threading.Condition()
        self._http: Listener | None = None

    def __enter__(self) -> Self:
        self._http = Listener(("127.0.0.1", self._port), self)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), name="model-server", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def script(
        self,
        name: str,
        turns: Sequence[Turn] = (),
        faults: Sequence[Fault | None] = (),
        *,
        forever: bool = False,
        directory: str | None = None,
        every: bool = False,
    ) -> None:
        """Say what the model of the run `name` does; replaces an earlier script of that name and its requests.

        faults: one for each main request, before any turn; None lets that request through. forever: the last fault
        is repeated without end. directory: what relative paths are relative to; None: as the request says. every:
        requests that offer no tools are main requests, too (for agents that use none, such as aider).
        """
        with self._changed:
            self._runs[name] = _Run(turns, faults, forever=forever, directory=directory, every=every)
            self._answered = [one for one in self._answered if one.run != name]

    def script_for(
        self, name: str, saying: str, turns: Sequence[Turn] = (), faults: Sequence[Fault | None] = ()
    ) -> None:
        """Several agents under one name and one base URL: what the model does in requests whose text holds `saying`
        (an agent's own task). The others go by the script of `name`, which must be there."""
        with self._changed:
            whole = self._runs[name]
            whole.parts[saying] = _Run(turns, faults, directory=whole.directory)

    def base_url(self, name: str) -> str:
        """What the agent of the run `name` gets as its base URL."""
        if self._http is None:
            raise RuntimeError("the server is not running: use it in a `with` statement")
        return f"http://127.0.0.1:{self._http.server_address[1]}/r/{name}"

    def requests(self, name: str) -> list[Request]:
        """What the agent has sent so far, in order."""
        with self._changed:
            return list(self._runs[name].requests)

    def served(self, name: str) -> int:
        """How many turns the model has given so far, those after the end of the script included."""
        with self._changed:
            whole = self._runs[name]
            return whole.served + sum(part.served for part in whole.parts.values())

    def answered(self, name: str | None = None, part: str | None = None) -> list[Answered]:
        """The requests that got an answer, with their tokens, in order: of one run or all; of one `script_for` or
        all. `requests(one.run)[one.request]` is what was sent."""
        with self._changed:
            every = sorted(self._answered, key=lambda one: (one.run, one.request)) if name else list(self._answered)
        return [one for one in every if name in (None, one.run) and part in (None, one.part)]

    def reading(self, name: str | None = None, part: str | None = None) -> Reading:
        """The same, added up."""
        return reading(self.answered(name, part))

    def wait_for_request(self, name: str, count: int = 1, *, main: bool = True, seconds: float = 30.0) -> Request:
        """Wait until the agent has sent `count` requests and return the last of them; TimeoutError after `seconds`."""

        def enough() -> bool:
            return len(self._of(name, main)) >= count

        with self._changed:
            if not self._changed.wait_for(enough, seconds):
                raise TimeoutError(f"{len(self._of(name, main))} of {count} requests came within {seconds:g} s")
            return self._of(name, main)[count - 1]

    def _of(self, name: str, main: bool) -> list[Request]:
        return [request for request in self._runs[name].requests if request.main or not main]

    # ---- called by the threads that answer

    def wire_for(self, path: str) -> Wire | None:
        return next((wire for wire in WIRES if wire.serves(path)), None)

    def take(self, name: str, method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> int | None:
        wire = self.wire_for(path.rstrip("/")) if method == "POST" else None
        asked = wire.read(body, path.rstrip("/")) if wire and not wire.counts(path.rstrip("/")) else None
        with self._changed:
            run = self._runs.get(name)
            if run is None:
                return None
            if asked is not None and run.every:
                asked = msgspec.structs.replace(asked, main=True)
            request = Request(method=method, path=path, headers=headers, body=body, at=time.time(), asked=asked)
            run.requests.append(request)
            self._changed.notify_all()
            return len(run.requests) - 1

    def answer(self, name: str, number: int, wire: Wire) -> Answer | None:
        with self._changed:
            run = self._runs[name]
            asked = run.requests[number].asked if number < len(run.requests) else None
            if asked is None:  # the script was replaced meanwhile
                return None
            part, fault, turn = self._decide(run, asked)
        if isinstance(fault, Status | Refused) or (isinstance(fault, Broken) and fault.kind != "cut"):
            return Answer(asked=asked, fault=fault)
        ticket = self._cache.begin(wire.rule, asked.model, asked.blocks)
        if self.closing.wait(turn.delay):
            return None
        text, calls = agent_tools.spoken(
            turn.text, turn.calls, asked, asked.directory if run.directory is None else run.directory
        )
        output = tokens(text + "".join(json.dumps(call.input) for call in calls))
        use = msgspec.structs.replace(ticket.use, output=output)
        self._note(name, part, number, asked, turn, use)
        # Before a byte of the answer leaves: whoever has it can count on what it wrote.
        self._cache.end(ticket)
        return Answer(asked=asked, fault=fault, message=wire.message(asked, text, calls, use))

    def _decide(self, run: _Run, asked: Asked) -> tuple[str, Fault | None, Turn]:
        part, chosen = run.part(asked.text)
        if not asked.main:
            return part, None, Turn(text="ok")
        fault = chosen.next_fault()
        # A fault uses up no turn: what the agent did not get, it asks for again.
        return part, fault, chosen.next_turn(keep=fault is not None)

    def _note(self, name: str, part: str, number: int, asked: Asked, turn: Turn, use: Use) -> None:
        edits = any(agent_tools.edits(call) for call in turn.calls)
        one = Answered(run=name, part=part, main=asked.main, edits=edits, request=number, model=asked.model, use=use)
        with self._changed:
            self._answered.append(one)


__all__ = [
    "Answered",
    "AnyCall",
    "Broken",
    "Call",
    "EditFile",
    "Fault",
    "McpCall",
    "ModelServer",
    "PromptCache",
    "Reading",
    "Refused",
    "Request",
    "Shell",
    "Status",
    "StructuredReport",
    "Turn",
    "Use",
    "WriteFile",
]
