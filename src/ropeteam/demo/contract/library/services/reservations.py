"""The waiting list: who is next, for whom a copy is kept, and what happens to one that is not collected.

After every change the list is settled: as long as a copy is free and somebody waits, it is kept for the first. Lending
calls this module, never the other way round. Functions that say "in the caller's transaction" do not commit.

Declared only: until the waiting list's own work is in, nobody waits.
"""

from __future__ import annotations

import sqlite3
from datetime import date

from library.config import Config
from library.models.reservation import Reservation


def reserve(connection: sqlite3.Connection, config: Config, today: date, book_id: int, member_id: int) -> Reservation:
    raise NotImplementedError


def cancel(connection: sqlite3.Connection, config: Config, today: date, reservation_id: int) -> Reservation:
    """Take a member off the list; a copy that was kept for them goes to the next."""
    raise NotImplementedError


def settle(connection: sqlite3.Connection, config: Config, today: date) -> int:
    """End what was not collected in time, and keep those copies for the next. Returns how many ended."""
    return 0


def keep_free_copies(connection: sqlite3.Connection, config: Config, today: date, book_id: int) -> None:
    """Keep every free copy for who is next, and tell them. In the caller's transaction."""


def collected(connection: sqlite3.Connection, today: date, book_id: int, member_id: int) -> None:
    """Close the reservation of a member who gets the book now, if there is one. In the caller's transaction."""


def kept_for(connection: sqlite3.Connection, book_id: int, member_id: int) -> bool:
    """Whether a copy of the book is kept for this member."""
    return False


def waiting(connection: sqlite3.Connection, book_id: int) -> int:
    """How many wait for a copy of the book."""
    return 0


def state(connection: sqlite3.Connection, reservation: Reservation) -> str:
    """In words: until when a copy is kept, or the place in the list."""
    raise NotImplementedError


def find(connection: sqlite3.Connection, reservation_id: int) -> Reservation:
    raise NotImplementedError
