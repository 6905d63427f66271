"""Readings in the house, and their guests in the order in which they signed up."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Reading:
    id: int
    title: str
    held_on: date
    seats: int


def add(connection: sqlite3.Connection, title: str, held_on: date, seats: int) -> Reading:
    cursor = connection.execute(
        "INSERT INTO reading (title, held_on, seats) VALUES (?, ?, ?)", (title, held_on.isoformat(), seats)
    )
    assert cursor.lastrowid is not None
    return Reading(cursor.lastrowid, title, held_on, seats)


def get(connection: sqlite3.Connection, reading_id: int) -> Reading | None:
    row = connection.execute("SELECT * FROM reading WHERE id = ?", (reading_id,)).fetchone()
    return _reading(row) if row else None


def since(connection: sqlite3.Connection, day: date) -> list[Reading]:
    """Readings on that day and later, the next first."""
    rows = connection.execute("SELECT * FROM reading WHERE held_on >= ? ORDER BY held_on, id", (day.isoformat(),))
    return [_reading(row) for row in rows]


def sign_up(connection: sqlite3.Connection, reading_id: int, member_id: int) -> None:
    """sqlite3.IntegrityError for somebody who is on the list already."""
    connection.execute("INSERT INTO reading_guest (reading_id, member_id) VALUES (?, ?)", (reading_id, member_id))


def sign_off(connection: sqlite3.Connection, reading_id: int, member_id: int) -> bool:
    """Whether there was anything to take off the list."""
    cursor = connection.execute(
        "DELETE FROM reading_guest WHERE reading_id = ? AND member_id = ?", (reading_id, member_id)
    )
    return cursor.rowcount > 0


def guests(connection: sqlite3.Connection, reading_id: int) -> list[int]:
    """Numbers of the members, the first to sign up first."""
    rows = connection.execute("SELECT member_id FROM reading_guest WHERE reading_id = ? ORDER BY id", (reading_id,))
    return [row["member_id"] for row in rows]


def _reading(row: sqlite3.Row) -> Reading:
    return Reading(row["id"], row["title"], date.fromisoformat(row["held_on"]), row["seats"])
