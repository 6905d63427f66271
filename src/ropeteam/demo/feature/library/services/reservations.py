"""The waiting list: who is next, for whom a copy is kept, and what happens to one that is not collected.

After every change the list is settled: as long as a copy is free and somebody waits, it is kept for the first. Lending
calls this module, never the other way round. Functions that say "in the caller's transaction" do not commit.
"""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta

from library.config import Config
from library.models import loan as loans
from library.models import reservation as table
from library.models.reservation import Reservation
from library.services import NotThere, Refused, catalogue, membership, notices


def reserve(connection: sqlite3.Connection, config: Config, today: date, book_id: int, member_id: int) -> Reservation:
    book = catalogue.find(connection, book_id)
    member = membership.find(connection, member_id)
    theirs = table.open_of_member(connection, member.id)
    if any(reservation.book_id == book.id for reservation in theirs):
        raise Refused(f"{member.name} is on the list for {book.title} already.")
    if any(loan.book_id == book.id for loan in loans.open_of_member(connection, member.id)):
        raise Refused(f"{member.name} has {book.title} already.")
    if len(theirs) >= config.max_reservations:
        raise Refused(
            f"{member.name} has {len(theirs)} reservations; one member gets {config.max_reservations} at most."
        )
    if catalogue.availability(connection, book).free > 0:
        raise Refused(f"{book.title} is on the shelf: it can be lent now.")
    with connection:
        return table.add(connection, book.id, member.id, today)


def cancel(connection: sqlite3.Connection, config: Config, today: date, reservation_id: int) -> Reservation:
    """Take a member off the list; a copy that was kept for them goes to the next."""
    reservation = find(connection, reservation_id)
    if not reservation.open:
        raise Refused("That reservation has ended already.")
    with connection:
        table.end(connection, reservation.id, today, "cancelled")
        keep_free_copies(connection, config, today, reservation.book_id)
    return find(connection, reservation_id)


def settle(connection: sqlite3.Connection, config: Config, today: date) -> int:
    """End what was not collected in time, and keep those copies for the next. Returns how many ended."""
    ended = table.not_collected(connection, today)
    if not ended:
        return 0
    with connection:
        for reservation in ended:
            assert reservation.expires_on is not None
            table.end(connection, reservation.id, today, "expired")
            title = catalogue.find(connection, reservation.book_id).title
            notices.tell(connection, today, reservation.member_id, notices.missed(title, reservation.expires_on))
        for book_id in sorted({reservation.book_id for reservation in ended}):
            keep_free_copies(connection, config, today, book_id)
    return len(ended)


def keep_free_copies(connection: sqlite3.Connection, config: Config, today: date, book_id: int) -> None:
    """Keep every free copy for who is next, and tell them. In the caller's transaction."""
    book = catalogue.find(connection, book_id)
    free = max(0, catalogue.availability(connection, book).free)
    for reservation in table.waiting_for(connection, book_id)[:free]:
        until = today + timedelta(days=config.hold_days)
        table.keep(connection, reservation.id, today, until)
        notices.tell(connection, today, reservation.member_id, notices.ready(book.title, until))


def collected(connection: sqlite3.Connection, today: date, book_id: int, member_id: int) -> None:
    """Close the reservation of a member who gets the book now, if there is one. In the caller's transaction."""
    for reservation in table.open_of_member(connection, member_id):
        if reservation.book_id == book_id:
            table.end(connection, reservation.id, today, "collected")


def kept_for(connection: sqlite3.Connection, book_id: int, member_id: int) -> bool:
    """Whether a copy of the book is kept for this member."""
    return any(reservation.member_id == member_id for reservation in table.kept_of_book(connection, book_id))


def waiting(connection: sqlite3.Connection, book_id: int) -> int:
    """How many wait for a copy of the book."""
    return len(table.waiting_for(connection, book_id))


def state(connection: sqlite3.Connection, reservation: Reservation) -> str:
    """In words: until when a copy is kept, or the place in the list."""
    if reservation.kept:
        return f"kept until {reservation.expires_on}"
    ahead = [other for other in table.waiting_for(connection, reservation.book_id) if other.id < reservation.id]
    return f"place {len(ahead) + 1}"


def find(connection: sqlite3.Connection, reservation_id: int) -> Reservation:
    found = table.get(connection, reservation_id)
    if found is None:
        raise NotThere(f"There is no reservation number {reservation_id}.")
    return found
