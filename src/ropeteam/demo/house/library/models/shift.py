"""Shifts: what there is to do on a day, and the members who help. minutes: how long, once it is written down."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Shift:
    """helpers: how many are wanted."""

    id: int
    day: date
    task: str
    helpers: int


def add(connection: sqlite3.Connection, day: date, task: str, helpers: int) -> Shift:
    cursor = connection.execute(
        "INSERT INTO shift (day, task, helpers) VALUES (?, ?, ?)", (day.isoformat(), task, helpers)
    )
    assert cursor.lastrowid is not None
    return Shift(cursor.lastrowid, day, task, helpers)


def get(connection: sqlite3.Connection, shift_id: int) -> Shift | None:
    row = connection.execute("SELECT * FROM shift WHERE id = ?", (shift_id,)).fetchone()
    return _shift(row) if row else None


def between(connection: sqlite3.Connection, first: date, last: date) -> list[Shift]:
    """Both days included, the next first."""
    rows = connection.execute(
        "SELECT * FROM shift WHERE day BETWEEN ? AND ? ORDER BY day, id", (first.isoformat(), last.isoformat())
    )
    return [_shift(row) for row in rows]


def take(connection: sqlite3.Connection, shift_id: int, member_id: int) -> None:
    """sqlite3.IntegrityError for a member who has it already."""
    connection.execute("INSERT INTO shift_helper (shift_id, member_id) VALUES (?, ?)", (shift_id, member_id))


def helpers(connection: sqlite3.Connection, shift_id: int) -> list[int]:
    """Numbers of the members, in the order in which they took it."""
    rows = connection.execute("SELECT member_id FROM shift_helper WHERE shift_id = ? ORDER BY rowid", (shift_id,))
    return [row["member_id"] for row in rows]


def write_down(connection: sqlite3.Connection, shift_id: int, member_id: int, minutes: int) -> bool:
    """Whether the member had the shift."""
    cursor = connection.execute(
        "UPDATE shift_helper SET minutes = ? WHERE shift_id = ? AND member_id = ?", (minutes, shift_id, member_id)
    )
    return cursor.rowcount > 0


def minutes_of(connection: sqlite3.Connection, member_id: int) -> int:
    """All minutes that were written down for a member."""
    (total,) = connection.execute(
        "SELECT COALESCE(SUM(minutes), 0) FROM shift_helper WHERE member_id = ?", (member_id,)
    ).fetchone()
    return int(total)


def _shift(row: sqlite3.Row) -> Shift:
    return Shift(row["id"], date.fromisoformat(row["day"]), row["task"], row["helpers"])
