"""The HTTP side of the model server: requests taken, answers, refusals and broken answers sent."""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import msgspec

from ropeteam.testing.model_script import Broken, Refused, Status
from ropeteam.testing.model_wire import Asked, Wire
from ropeteam.testing.prompt_cache import Use

_PATH = re.compile(r"/r/([^/?]+)(/[^?]*)")
_SECRET_HEADERS = {"authorization", "x-api-key", "x-goog-api-key", "proxy-authorization", "cookie"}
_GARBAGE = b"event: message_start\ndata: {not json at all\n\n"
_GARBLED = b"{not json at all\n"
_MODEL = {"id": "scripted", "object": "model", "created": 0, "owned_by": "ropeteam"}
MODELS: Mapping[str, Any] = {
    "object": "list",
    "data": [{**_MODEL, "type": "model", "display_name": "Scripted"}],
    "models": [],
    "has_more": False,
}
"""The list of models in the fields of every provider. It need not name the models that are asked for."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back. fault: what is wrong with it. message: the whole answer, None where a fault leaves none."""

    asked: Asked
    fault: Status | Refused | Broken | None = None
    message: dict[str, Any] | None = None


class Owner(Protocol):
    """Who decides what the model says."""

    closing: threading.Event

    def wire_for(self, path: str) -> Wire | None: ...

    def take(self, name: str, method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> int | None:
        """A request has come: its number in the run, None when there is no such run."""
        ...

    def answer(self, name: str, number: int, wire: Wire) -> Answer | None:
        """What to send, after the time it takes; None: the server closes. LookupError: no tool for a call."""
        ...


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], owner: Owner) -> None:
        self.owner = owner
        super().__init__(address, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no news: agents do that when they are stopped."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_HEAD(self) -> None:
        self._json({}, 200)

    def do_GET(self) -> None:
        name, path = self._where()
        self._note(name, path, {})
        if path.rstrip("/").endswith("/models"):
            return self._json(MODELS, 200)
        return self._json(_no_such_path(path), 404)

    def do_POST(self) -> None:
        name, path = self._where()
        wire = self.server.owner.wire_for(path.rstrip("/"))
        try:
            body = json.loads(self._body() or b"{}")
        except ValueError:
            return self._json(wire.error(400) if wire else {}, 400)
        number = self._note(name, path, body if isinstance(body, dict) else {})
        if wire is None or number is None:
            return self._json(wire.error(404) if wire else _no_such_path(path), 404)
        if wire.counts(path.rstrip("/")):
            return self._json(wire.count(body), 200)
        try:
            answer = self.server.owner.answer(name, number, wire)
        except LookupError as error:
            return self._json(wire.error(400, str(error)), 400)
        return None if answer is None else self._send_answer(wire, answer)

    def _where(self) -> tuple[str, str]:
        match = _PATH.match(self.path)
        return (match[1], match[2].replace("//", "/")) if match else ("", self.path)

    def _note(self, name: str, path: str, body: dict[str, Any]) -> int | None:
        headers = {
            key.lower(): "(given)" if key.lower() in _SECRET_HEADERS else value for key, value in self.headers.items()
        }
        return self.server.owner.take(name, self.command, path, headers, body)

    def _send_answer(self, wire: Wire, answer: Answer) -> None:
        match answer.fault:
            case Status() as status:
                return self._status(wire, status)
            case Refused() as refused:
                said = wire.refuse(answer.asked, refused)
                return self._status(wire, said) if isinstance(said, Status) else self._stream(said)
            case Broken(kind="hang"):
                return self._hang()
            case Broken(kind="reset"):
                return self._reset()
            case Broken() as broken:
                return self._broken(wire, broken, answer)
            case None:
                message = answer.message or {}
                return self._stream(list(wire.events(message))) if answer.asked.stream else self._json(message, 200)

    def _status(self, wire: Wire, status: Status) -> None:
        body = wire.error(status.status) if status.body is None else status.body
        self._json(body, status.status, status.headers)

    def _broken(self, wire: Wire, broken: Broken, answer: Answer) -> None:
        if not answer.asked.stream:
            return self._broken_document(wire, broken, answer)
        if broken.kind == "garbage":
            return self._stream([_GARBAGE])
        if broken.kind == "sse_error":
            return self._stream([wire.error_event()])
        if broken.kind == "empty":
            return self._stream([])
        frames = list(wire.events(answer.message or {}))
        # The beginning: of the message, where it has one, and of what it says; never the end.
        return self._stream(frames[: max(1, min(3, len(frames) - 1))], self._leave)

    def _broken_document(self, wire: Wire, broken: Broken, answer: Answer) -> None:
        match broken.kind:
            case "sse_error":
                return self._json(wire.error(500), 200)
            case "empty":
                return self._json({**wire.message(answer.asked, "", (), Use()), wire.answers: []}, 200)
            case "cut":
                whole = json.dumps(answer.message or {}).encode()
                return self._send(whole[: len(whole) // 2], 200, length=len(whole), end=self._leave)
            case _:
                return self._send(_GARBLED, 200)

    def _stream(self, frames: Sequence[bytes], end: Callable[[], None] | None = None) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for frame in frames:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
        if end is not None:
            return end()
        self.wfile.write(b"0\r\n\r\n")
        return None

    def _hang(self) -> None:
        """Until the client leaves or the server closes."""
        self.connection.settimeout(0.1)
        while not self.server.owner.closing.is_set():
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

    def _json(self, value: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), status, headers)

    def _send(
        self,
        data: bytes,
        status: int,
        headers: Mapping[str, str] | None = None,
        *,
        length: int | None = None,
        end: Callable[[], None] | None = None,
    ) -> None:
        """length: what is promised, where that is not what is sent. end: of the connection, after it."""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data) if length is None else length))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        if end is not None:
            end()

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


def _no_such_path(path: str) -> dict[str, Any]:
    words = f"the scripted model serves no such path: {path}"
    return {"type": "error", "error": {"type": "not_found_error", "message": words, "code": 404}}
