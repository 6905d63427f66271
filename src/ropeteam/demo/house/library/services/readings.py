"""Readings: announcing one, and who gets a seat. Whoever signs up when all seats are taken waits, in that order."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date

from library.models import reading as readings
from library.models.reading import Reading
from library.services import NotThere, Refused, membership


@dataclass(frozen=True)
class Guests:
    """Numbers of members: those with a seat, and those who wait for one."""

    seated: tuple[int, ...]
    waiting: tuple[int, ...]


def announce(connection: sqlite3.Connection, today: date, title: str, held_on: date, seats: int) -> Reading:
    title = title.strip()
    if not title:
        raise Refused("A reading needs a title.")
    if held_on < today:
        raise Refused(f"{held_on} is over; a reading is announced before it is held.")
    if seats < 1:
        raise Refused("A reading needs at least one seat.")
    with connection:
        return readings.add(connection, title, held_on, seats)


def find(connection: sqlite3.Connection, reading_id: int) -> Reading:
    found = readings.get(connection, reading_id)
    if found is None:
        raise NotThere(f"There is no reading number {reading_id}.")
    return found


def guests(connection: sqlite3.Connection, reading: Reading) -> Guests:
    everyone = tuple(readings.guests(connection, reading.id))
    return Guests(seated=everyone[: reading.seats], waiting=everyone[reading.seats :])


def sign_up(connection: sqlite3.Connection, today: date, reading_id: int, member_id: int) -> bool:
    """Put a member on the list. Whether there is a seat for them."""
    reading, member = find(connection, reading_id), membership.find(connection, member_id)
    if reading.held_on < today:
        raise Refused(f"{reading.title} is over.")
    try:
        with connection:
            readings.sign_up(connection, reading.id, member.id)
    except sqlite3.IntegrityError:
        raise Refused(f"{member.name} is on the list of {reading.title} already.") from None
    return member.id in guests(connection, reading).seated


def sign_off(connection: sqlite3.Connection, reading_id: int, member_id: int) -> int | None:
    """Take a member off the list. The member who gets the seat now, if one became free and somebody waits."""
    reading, member = find(connection, reading_id), membership.find(connection, member_id)
    before = guests(connection, reading)
    with connection:
        if not readings.sign_off(connection, reading.id, member.id):
            raise Refused(f"{member.name} is not on the list of {reading.title}.")
    now_seated = set(guests(connection, reading).seated) - set(before.seated)
    return now_seated.pop() if now_seated else None
