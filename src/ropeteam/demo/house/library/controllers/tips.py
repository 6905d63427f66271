"""Tips: the best books, what is said of one, and the forms to give a tip and to take one down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.models import tip as table
from library.services import catalogue, membership, tips
from library.web import Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/tips", index)
    router.add("GET", "/tips/<book_id>", show)
    router.add("POST", "/tips/<book_id>", give)
    router.add("POST", "/tips/<book_id>/<tip_id>/hide", hide)


def index(library: Library, request: Request) -> Response:
    rows = [
        {
            "href": f"/tips/{one.book.id}",
            "heading": one.book.title,
            "stars": f"{one.stars:.1f} stars",
            "text": f"{one.tips} tips",
        }
        for one in tips.best(library.connection)
    ]
    return Response(views.page("tips", title="Tips", action="/books", rows=views.each("tip_row", rows)))


def show(library: Library, request: Request, book_id: int) -> Response:
    book = catalogue.find(library.connection, book_id)
    rows = [
        {
            "href": f"/members/{tip.member_id}",
            "heading": membership.find(library.connection, tip.member_id).name,
            "stars": f"{tip.stars} stars",
            "text": tip.sentence,
        }
        for tip in table.of_book(library.connection, book.id)
    ]
    page = views.page("tips", title=f"Tips: {book.title}", action=f"/tips/{book.id}", rows=views.each("tip_row", rows))
    return Response(page)


def give(library: Library, request: Request, book_id: int) -> Response:
    tips.give(
        library.connection,
        library.today(),
        book_id,
        request.number("member_id"),
        request.number("stars"),
        request.text("sentence"),
    )
    return redirect(f"/tips/{book_id}")


def hide(library: Library, request: Request, book_id: int, tip_id: int) -> Response:
    tips.hide(library.connection, tip_id)
    return redirect(f"/tips/{book_id}")
