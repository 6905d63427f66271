"""Tips: what a member says of a book. A hidden one is kept, so that nobody gives it again, and shown to nobody."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Tip:
    """stars: 1 to 5."""

    id: int
    book_id: int
    member_id: int
    stars: int
    sentence: str
    given_on: date
    hidden: bool


def add(connection: sqlite3.Connection, book_id: int, member_id: int, stars: int, sentence: str, given_on: date) -> Tip:
    """sqlite3.IntegrityError for a second one of the same member."""
    cursor = connection.execute(
        "INSERT INTO tip (book_id, member_id, stars, sentence, given_on) VALUES (?, ?, ?, ?, ?)",
        (book_id, member_id, stars, sentence, given_on.isoformat()),
    )
    assert cursor.lastrowid is not None
    return Tip(cursor.lastrowid, book_id, member_id, stars, sentence, given_on, hidden=False)


def get(connection: sqlite3.Connection, tip_id: int) -> Tip | None:
    row = connection.execute("SELECT * FROM tip WHERE id = ?", (tip_id,)).fetchone()
    return _tip(row) if row else None


def of_book(connection: sqlite3.Connection, book_id: int) -> list[Tip]:
    """Those that are not hidden, the newest first."""
    rows = connection.execute(
        "SELECT * FROM tip WHERE book_id = ? AND NOT hidden ORDER BY given_on DESC, id DESC", (book_id,)
    )
    return [_tip(row) for row in rows]


def everything(connection: sqlite3.Connection) -> list[Tip]:
    """Those that are not hidden, by book."""
    return [_tip(row) for row in connection.execute("SELECT * FROM tip WHERE NOT hidden ORDER BY book_id, id")]


def hide(connection: sqlite3.Connection, tip_id: int) -> None:
    connection.execute("UPDATE tip SET hidden = 1 WHERE id = ?", (tip_id,))


def _tip(row: sqlite3.Row) -> Tip:
    return Tip(
        id=row["id"],
        book_id=row["book_id"],
        member_id=row["member_id"],
        stars=row["stars"],
        sentence=row["sentence"],
        given_on=date.fromisoformat(row["given_on"]),
        hidden=bool(row["hidden"]),
    )
