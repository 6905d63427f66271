"""Shifts: the house asks for help on a day, members take a shift, and what they did is written down in minutes."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta

from library.models import shift as shifts
from library.models.shift import Shift
from library.services import NotThere, Refused, membership

WEEKS_SHOWN = 4
LONGEST = 12 * 60
"""Minutes of one shift: nobody helps longer on one day."""


def ask(connection: sqlite3.Connection, today: date, day: date, task: str, helpers: int) -> Shift:
    task = " ".join(task.split())
    if not task:
        raise Refused("Say what there is to do.")
    if day < today:
        raise Refused(f"{day} is over.")
    if helpers < 1:
        raise Refused("A shift wants at least one helper.")
    with connection:
        return shifts.add(connection, day, task, helpers)


def coming(connection: sqlite3.Connection, today: date) -> list[Shift]:
    return shifts.between(connection, today, today + timedelta(weeks=WEEKS_SHOWN))


def wanted(connection: sqlite3.Connection, shift: Shift) -> int:
    """How many helpers are missing."""
    return shift.helpers - len(shifts.helpers(connection, shift.id))


def take(connection: sqlite3.Connection, today: date, shift_id: int, member_id: int) -> Shift:
    shift, member = find(connection, shift_id), membership.find(connection, member_id)
    if shift.day < today:
        raise Refused(f"The shift of {shift.day} is over.")
    if member.id in shifts.helpers(connection, shift.id):
        raise Refused(f"{member.name} has that shift already.")
    if wanted(connection, shift) < 1:
        raise Refused(f"{shift.task} on {shift.day} has all its helpers.")
    with connection:
        shifts.take(connection, shift.id, member.id)
    return shift


def write_down(connection: sqlite3.Connection, today: date, shift_id: int, member_id: int, minutes: int) -> None:
    """How long a member helped. Written down again, the last one counts."""
    shift, member = find(connection, shift_id), membership.find(connection, member_id)
    if shift.day > today:
        raise Refused(f"The shift of {shift.day} is still to come.")
    if not 0 < minutes <= LONGEST:
        raise Refused(f"A shift lasts from 1 to {LONGEST} minutes.")
    with connection:
        if not shifts.write_down(connection, shift.id, member.id, minutes):
            raise Refused(f"{member.name} did not take that shift.")


def hours(connection: sqlite3.Connection, member_id: int) -> str:
    """All that a member has helped, as `3 h 05 min`."""
    minutes = shifts.minutes_of(connection, membership.find(connection, member_id).id)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def find(connection: sqlite3.Connection, shift_id: int) -> Shift:
    found = shifts.get(connection, shift_id)
    if found is None:
        raise NotThere(f"There is no shift number {shift_id}.")
    return found
