"""Lockers in the entrance: giving a key out, taking it back, and keys that have been out for too long."""

from __future__ import annotations

import sqlite3
from datetime import date

from library.models import locker as lockers
from library.models.locker import Key
from library.services import NotThere, Refused, membership

LOCKERS = 12
MOST_DAYS = 7
"""A key that is out for longer is asked for."""
DEPOSIT_CENTS = 500


def free(connection: sqlite3.Connection) -> list[int]:
    taken = {key.locker for key in lockers.out(connection)}
    return [number for number in range(1, LOCKERS + 1) if number not in taken]


def give(connection: sqlite3.Connection, today: date, member_id: int, locker: int) -> Key:
    """Give the key of that locker to a member, for a deposit."""
    member = membership.find(connection, member_id)
    if not 1 <= locker <= LOCKERS:
        raise NotThere(f"There is no locker number {locker}; they go from 1 to {LOCKERS}.")
    theirs = lockers.of_member(connection, member.id)
    if theirs is not None:
        raise Refused(f"{member.name} has the key of locker {theirs.locker}.")
    if locker not in free(connection):
        raise Refused(f"The key of locker {locker} is out.")
    with connection:
        return lockers.add(connection, locker, member.id, today)


def take_back(connection: sqlite3.Connection, today: date, key_id: int) -> int:
    """The deposit to hand back, in cents: less by a tenth for each day that the key was out too long."""
    key = find(connection, key_id)
    if not key.out:
        raise Refused(f"The key of locker {key.locker} came back on {key.returned_on}.")
    with connection:
        lockers.close(connection, key.id, today)
    return deposit(key, today)


def deposit(key: Key, today: date) -> int:
    days_too_long = max(0, key.days(today) - MOST_DAYS)
    return max(0, DEPOSIT_CENTS - days_too_long * DEPOSIT_CENTS // 10)


def overdue(connection: sqlite3.Connection, today: date) -> list[Key]:
    """Keys that are out for too long, the longest first."""
    late = [key for key in lockers.out(connection) if key.days(today) > MOST_DAYS]
    return sorted(late, key=lambda key: (key.given_on, key.locker))


def find(connection: sqlite3.Connection, key_id: int) -> Key:
    found = lockers.get(connection, key_id)
    if found is None:
        raise NotThere(f"No key was given out under the number {key_id}.")
    return found
