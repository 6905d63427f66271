"""`GET /hours`: a week of opening hours, from today on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from library import views
from library.services import hours
from library.web import Request, Response, Router

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/hours", show)


def show(library: Library, request: Request) -> Response:
    today = library.today()
    days = [today + timedelta(days=number) for number in range(7)]
    sentence = "; ".join(f"{day:%A} {hours.in_words(day)}" for day in days)
    return Response(views.page("problem", title="Opening hours", sentence=sentence))
