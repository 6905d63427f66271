"""Reservations: who waits for which book, and for whom a copy is kept.

An open reservation has no `ended_on`. It waits until a copy is kept for it: then it has `ready_on` and `expires_on`,
the last day on which it can be collected. The list of a book is in the order of the ids.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date
from typing import Literal

Outcome = Literal["collected", "cancelled", "expired"]


@dataclass(frozen=True)
class Reservation:
    id: int
    book_id: int
    member_id: int
    reserved_on: date
    ready_on: date | None = None
    expires_on: date | None = None
    ended_on: date | None = None
    outcome: Outcome | None = None

    @property
    def open(self) -> bool:
        return self.ended_on is None

    @property
    def kept(self) -> bool:
        """Whether a copy stands behind the desk for it."""
        return self.open and self.ready_on is not None


def add(connection: sqlite3.Connection, book_id: int, member_id: int, today: date) -> Reservation:
    cursor = connection.execute(
        "INSERT INTO reservation (book_id, member_id, reserved_on) VALUES (?, ?, ?)",
        (book_id, member_id, today.isoformat()),
    )
    assert cursor.lastrowid is not None
    return Reservation(cursor.lastrowid, book_id, member_id, today)


def get(connection: sqlite3.Connection, reservation_id: int) -> Reservation | None:
    found = _select(connection, "id = ?", reservation_id)
    return found[0] if found else None


def everything_open(connection: sqlite3.Connection) -> list[Reservation]:
    return _select(connection, "ended_on IS NULL")


def open_of_member(connection: sqlite3.Connection, member_id: int) -> list[Reservation]:
    return _select(connection, "ended_on IS NULL AND member_id = ?", member_id)


def waiting_for(connection: sqlite3.Connection, book_id: int) -> list[Reservation]:
    """Those who wait for a book and have no copy kept, in their order."""
    return _select(connection, "ended_on IS NULL AND ready_on IS NULL AND book_id = ?", book_id)


def kept_of_book(connection: sqlite3.Connection, book_id: int) -> list[Reservation]:
    return _select(connection, "ended_on IS NULL AND ready_on IS NOT NULL AND book_id = ?", book_id)


def not_collected(connection: sqlite3.Connection, today: date) -> list[Reservation]:
    """Open reservations whose last day is over."""
    return _select(connection, "ended_on IS NULL AND expires_on < ?", today.isoformat())


def lengths(connection: sqlite3.Connection) -> dict[int, int]:
    """For each book that somebody waits for: its number and how many wait."""
    rows = connection.execute(
        "SELECT book_id, COUNT(*) AS waiting FROM reservation WHERE ended_on IS NULL AND ready_on IS NULL"
        " GROUP BY book_id ORDER BY book_id"
    )
    return {row["book_id"]: row["waiting"] for row in rows}


def keep(connection: sqlite3.Connection, reservation_id: int, ready_on: date, expires_on: date) -> None:
    connection.execute(
        "UPDATE reservation SET ready_on = ?, expires_on = ? WHERE id = ?",
        (ready_on.isoformat(), expires_on.isoformat(), reservation_id),
    )


def end(connection: sqlite3.Connection, reservation_id: int, ended_on: date, outcome: Outcome) -> None:
    connection.execute(
        "UPDATE reservation SET ended_on = ?, outcome = ? WHERE id = ?", (ended_on.isoformat(), outcome, reservation_id)
    )


def _select(connection: sqlite3.Connection, condition: str, *values: object) -> list[Reservation]:
    rows = connection.execute(f"SELECT * FROM reservation WHERE {condition} ORDER BY id", values)
    return [
        Reservation(
            id=row["id"],
            book_id=row["book_id"],
            member_id=row["member_id"],
            reserved_on=date.fromisoformat(row["reserved_on"]),
            ready_on=_date(row["ready_on"]),
            expires_on=_date(row["expires_on"]),
            ended_on=_date(row["ended_on"]),
            outcome=row["outcome"],
        )
        for row in rows
    ]


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
