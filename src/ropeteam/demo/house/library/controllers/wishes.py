"""Wishes: the list for the one who buys, and the forms at the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.models import wish as table
from library.services import wishes
from library.web import Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/wishes", index)
    router.add("POST", "/wishes", wish)
    router.add("POST", "/wishes/<wish_id>/share", share)
    router.add("POST", "/wishes/<wish_id>/buy", buy)
    router.add("POST", "/wishes/<wish_id>/decline", decline)


def index(library: Library, request: Request) -> Response:
    rows = [
        {
            "id": wish.id,
            "wish": wish.title,
            "author": wish.author,
            "wished_on": wish.wished_on,
            "voices": f"{wish.voices} member{'' if wish.voices == 1 else 's'}",
        }
        for wish in table.all_open(library.connection)
    ]
    return Response(views.page("wishes", title="Wishes", count=len(rows), rows=views.each("wish_row", rows)))


def wish(library: Library, request: Request) -> Response:
    wishes.wish(
        library.connection,
        library.today(),
        request.number("member_id"),
        request.text("title"),
        request.text("author"),
    )
    return redirect("/wishes")


def share(library: Library, request: Request, wish_id: int) -> Response:
    wishes.share(library.connection, wish_id, request.number("member_id"))
    return redirect("/wishes")


def buy(library: Library, request: Request, wish_id: int) -> Response:
    wishes.decide(library.connection, library.today(), wish_id, buy=True)
    return redirect("/wishes")


def decline(library: Library, request: Request, wish_id: int) -> Response:
    wishes.decide(library.connection, library.today(), wish_id, buy=False)
    return redirect("/wishes")
