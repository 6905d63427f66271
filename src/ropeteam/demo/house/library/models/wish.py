"""Wishes for books that the library does not own, and the members who share them. An open one is not decided."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Wish:
    """voices: how many members share it."""

    id: int
    title: str
    author: str
    wished_on: date
    decided_on: date | None
    bought: bool
    voices: int

    @property
    def open(self) -> bool:
        return self.decided_on is None


_SELECT = "SELECT *, (SELECT COUNT(*) FROM wish_voice WHERE wish_id = wish.id) AS voices FROM wish"


def add(connection: sqlite3.Connection, title: str, author: str, wished_on: date) -> int:
    """The number of the new wish, which nobody shares yet."""
    cursor = connection.execute(
        "INSERT INTO wish (title, author, wished_on) VALUES (?, ?, ?)", (title, author, wished_on.isoformat())
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def get(connection: sqlite3.Connection, wish_id: int) -> Wish | None:
    row = connection.execute(f"{_SELECT} WHERE id = ?", (wish_id,)).fetchone()
    return _wish(row) if row else None


def open_of_title(connection: sqlite3.Connection, title: str, author: str) -> Wish | None:
    """The open wish for that book, whatever the case of the letters."""
    row = connection.execute(
        f"{_SELECT} WHERE lower(title) = lower(?) AND lower(author) = lower(?) AND decided_on IS NULL", (title, author)
    ).fetchone()
    return _wish(row) if row else None


def all_open(connection: sqlite3.Connection) -> list[Wish]:
    """Those that most members share first, of equal ones the oldest."""
    return [_wish(row) for row in connection.execute(f"{_SELECT} WHERE decided_on IS NULL ORDER BY voices DESC, id")]


def share(connection: sqlite3.Connection, wish_id: int, member_id: int) -> None:
    """sqlite3.IntegrityError for a member who shares it already."""
    connection.execute("INSERT INTO wish_voice (wish_id, member_id) VALUES (?, ?)", (wish_id, member_id))


def decide(connection: sqlite3.Connection, wish_id: int, decided_on: date, *, bought: bool) -> None:
    connection.execute(
        "UPDATE wish SET decided_on = ?, bought = ? WHERE id = ?", (decided_on.isoformat(), int(bought), wish_id)
    )


def _wish(row: sqlite3.Row) -> Wish:
    decided = row["decided_on"]
    return Wish(
        id=row["id"],
        title=row["title"],
        author=row["author"],
        wished_on=date.fromisoformat(row["wished_on"]),
        decided_on=date.fromisoformat(decided) if decided else None,
        bought=bool(row["bought"]),
        voices=row["voices"],
    )
