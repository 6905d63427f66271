"""Keys of the lockers in the entrance: who has, or had, which one."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Key:
    id: int
    locker: int
    member_id: int
    given_on: date
    returned_on: date | None

    @property
    def out(self) -> bool:
        return self.returned_on is None

    def days(self, today: date) -> int:
        """How long it was, or is, out."""
        return ((self.returned_on or today) - self.given_on).days


def add(connection: sqlite3.Connection, locker: int, member_id: int, given_on: date) -> Key:
    cursor = connection.execute(
        "INSERT INTO locker_key (locker, member_id, given_on) VALUES (?, ?, ?)",
        (locker, member_id, given_on.isoformat()),
    )
    assert cursor.lastrowid is not None
    return Key(cursor.lastrowid, locker, member_id, given_on, None)


def get(connection: sqlite3.Connection, key_id: int) -> Key | None:
    row = connection.execute("SELECT * FROM locker_key WHERE id = ?", (key_id,)).fetchone()
    return _key(row) if row else None


def out(connection: sqlite3.Connection) -> list[Key]:
    """Keys that are out, by locker."""
    return [
        _key(row) for row in connection.execute("SELECT * FROM locker_key WHERE returned_on IS NULL ORDER BY locker")
    ]


def of_member(connection: sqlite3.Connection, member_id: int) -> Key | None:
    """The key that the member has now."""
    row = connection.execute(
        "SELECT * FROM locker_key WHERE member_id = ? AND returned_on IS NULL", (member_id,)
    ).fetchone()
    return _key(row) if row else None


def close(connection: sqlite3.Connection, key_id: int, returned_on: date) -> None:
    connection.execute("UPDATE locker_key SET returned_on = ? WHERE id = ?", (returned_on.isoformat(), key_id))


def _key(row: sqlite3.Row) -> Key:
    returned = row["returned_on"]
    return Key(
        id=row["id"],
        locker=row["locker"],
        member_id=row["member_id"],
        given_on=date.fromisoformat(row["given_on"]),
        returned_on=date.fromisoformat(returned) if returned else None,
    )
