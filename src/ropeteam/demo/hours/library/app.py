"""The application: routes to controllers, refusals to pages. The only place that asks for today's date."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from http import HTTPStatus
from typing import Any

from library import database, views
from library.config import Config
from library.controllers import books, hours, loans, members
from library.services import NotThere, Refused
from library.web import BadRequest, Request, Response, Router, redirect


@dataclass
class Library:
    """A WSGI application over one connection. today: what counts as the current date."""

    config: Config
    connection: sqlite3.Connection
    today: Callable[[], date] = date.today

    @classmethod
    def open(cls, config: Config) -> Library:
        return cls(config, database.connect(config.database))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            response = self.answer(Request.from_environ(environ))
        except BadRequest as error:
            response = _problem(HTTPStatus.BAD_REQUEST, str(error))
        return response.send(start_response)

    def answer(self, request: Request) -> Response:
        found = self.routes.find(request.method, request.path)
        if isinstance(found, HTTPStatus):
            return _problem(found, f"{request.method} {request.path} leads nowhere.")
        handler, numbers = found
        try:
            return handler(self, request, **numbers)
        except NotThere as error:
            return _problem(HTTPStatus.NOT_FOUND, str(error))
        except Refused as error:
            return _problem(HTTPStatus.CONFLICT, str(error))
        except BadRequest as error:
            return _problem(HTTPStatus.BAD_REQUEST, str(error))

    @cached_property
    def routes(self) -> Router:
        router = Router()
        router.add("GET", "/", lambda *_: redirect("/books"))
        for controller in (books, members, loans, hours):
            controller.register(router)
        return router


def _problem(status: HTTPStatus, sentence: str) -> Response:
    return Response(views.page("problem", title=status.phrase, sentence=sentence), status=status)
