"""How long the waiting lists are, as JSON for the screen in the entrance. It names no member."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from library.models import reservation as table
from library.services import catalogue
from library.web import Request, Response, Router

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/api/waiting", index)


def index(library: Library, request: Request) -> Response:
    books = [
        {"book": book_id, "title": catalogue.find(library.connection, book_id).title, "waiting": waiting}
        for book_id, waiting in table.lengths(library.connection).items()
    ]
    return Response(json.dumps({"books": books}, ensure_ascii=False), content_type="application/json; charset=utf-8")
