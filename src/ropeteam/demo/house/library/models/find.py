"""Finds: things that somebody left in the house, and who came for them. A kept one has no `gone_on`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Find:
    """taken_by: name of whoever it was handed to; empty for one that is kept or given away."""

    id: int
    what: str
    place: str
    found_on: date
    gone_on: date | None
    taken_by: str

    @property
    def kept(self) -> bool:
        return self.gone_on is None


def add(connection: sqlite3.Connection, what: str, place: str, found_on: date) -> Find:
    cursor = connection.execute(
        "INSERT INTO find (what, place, found_on) VALUES (?, ?, ?)", (what, place, found_on.isoformat())
    )
    assert cursor.lastrowid is not None
    return Find(cursor.lastrowid, what, place, found_on, None, "")


def get(connection: sqlite3.Connection, find_id: int) -> Find | None:
    row = connection.execute("SELECT * FROM find WHERE id = ?", (find_id,)).fetchone()
    return _find(row) if row else None


def kept(connection: sqlite3.Connection) -> list[Find]:
    """Everything that is kept, the newest first."""
    rows = connection.execute("SELECT * FROM find WHERE gone_on IS NULL ORDER BY found_on DESC, id DESC")
    return [_find(row) for row in rows]


def kept_since(connection: sqlite3.Connection, day: date) -> list[Find]:
    """What is kept since that day or longer, the oldest first."""
    rows = connection.execute(
        "SELECT * FROM find WHERE gone_on IS NULL AND found_on <= ? ORDER BY found_on, id", (day.isoformat(),)
    )
    return [_find(row) for row in rows]


def close(connection: sqlite3.Connection, find_id: int, gone_on: date, taken_by: str) -> None:
    connection.execute(
        "UPDATE find SET gone_on = ?, taken_by = ? WHERE id = ?", (gone_on.isoformat(), taken_by, find_id)
    )


def _find(row: sqlite3.Row) -> Find:
    gone = row["gone_on"]
    return Find(
        id=row["id"],
        what=row["what"],
        place=row["place"],
        found_on=date.fromisoformat(row["found_on"]),
        gone_on=date.fromisoformat(gone) if gone else None,
        taken_by=row["taken_by"],
    )
