"""The page of finds: what is in the box, and the forms to put in, to hand out and to give away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.services import finds
from library.web import Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/finds", index)
    router.add("POST", "/finds", put_in)
    router.add("POST", "/finds/<find_id>/hand-out", hand_out)
    router.add("POST", "/finds/give-away", give_away)


def index(library: Library, request: Request) -> Response:
    text = request.query.get("q", "")
    rows = [
        {
            "id": find.id,
            "what": find.what,
            "place": find.place,
            "found_on": find.found_on,
            "days": finds.days_left(find, library.today()),
        }
        for find in finds.search(library.connection, text)
    ]
    page = views.page("finds", title="Lost and found", q=text, count=len(rows), rows=views.each("find_row", rows))
    return Response(page)


def put_in(library: Library, request: Request) -> Response:
    finds.put_in(library.connection, library.today(), request.text("what"), request.text("place"))
    return redirect("/finds")


def hand_out(library: Library, request: Request, find_id: int) -> Response:
    finds.hand_out(library.connection, library.today(), find_id, request.text("name"))
    return redirect("/finds")


def give_away(library: Library, request: Request) -> Response:
    given = finds.give_away(library.connection, library.today())
    sentence = f"Given away: {', '.join(find.what for find in given)}." if given else "There is nothing to give away."
    return Response(views.page("problem", title="Given away", sentence=sentence))
