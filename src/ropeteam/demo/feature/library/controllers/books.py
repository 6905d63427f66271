"""The catalogue's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.models import loan as loans
from library.services import catalogue, membership, reservations
from library.web import Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/books", index)
    router.add("POST", "/books", add)
    router.add("GET", "/books/<book_id>", show)


def index(library: Library, request: Request) -> Response:
    text = request.query.get("q", "")
    rows = [
        {"id": book.id, "title": book.title, "author": book.author, "free": free.free, "copies": free.copies}
        for book, free in catalogue.search(library.connection, text)
    ]
    return Response(views.page("books", title="Books", q=text, count=len(rows), rows=views.each("book_row", rows)))


def add(library: Library, request: Request) -> Response:
    book = catalogue.add(
        library.connection,
        request.text("title"),
        request.text("author"),
        request.text("isbn"),
        request.number("copies"),
    )
    return redirect(f"/books/{book.id}")


def show(library: Library, request: Request, book_id: int) -> Response:
    book = catalogue.find(library.connection, book_id)
    free = catalogue.availability(library.connection, book)
    out = [
        {
            "loan_id": loan.id,
            "member_id": loan.member_id,
            "member": membership.find(library.connection, loan.member_id).name,
            "due_on": loan.due_on,
        }
        for loan in loans.open_of_book(library.connection, book.id)
    ]
    return Response(
        views.page(
            "book",
            title=book.title,
            id=book.id,
            author=book.author,
            isbn=book.isbn,
            free=free.free,
            copies=free.copies,
            waiting=reservations.waiting(library.connection, book.id),
            loans=views.each("book_loan", out),
        )
    )
