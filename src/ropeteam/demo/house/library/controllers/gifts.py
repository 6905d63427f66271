"""Gifts: what was given in a year, and the forms to take a gift and to write a receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library import views
from library.models import gift as table
from library.services import gifts
from library.web import BadRequest, Request, Response, Router, redirect

if TYPE_CHECKING:
    from library.app import Library


def register(router: Router) -> None:
    router.add("GET", "/gifts", index)
    router.add("POST", "/gifts", take)
    router.add("POST", "/gifts/<gift_id>/receipt", receipt)


def index(library: Library, request: Request) -> Response:
    """With `?year=2025` those of that year, else those of this one."""
    text = request.query.get("year", "") or str(library.today().year)
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise BadRequest("year must be a year such as 2026.")
    year = gifts.year(library.connection, int(text))
    rows = [
        {
            "id": gift.id,
            "giver": gift.giver,
            "purpose": gift.purpose,
            "amount": views.money(gift.cents),
            "given_on": gift.given_on,
            "receipt": f"receipt {gift.receipt}" if gift.receipt else "no receipt",
        }
        for gift in table.of_year(library.connection, year.year)
    ]
    return Response(
        views.page(
            "gifts",
            title="Gifts",
            year=year.year,
            total=views.money(year.total),
            purposes=", ".join(f"{views.money(cents)} for {purpose}" for purpose, cents in year.purposes) or "nothing",
            rows=views.each("gift_row", rows),
        )
    )


def take(library: Library, request: Request) -> Response:
    gifts.take(
        library.connection,
        library.today(),
        request.text("giver"),
        request.text("purpose"),
        request.text("amount"),
    )
    return redirect("/gifts")


def receipt(library: Library, request: Request, gift_id: int) -> Response:
    gift = gifts.receipt(library.connection, gift_id)
    return redirect(f"/gifts?year={gift.given_on.year}")
