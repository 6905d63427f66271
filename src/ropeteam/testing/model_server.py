"""A language-model server on the loopback interface that says what a test tells it to: no key, no network.

    with ModelServer() as server:
        server.script("mine", [Turn(calls=(WriteFile(path="a.txt", content="hi"),)), Turn(text="Done.")])
        run_agent(env={"ANTHROPIC_BASE_URL": server.base_url("mine"), "ANTHROPIC_API_KEY": "dummy"})
        assert server.requests("mine")[0].main

It speaks Anthropic Messages, streaming and not, so the real `claude` program runs against it. One run of one agent is
one name and one base URL. Each request of the agent's main loop (one that offers tools) first uses up a fault, if any
are left, else a turn; after the last turn the model says "Done." Everything runs in threads of the caller's process
and ends with it.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import msgspec

from ropeteam.testing.anthropic_messages import AnthropicMessages, Asked
from ropeteam.testing.model_script import (
    AnyCall,
    Broken,
    Call,
    EditFile,
    Fault,
    Shell,
    Status,
    StructuredReport,
    Turn,
    WriteFile,
)

_PATH = re.compile(r"/r/([^/?]+)(/[^?]*)")
_SECRET_HEADERS = {"authorization", "x-api-key", "proxy-authorization", "cookie"}
_LAST = Turn(text="Done.")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent sent. headers: names in lower case; of credentials only that they were there. at: epoch seconds."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def main(self) -> bool:
        """Whether it belongs to the main loop (it offers tools)."""
        return bool(self.body.get("tools"))

    @property
    def text(self) -> str:
        """All text that the model would read, system prompt first."""
        return AnthropicMessages().read(self.body).text

    @property
    def system(self) -> str:
        """The system prompt alone."""
        return AnthropicMessages().read({"system": self.body.get("system")}).text


class _Run:
    """What one agent is to be told, and what it has asked."""

    def __init__(
        self, turns: Iterable[Turn], faults: Iterable[Fault | None], *, forever: bool, directory: str | None
    ) -> None:
        self.turns = list(turns)
        self.faults = list(faults)
        self.forever = forever
        self.directory = directory
        self.requests: list[Request] = []
        self.served = 0
        self.parts: dict[str, _Run] = {}

    def part(self, text: str) -> _Run:
        """The script of the agent that reads this text."""
        return next((part for saying, part in self.parts.items() if saying in text), self)

    def next_fault(self) -> Fault | None:
        if len(self.faults) > 1 or (self.faults and not self.forever):
            return self.faults.pop(0)
        return self.faults[0] if self.faults else None

    def next_turn(self, *, keep: bool) -> Turn:
        turn = self.turns[self.served] if self.served < len(self.turns) else _LAST
        self.served += not keep
        return turn


class ModelServer:
    """The server, as a context manager. Listens on 127.0.0.1, on a port the system picks (or on `port`)."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._runs: dict[str, _Run] = {}
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._wire = AnthropicMessages()
        self._http: _Listener | None = None

    def __enter__(self) -> Self:
        self._http = _Listener(("127.0.0.1", self._port), self)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), name="model-server", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
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
    ) -> None:
        """Say what the model of the run `name` does; replaces an earlier script of that name and its requests.

        faults: one for each main request, before any turn; None lets that request through. forever: the last fault
        is repeated without end. directory: what relative paths are relative to; None: as the request says.
        """
        with self._changed:
            self._runs[name] = _Run(turns, faults, forever=forever, directory=directory)

    def script_for(
        self, name: str, saying: str, turns: Sequence[Turn] = (), faults: Sequence[Fault | None] = ()
    ) -> None:
        """Several agents under one name and one base URL: what the model does in requests whose text holds `saying`
        (an agent's own task). The others go by the script of `name`, which must be there."""
        with self._changed:
            whole = self._runs[name]
            whole.parts[saying] = _Run(turns, faults, forever=False, directory=whole.directory)

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

    def _note(self, name: str, request: Request) -> _Run | None:
        with self._changed:
            run = self._runs.get(name)
            if run is not None:
                run.requests.append(request)
                self._changed.notify_all()
            return run

    def _decide(self, run: _Run, asked: Asked) -> tuple[Fault | None, Turn]:
        if not asked.main:
            return None, Turn(text="ok")
        with self._changed:
            run = run.part(asked.text)
            fault = run.next_fault()
            # A fault uses up no turn: what the agent did not get, it asks for again.
            return fault, run.next_turn(keep=fault is not None)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], owner: ModelServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news: agents do that when they are stopped."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_HEAD(self) -> None:
        self._json({}, 200)

    def do_GET(self) -> None:
        self._take({})
        self._json(self.server.owner._wire.error(404), 404)

    def do_POST(self) -> None:
        try:
            body = json.loads(self._body() or b"{}")
        except ValueError:
            return self._json(self.server.owner._wire.error(400), 400)
        path, run = self._take(body)
        wire = self.server.owner._wire
        if run is None or not path.rstrip("/").endswith(("/messages", "/count_tokens")):
            return self._json(wire.error(404), 404)
        if path.endswith("/count_tokens"):
            return self._json(wire.count(body), 200)
        return self._answer(run, wire.read(body))

    def _take(self, body: dict[str, Any]) -> tuple[str, _Run | None]:
        match = _PATH.match(self.path)
        if match is None:
            return self.path, None
        headers = {
            key.lower(): "(given)" if key.lower() in _SECRET_HEADERS else value for key, value in self.headers.items()
        }
        request = Request(method=self.command, path=match[2], headers=headers, body=body, at=time.time())
        return match[2], self.server.owner._note(match[1], request)

    def _answer(self, run: _Run, asked: Asked) -> None:
        owner = self.server.owner
        fault, turn = owner._decide(run, asked)
        match fault:
            case Status(status=status, headers=headers, body=body):
                return self._json(owner._wire.error(status) if body is None else body, status, headers)
            case Broken(kind="hang"):
                return self._hang()
            case Broken(kind="reset"):
                return self._reset()
            case _:
                pass
        if owner._closing.wait(turn.delay):
            return None
        try:
            message = owner._wire.message(asked, turn, asked.directory if run.directory is None else run.directory)
        except LookupError as error:
            problem = {"type": "error", "error": {"type": "invalid_request_error", "message": str(error)}}
            return self._json(problem, 400)
        if asked.stream:
            return self._stream(list(owner._wire.events(message)), fault)
        return self._broken_json(fault) if fault else self._json(message, 200)

    def _stream(self, frames: list[bytes], fault: Fault | None) -> None:
        match fault:
            case Broken(kind="garbage"):
                frames = [b"event: message_start\ndata: {not json at all\n\n"]
            case Broken(kind="empty"):
                frames = []
            case Broken(kind="sse_error"):
                frames = [self.server.owner._wire.error_event()]
            case Broken(kind="cut"):
                frames = frames[:3]  # the beginning of the message and of its first block
            case _:
                pass
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for frame in frames:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
        if isinstance(fault, Broken) and fault.kind == "cut":
            return self._leave()
        self.wfile.write(b"0\r\n\r\n")
        return None

    def _broken_json(self, fault: Fault) -> None:
        data = b"" if isinstance(fault, Broken) and fault.kind == "empty" else b'{"id": '
        self._send(data, 200)

    def _hang(self) -> None:
        """Until the client leaves or the server closes."""
        self.connection.settimeout(0.1)
        while not self.server.owner._closing.is_set():
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.close_connection = True

    def _reset(self) -> None:
        """Closed with a linger time of zero, a connection ends with a reset instead of a farewell."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _leave(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _json(self, value: dict[str, Any], status: int, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), status, headers)

    def _send(self, data: bytes, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            data = b"".join(parts)
        else:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(data) if self.headers.get("content-encoding") == "gzip" else data


__all__ = [
    "AnyCall",
    "Broken",
    "Call",
    "EditFile",
    "Fault",
    "ModelServer",
    "Request",
    "Shell",
    "Status",
    "StructuredReport",
    "Turn",
    "WriteFile",
]
