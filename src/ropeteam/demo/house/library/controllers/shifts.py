"""Shifts: what is to be done in the next weeks, and the forms to ask for help, to take a shift, to write it down."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from library import views
from library.models import shift as table
from library.services import membership, shifts
from library.web import BadRequest, Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/shifts", index)
    router.add("POST", "/shifts", ask)
    router.add("POST", "/shifts/<shift_id>/helpers", take)
    router.add("POST", "/shifts/<shift_id>/minutes", write_down)


def index(library: Library, request: Request) -> Response:
    rows = []
    for shift in shifts.coming(library.connection, library.today()):
        numbers = table.helpers(library.connection, shift.id)
        said = [
            f"{membership.find(library.connection, number).name} ({shifts.hours(library.connection, number)} so far)"
            for number in numbers
        ]
        rows.append(
            {
                "id": shift.id,
                "day": shift.day,
                "task": shift.task,
                "wanted": shifts.wanted(library.connection, shift),
                "helpers": ", ".join(said) or "nobody yet",
            }
        )
    return Response(views.page("shifts", title="Helpers", rows=views.each("shift_row", rows)))


def ask(library: Library, request: Request) -> Response:
    try:
        day = date.fromisoformat(request.text("day"))
    except ValueError:
        raise BadRequest("day must be a date such as 2026-03-02.") from None
    shifts.ask(library.connection, library.today(), day, request.text("task"), request.number("helpers"))
    return redirect("/shifts")


def take(library: Library, request: Request, shift_id: int) -> Response:
    shifts.take(library.connection, library.today(), shift_id, request.number("member_id"))
    return redirect("/shifts")


def write_down(library: Library, request: Request, shift_id: int) -> Response:
    shifts.write_down(
        library.connection, library.today(), shift_id, request.number("member_id"), request.number("minutes")
    )
    return redirect("/shifts")
