"""Readings: the page of what is announced, and the forms for guests."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from library import views
from library.models import reading as table
from library.services import membership, readings
from library.web import BadRequest, Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/readings", index)
    router.add("POST", "/readings", announce)
    router.add("POST", "/readings/<reading_id>/guests", sign_up)
    router.add("POST", "/readings/<reading_id>/guests/<member_id>/remove", sign_off)


def index(library: Library, request: Request) -> Response:
    rows = []
    for reading in table.since(library.connection, library.today()):
        guests = readings.guests(library.connection, reading)
        names = [membership.find(library.connection, number).name for number in guests.seated]
        rows.append(
            {
                "id": reading.id,
                "reading": reading.title,
                "held_on": reading.held_on,
                "free": reading.seats - len(guests.seated),
                "seats": reading.seats,
                "waiting": len(guests.waiting),
                "guests": ", ".join(names) or "nobody yet",
            }
        )
    return Response(views.page("readings", title="Readings", rows=views.each("reading_row", rows)))


def announce(library: Library, request: Request) -> Response:
    try:
        held_on = date.fromisoformat(request.text("held_on"))
    except ValueError:
        raise BadRequest("held_on must be a date such as 2026-03-02.") from None
    readings.announce(library.connection, library.today(), request.text("title"), held_on, request.number("seats"))
    return redirect("/readings")


def sign_up(library: Library, request: Request, reading_id: int) -> Response:
    readings.sign_up(library.connection, library.today(), reading_id, request.number("member_id"))
    return redirect("/readings")


def sign_off(library: Library, request: Request, reading_id: int, member_id: int) -> Response:
    readings.sign_off(library.connection, reading_id, member_id)
    return redirect("/readings")
