"""The waiting list, as forms and as the desk's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.models import reservation as table
from library.models.reservation import Reservation
from library.services import catalogue, membership, reservations
from library.web import Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/reservations", index)
    router.add("POST", "/reservations", reserve)
    router.add("POST", "/reservations/<reservation_id>/cancel", cancel)


def index(library: Library, request: Request) -> Response:
    everything = table.everything_open(library.connection)
    kept = [_row(library, reservation) for reservation in everything if reservation.kept]
    waiting = [_row(library, reservation) for reservation in everything if not reservation.kept]
    return Response(
        views.page(
            "reservations",
            title="Reservations",
            kept=views.each("reservation_row", kept),
            waiting=views.each("reservation_row", waiting),
        )
    )


def reserve(library: Library, request: Request) -> Response:
    reservation = reservations.reserve(
        library.connection, library.config, library.today(), request.number("book_id"), request.number("member_id")
    )
    return redirect(f"/books/{reservation.book_id}")


def cancel(library: Library, request: Request, reservation_id: int) -> Response:
    reservation = reservations.cancel(library.connection, library.config, library.today(), reservation_id)
    return redirect(f"/members/{reservation.member_id}")


def _row(library: Library, reservation: Reservation) -> dict[str, object]:
    return {
        "id": reservation.id,
        "book_id": reservation.book_id,
        "book": catalogue.find(library.connection, reservation.book_id).title,
        "member_id": reservation.member_id,
        "member": membership.find(library.connection, reservation.member_id).name,
        "state": reservations.state(library.connection, reservation),
    }
