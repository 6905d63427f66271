"""The members' pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.models import loan as loans
from library.models import member as members
from library.models import reservation as reservation_table
from library.services import catalogue, membership, notices, reservations
from library.web import Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/members", index)
    router.add("POST", "/members", join)
    router.add("GET", "/members/<member_id>", show)


def index(library: Library, request: Request) -> Response:
    rows = [{"id": member.id, "name": member.name} for member in members.everyone(library.connection)]
    return Response(views.page("members", title="Members", rows=views.each("member_row", rows)))


def join(library: Library, request: Request) -> Response:
    member = membership.join(library.connection, request.text("name"), request.text("email"))
    return redirect(f"/members/{member.id}")


def show(library: Library, request: Request, member_id: int) -> Response:
    member = membership.find(library.connection, member_id)
    rows = [
        {
            "loan_id": loan.id,
            "book_id": loan.book_id,
            "title": catalogue.find(library.connection, loan.book_id).title,
            "due_on": loan.due_on,
            "late": "late" if loan.days_late(library.today()) else "",
        }
        for loan in loans.open_of_member(library.connection, member.id)
    ]
    return Response(
        views.page(
            "member",
            title=member.name,
            id=member.id,
            email=member.email,
            loans=views.each("member_loan", rows),
            reservations=_reservations(library, member.id),
            notices=_notices(library, member.id),
        )
    )


def _reservations(library: Library, member_id: int) -> views.Markup:
    rows = [
        {
            "id": reservation.id,
            "book_id": reservation.book_id,
            "title": catalogue.find(library.connection, reservation.book_id).title,
            "state": reservations.state(library.connection, reservation),
        }
        for reservation in reservation_table.open_of_member(library.connection, member_id)
    ]
    return views.each("member_reservation", rows)


def _notices(library: Library, member_id: int) -> views.Markup:
    rows = [
        {"written_on": notice.written_on, "subject": notice.subject, "text": notice.text}
        for notice in notices.of_member(library.connection, member_id)
    ]
    return views.each("member_notice", rows)
