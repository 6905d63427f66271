"""When the desk is open. Days are numbered as `date.isoweekday` does it: Monday is 1."""

from __future__ import annotations

from datetime import date, timedelta

OPEN = {1: (14, 18), 2: (10, 18), 4: (10, 20), 5: (10, 18), 6: (10, 14)}
"""Day of the week -> first and last hour. The desk is closed on Wednesdays and Sundays."""


def hours(day: date) -> tuple[int, int] | None:
    """First and last hour of a day; None when the desk is closed."""
    return OPEN.get(day.isoweekday())


def in_words(day: date) -> str:
    found = hours(day)
    return f"open from {found[0]} to {found[1]}" if found else "closed"


def next_open(day: date) -> date:
    """That day, if the desk is open, else the next on which it is."""
    while hours(day) is None:
        day += timedelta(days=1)
    return day
