"""The reading room: which desk is free, and booking one for half a day."""

from __future__ import annotations

import sqlite3
from datetime import date, timedelta

from library.models import desk as desks
from library.models.desk import Booking, Half
from library.services import NotThere, Refused, membership

DESKS = 6
DAYS_AHEAD = 14
"""How far ahead a desk can be booked, so that nobody books the winter through."""
MOST_BOOKINGS = 4
"""Of one member, today and later."""


def free(connection: sqlite3.Connection, day: date, half: Half) -> list[int]:
    """Numbers of the desks that nobody has booked."""
    taken = {booking.desk for booking in desks.of_day(connection, day, half)}
    return [number for number in range(1, DESKS + 1) if number not in taken]


def book(connection: sqlite3.Connection, today: date, member_id: int, day: date, half: Half) -> Booking:
    """Book the free desk with the lowest number."""
    member = membership.find(connection, member_id)
    if not today <= day <= today + timedelta(days=DAYS_AHEAD):
        raise Refused(f"A desk is booked from today until {DAYS_AHEAD} days ahead, not for {day}.")
    if day.isoweekday() == 7:
        raise Refused(f"{day} is a Sunday: the reading room is closed.")
    theirs = desks.of_member(connection, member.id, today)
    if any((booking.day, booking.half) == (day, half) for booking in theirs):
        raise Refused(f"{member.name} has a desk then already.")
    if len(theirs) >= MOST_BOOKINGS:
        raise Refused(f"{member.name} has {len(theirs)} bookings; one member gets {MOST_BOOKINGS} at most.")
    numbers = free(connection, day, half)
    if not numbers:
        raise Refused(f"All {DESKS} desks are taken in the {half} of {day}.")
    with connection:
        return desks.add(connection, numbers[0], day, half, member.id)


def cancel(connection: sqlite3.Connection, today: date, booking_id: int) -> Booking:
    found = find(connection, booking_id)
    if found.day < today:
        raise Refused("That booking is over.")
    with connection:
        desks.remove(connection, found.id)
    return found


def find(connection: sqlite3.Connection, booking_id: int) -> Booking:
    found = desks.get(connection, booking_id)
    if found is None:
        raise NotThere(f"There is no booking number {booking_id}.")
    return found
