"""Notices: what the library has to tell a member.

Declared only: until the notices' own work is in, there are none.
"""

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
    raise NotImplementedError


def of_member(connection: sqlite3.Connection, member_id: int) -> list[Notice]:
    """A member's notices, the newest first."""
    return []
