"""How long the waiting lists are, as JSON for the screen in the entrance. Declared only: it has no route yet."""

from __future__ import annotations

from library.web import Router


def register(router: Router) -> None:
    """GET /api/waiting"""
