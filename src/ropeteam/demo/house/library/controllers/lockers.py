"""The lockers' page: whose keys are out, and the forms to give one and to take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.models import locker as table
from library.models.locker import Key
from library.services import lockers, membership
from library.web import Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/lockers", index)
    router.add("POST", "/lockers", give)
    router.add("POST", "/lockers/<key_id>/return", take_back)


def index(library: Library, request: Request) -> Response:
    """With `?late=1` only those that have been out for too long."""
    today = library.today()
    late = lockers.overdue(library.connection, today)
    shown = late if request.query.get("late") else table.out(library.connection)
    return Response(
        views.page(
            "lockers",
            title="Lockers",
            free=", ".join(map(str, lockers.free(library.connection))) or "none",
            late=len(late),
            rows=views.each("locker_row", [_row(library, key) for key in shown]),
        )
    )


def give(library: Library, request: Request) -> Response:
    lockers.give(library.connection, library.today(), request.number("member_id"), request.number("locker"))
    return redirect("/lockers")


def take_back(library: Library, request: Request, key_id: int) -> Response:
    cents = lockers.take_back(library.connection, library.today(), key_id)
    key = lockers.find(library.connection, key_id)
    sentence = f"The key of locker {key.locker} is back. Deposit to hand back: {views.money(cents)}"
    return Response(views.page("problem", title="Key returned", sentence=sentence))


def _row(library: Library, key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "locker": key.locker,
        "member_id": key.member_id,
        "member": membership.find(library.connection, key.member_id).name,
        "days": key.days(library.today()),
        "deposit": views.money(lockers.deposit(key, library.today())),
    }
