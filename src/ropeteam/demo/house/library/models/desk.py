"""Bookings of the reading room's desks. A desk is a number; a booking is for half a day."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date
from typing import Literal

Half = Literal["morning", "afternoon"]


@dataclass(frozen=True)
class Booking:
    id: int
    desk: int
    day: date
    half: Half
    member_id: int


def add(connection: sqlite3.Connection, desk: int, day: date, half: Half, member_id: int) -> Booking:
    """sqlite3.IntegrityError where the desk is taken, or the member has one."""
    cursor = connection.execute(
        "INSERT INTO desk_booking (desk, day, half, member_id) VALUES (?, ?, ?, ?)",
        (desk, day.isoformat(), half, member_id),
    )
    assert cursor.lastrowid is not None
    return Booking(cursor.lastrowid, desk, day, half, member_id)


def get(connection: sqlite3.Connection, booking_id: int) -> Booking | None:
    row = connection.execute("SELECT * FROM desk_booking WHERE id = ?", (booking_id,)).fetchone()
    return _booking(row) if row else None


def of_day(connection: sqlite3.Connection, day: date, half: Half) -> list[Booking]:
    rows = connection.execute(
        "SELECT * FROM desk_booking WHERE day = ? AND half = ? ORDER BY desk", (day.isoformat(), half)
    )
    return [_booking(row) for row in rows]


def of_member(connection: sqlite3.Connection, member_id: int, since: date) -> list[Booking]:
    """Bookings of that day and later, the next first."""
    rows = connection.execute(
        "SELECT * FROM desk_booking WHERE member_id = ? AND day >= ? ORDER BY day, half DESC",
        (member_id, since.isoformat()),
    )
    return [_booking(row) for row in rows]


def remove(connection: sqlite3.Connection, booking_id: int) -> None:
    connection.execute("DELETE FROM desk_booking WHERE id = ?", (booking_id,))


def _booking(row: sqlite3.Row) -> Booking:
    return Booking(row["id"], row["desk"], date.fromisoformat(row["day"]), row["half"], row["member_id"])
