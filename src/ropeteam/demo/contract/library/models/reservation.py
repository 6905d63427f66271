"""Reservations: who waits for which book, and for whom a copy is kept.

An open reservation has no `ended_on`. It waits until a copy is kept for it: then it has `ready_on` and `expires_on`,
the last day on which it can be collected. The list of a book is in the order of the ids.

Declared only: until the table's own work is in, nobody waits.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date
from typing import Literal

Outcome = Literal["collected", "cancelled", "expired"]


@dataclass(frozen=True)
class Reservation:
    id: int
    book_id: int
    member_id: int
    reserved_on: date
    ready_on: date | None = None
    expires_on: date | None = None
    ended_on: date | None = None
    outcome: Outcome | None = None

    @property
    def open(self) -> bool:
        return self.ended_on is None

    @property
    def kept(self) -> bool:
        """Whether a copy stands behind the desk for it."""
        return self.open and self.ready_on is not None


def add(connection: sqlite3.Connection, book_id: int, member_id: int, today: date) -> Reservation:
    raise NotImplementedError


def get(connection: sqlite3.Connection, reservation_id: int) -> Reservation | None:
    return None


def everything_open(connection: sqlite3.Connection) -> list[Reservation]:
    return []


def open_of_member(connection: sqlite3.Connection, member_id: int) -> list[Reservation]:
    return []


def waiting_for(connection: sqlite3.Connection, book_id: int) -> list[Reservation]:
    """Those who wait for a book and have no copy kept, in their order."""
    return []


def kept_of_book(connection: sqlite3.Connection, book_id: int) -> list[Reservation]:
    return []


def not_collected(connection: sqlite3.Connection, today: date) -> list[Reservation]:
    """Open reservations whose last day is over."""
    return []


def lengths(connection: sqlite3.Connection) -> dict[int, int]:
    """For each book that somebody waits for: its number and how many wait."""
    return {}


def keep(connection: sqlite3.Connection, reservation_id: int, ready_on: date, expires_on: date) -> None:
    raise NotImplementedError


def end(connection: sqlite3.Connection, reservation_id: int, ended_on: date, outcome: Outcome) -> None:
    raise NotImplementedError
