"""The waiting list, as forms and as the desk's page. Declared only: it has no routes yet."""

from __future__ import annotations

from library.web import Router


def register(router: Router) -> None:
    """GET /reservations, POST /reservations, POST /reservations/<reservation_id>/cancel"""
