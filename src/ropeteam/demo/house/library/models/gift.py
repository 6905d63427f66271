"""Gifts of money. receipt: its number, once one was written."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Gift:
    id: int
    giver: str
    purpose: str
    cents: int
    given_on: date
    receipt: int | None


def add(connection: sqlite3.Connection, giver: str, purpose: str, cents: int, given_on: date) -> Gift:
    cursor = connection.execute(
        "INSERT INTO gift (giver, purpose, cents, given_on) VALUES (?, ?, ?, ?)",
        (giver, purpose, cents, given_on.isoformat()),
    )
    assert cursor.lastrowid is not None
    return Gift(cursor.lastrowid, giver, purpose, cents, given_on, None)


def get(connection: sqlite3.Connection, gift_id: int) -> Gift | None:
    row = connection.execute("SELECT * FROM gift WHERE id = ?", (gift_id,)).fetchone()
    return _gift(row) if row else None


def of_year(connection: sqlite3.Connection, year: int) -> list[Gift]:
    """All gifts of a year, the newest first."""
    rows = connection.execute(
        "SELECT * FROM gift WHERE given_on BETWEEN ? AND ? ORDER BY given_on DESC, id DESC",
        (f"{year:04d}-01-01", f"{year:04d}-12-31"),
    )
    return [_gift(row) for row in rows]


def by_purpose(connection: sqlite3.Connection, year: int) -> list[tuple[str, int]]:
    """What was given for each purpose in a year, in cents; the most first."""
    rows = connection.execute(
        "SELECT purpose, SUM(cents) AS total FROM gift WHERE given_on BETWEEN ? AND ?"
        " GROUP BY purpose ORDER BY total DESC, purpose",
        (f"{year:04d}-01-01", f"{year:04d}-12-31"),
    )
    return [(row["purpose"], row["total"]) for row in rows]


def last_receipt(connection: sqlite3.Connection) -> int:
    """The highest number of a receipt; 0 when none was written."""
    (number,) = connection.execute("SELECT COALESCE(MAX(receipt), 0) FROM gift").fetchone()
    return int(number)


def write_receipt(connection: sqlite3.Connection, gift_id: int, number: int) -> None:
    connection.execute("UPDATE gift SET receipt = ? WHERE id = ?", (number, gift_id))


def _gift(row: sqlite3.Row) -> Gift:
    return Gift(
        id=row["id"],
        giver=row["giver"],
        purpose=row["purpose"],
        cents=row["cents"],
        given_on=date.fromisoformat(row["given_on"]),
        receipt=row["receipt"],
    )
