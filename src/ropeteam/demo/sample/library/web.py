"""The little HTTP that the desk needs, over WSGI: a request, a response, and routes to functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

MAX_FORM_BYTES = 64 * 1024


class BadRequest(Exception):
    """What was sent cannot be used; the message says why."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_environ(cls, environ: dict[str, Any]) -> Request:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_FORM_BYTES:
            raise BadRequest(f"A form of {length} bytes is too large; {MAX_FORM_BYTES} are allowed.")
        body = environ["wsgi.input"].read(length) if length else b""
        return cls(
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO") or "/",
            query=_first(environ.get("QUERY_STRING", "")),
            form=_first(body.decode("utf-8", "replace")),
        )

    def text(self, name: str) -> str:
        return self.form.get(name, "").strip()

    def number(self, name: str) -> int:
        value = self.text(name)
        if not re.fullmatch(r"\d{1,9}", value):
            raise BadRequest(f"{name} must be a number.")
        return int(value)


@dataclass(frozen=True)
class Response:
    body: str
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/html; charset=utf-8"
    location: str = ""

    def send(self, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = self.body.encode("utf-8")
        headers = [("Content-Type", self.content_type), ("Content-Length", str(len(body)))]
        if self.location:
            headers.append(("Location", self.location))
        start_response(f"{self.status.value} {self.status.phrase}", headers)
        return [body]


def redirect(location: str) -> Response:
    return Response("", status=HTTPStatus.SEE_OTHER, location=location)


Handler = Callable[..., Response]


class Router:
    """Routes like `/books/<id>`, where `<id>` is a number given to the handler by that name."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        expression = re.sub(r"<(\w+)>", r"(?P<\1>[0-9]{1,9})", pattern)
        self._routes.append((method, re.compile(expression), handler))

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, int]] | HTTPStatus:
        """The handler and its numbers; else 405 where another method would do, else 404."""
        status = HTTPStatus.NOT_FOUND
        for known, expression, handler in self._routes:
            if match := expression.fullmatch(path):
                if known == method:
                    return handler, {name: int(value) for name, value in match.groupdict().items()}
                status = HTTPStatus.METHOD_NOT_ALLOWED
        return status


def _first(encoded: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(encoded, keep_blank_values=True).items()}
