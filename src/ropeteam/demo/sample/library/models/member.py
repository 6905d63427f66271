"""Members: who may borrow."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    id: int
    name: str
    email: str


def add(connection: sqlite3.Connection, name: str, email: str) -> Member:
    cursor = connection.execute("INSERT INTO member (name, email) VALUES (?, ?)", (name, email))
    assert cursor.lastrowid is not None
    return Member(cursor.lastrowid, name, email)


def get(connection: sqlite3.Connection, member_id: int) -> Member | None:
    row = connection.execute("SELECT * FROM member WHERE id = ?", (member_id,)).fetchone()
    return Member(**row) if row else None


def everyone(connection: sqlite3.Connection) -> list[Member]:
    return [Member(**row) for row in connection.execute("SELECT * FROM member ORDER BY name, id")]
