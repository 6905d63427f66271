"""Notices: what the library has to tell a member."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Notice:
    id: int
    member_id: int
    written_on: date
    subject: str
    text: str


def add(connection: sqlite3.Connection, member_id: int, written_on: date, subject: str, text: str) -> Notice:
    cursor = connection.execute(
        "INSERT INTO notice (member_id, written_on, subject, text) VALUES (?, ?, ?, ?)",
        (member_id, written_on.isoformat(), subject, text),
    )
    assert cursor.lastrowid is not None
    return Notice(cursor.lastrowid, member_id, written_on, subject, text)


def of_member(connection: sqlite3.Connection, member_id: int) -> list[Notice]:
    """A member's notices, the newest first."""
    rows = connection.execute("SELECT * FROM notice WHERE member_id = ? ORDER BY id DESC", (member_id,))
    return [
        Notice(row["id"], row["member_id"], date.fromisoformat(row["written_on"]), row["subject"], row["text"])
        for row in rows
    ]
