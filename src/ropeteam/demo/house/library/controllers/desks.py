"""The reading room's page: who sits where on a day, and the forms to book and to cancel."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, get_args

from library import views
from library.models import desk as table
from library.models.desk import Half
from library.services import desks, membership
from library.web import BadRequest, Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library

HALVES: tuple[Half, ...] = get_args(Half)


def register(router: Router) -> None:
    router.add("GET", "/desks", index)
    router.add("POST", "/desks", book)
    router.add("POST", "/desks/<booking_id>/cancel", cancel)


def index(library: Library, request: Request) -> Response:
    text = request.query.get("day", "")
    day = _day(text) if text else library.today()
    rows = [
        {
            "id": booking.id,
            "desk": booking.desk,
            "half": half,
            "member_id": booking.member_id,
            "member": membership.find(library.connection, booking.member_id).name,
        }
        for half in HALVES
        for booking in table.of_day(library.connection, day, half)
    ]
    free = {half: len(desks.free(library.connection, day, half)) for half in HALVES}
    return Response(views.page("desks", title="Reading room", day=day, rows=views.each("desk_row", rows), **free))


def book(library: Library, request: Request) -> Response:
    day, half = _day(request.text("day")), request.text("half")
    if half not in HALVES:
        raise BadRequest(f"half must be one of {', '.join(HALVES)}.")
    desks.book(library.connection, library.today(), request.number("member_id"), day, half)
    return redirect(f"/desks?day={day}")


def cancel(library: Library, request: Request, booking_id: int) -> Response:
    booking = desks.cancel(library.connection, library.today(), booking_id)
    return redirect(f"/desks?day={booking.day}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequest("day must be a date such as 2026-03-02.") from None
