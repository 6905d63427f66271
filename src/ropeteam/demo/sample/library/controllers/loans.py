"""Lending, renewing and taking back, as forms of the desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.services import catalogue, lending
from library.web import Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("POST", "/loans", lend)
    router.add("POST", "/loans/<loan_id>/renew", renew)
    router.add("POST", "/loans/<loan_id>/return", take_back)


def lend(library: Library, request: Request) -> Response:
    loan = lending.lend(
        library.connection, library.config, library.today(), request.number("book_id"), request.number("member_id")
    )
    return redirect(f"/members/{loan.member_id}")


def renew(library: Library, request: Request, loan_id: int) -> Response:
    loan = lending.renew(library.connection, library.config, library.today(), loan_id)
    return redirect(f"/members/{loan.member_id}")


def take_back(library: Library, request: Request, loan_id: int) -> Response:
    receipt = lending.take_back(library.connection, library.config, library.today(), loan_id)
    book = catalogue.find(library.connection, receipt.loan.book_id)
    return Response(
        views.page(
            "receipt",
            title="Returned",
            book_id=book.id,
            book=book.title,
            member_id=receipt.loan.member_id,
            days_late=receipt.days_late,
            fine=views.money(receipt.fine_cents),
        )
    )
