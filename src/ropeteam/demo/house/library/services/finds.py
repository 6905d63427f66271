"""The box for finds: what is put into it, what is handed out, and what is given away after half a year."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta

from library.models import find as finds
from library.models.find import Find
from library.services import NotThere, Refused

KEPT_DAYS = 180


def put_in(connection: sqlite3.Connection, today: date, what: str, place: str) -> Find:
    what, place = " ".join(what.split()), " ".join(place.split())
    if not what:
        raise Refused("Say what was found.")
    with connection:
        return finds.add(connection, what, place or "somewhere in the house", today)


def search(connection: sqlite3.Connection, text: str) -> list[Find]:
    """What is kept and has all words of the text in what it is or where it was found; everything for an empty one."""
    words = text.lower().split()
    return [
        find for find in finds.kept(connection) if all(word in f"{find.what} {find.place}".lower() for word in words)
    ]


def hand_out(connection: sqlite3.Connection, today: date, find_id: int, name: str) -> Find:
    """Give a thing to whoever it belongs to. The name is written down."""
    found, name = _kept(connection, find_id), " ".join(name.split())
    if not name:
        raise Refused("Write down the name of whoever takes it.")
    with connection:
        finds.close(connection, found.id, today, name)
    return find(connection, find_id)


def give_away(connection: sqlite3.Connection, today: date) -> list[Find]:
    """Give away everything that nobody came for in half a year, and say what that was."""
    old = finds.kept_since(connection, today - timedelta(days=KEPT_DAYS))
    with connection:
        for found in old:
            finds.close(connection, found.id, today, "")
    return old


def days_left(found: Find, today: date) -> int:
    """Until it is given away; never negative."""
    return max(0, KEPT_DAYS - (today - found.found_on).days)


def find(connection: sqlite3.Connection, find_id: int) -> Find:
    found = finds.get(connection, find_id)
    if found is None:
        raise NotThere(f"There is no find number {find_id}.")
    return found


def _kept(connection: sqlite3.Connection, find_id: int) -> Find:
    found = find(connection, find_id)
    if not found.kept:
        taker = found.taken_by or "nobody in particular"
        raise Refused(f"{found.what} went to {taker} on {found.gone_on}.")
    return found
