"""Wishes: a member names a book to buy, others share the wish, and the library decides."""

from __future__ import annotations

import sqlite3
from datetime import date

from library.models import book as books
from library.models import wish as wishes
from library.models.wish import Wish
from library.services import NotThere, Refused, membership

MOST_OPEN = 100
"""Open wishes; beyond that nobody reads the list, and the library decides some first."""


def wish(connection: sqlite3.Connection, today: date, member_id: int, title: str, author: str) -> Wish:
    """Wish for a book, or share the wish of somebody else for it."""
    member = membership.find(connection, member_id)
    title, author = " ".join(title.split()), " ".join(author.split())
    if not title or not author:
        raise Refused("A wish needs a title and an author.")
    if any(book.title.lower() == title.lower() for book in books.search(connection, author)):
        raise Refused(f"{title} is in the catalogue already.")
    present = wishes.open_of_title(connection, title, author)
    if present is not None:
        return share(connection, present.id, member.id)
    if len(wishes.all_open(connection)) >= MOST_OPEN:
        raise Refused(f"There are {MOST_OPEN} open wishes; some must be decided first.")
    with connection:
        number = wishes.add(connection, title, author, today)
        wishes.share(connection, number, member.id)
    return find(connection, number)


def share(connection: sqlite3.Connection, wish_id: int, member_id: int) -> Wish:
    member, found = membership.find(connection, member_id), _open(connection, wish_id)
    try:
        with connection:
            wishes.share(connection, found.id, member.id)
    except sqlite3.IntegrityError:
        raise Refused(f"{member.name} wishes for {found.title} already.") from None
    return find(connection, wish_id)


def decide(connection: sqlite3.Connection, today: date, wish_id: int, *, buy: bool) -> Wish:
    found = _open(connection, wish_id)
    with connection:
        wishes.decide(connection, found.id, today, bought=buy)
    return find(connection, wish_id)


def find(connection: sqlite3.Connection, wish_id: int) -> Wish:
    found = wishes.get(connection, wish_id)
    if found is None:
        raise NotThere(f"There is no wish number {wish_id}.")
    return found


def _open(connection: sqlite3.Connection, wish_id: int) -> Wish:
    found = find(connection, wish_id)
    if not found.open:
        raise Refused(f"The wish for {found.title} was decided on {found.decided_on}.")
    return found
