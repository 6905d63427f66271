"""What members are told, and telling them. The texts are plain functions, so that they can be read and tested alone.

Declared only: until the notices' own work is in, nobody is told anything.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date

from library.models.notice import Notice


@dataclass(frozen=True)
class Text:
    subject: str
    text: str


def ready(title: str, until: date) -> Text:
    raise NotImplementedError


def missed(title: str, until: date) -> Text:
    raise NotImplementedError


def tell(connection: sqlite3.Connection, today: date, member_id: int, text: Text) -> Notice:
    """Write a notice, as part of the caller's transaction."""
    raise NotImplementedError


def of_member(connection: sqlite3.Connection, member_id: int) -> list[Notice]:
    return []
