"""Gifts of money: taking one, the receipt for it, and what came together in a year."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from datetime import date

from library.models import gift as gifts
from library.models.gift import Gift
from library.services import NotThere, Refused

PURPOSES = ("books", "readings", "building")
LEAST_FOR_RECEIPT = 1000
"""Cents: for less no receipt is written."""


@dataclass(frozen=True)
class Year:
    """What was given in a year, in cents, in all and for each purpose; the most first."""

    year: int
    total: int
    purposes: tuple[tuple[str, int], ...]


def cents(text: str) -> int:
    """An amount as people write it: `12`, `12.5` or `12,50`."""
    match = re.fullmatch(r"(\d{1,6})(?:[.,](\d{1,2}))?", text.strip())
    if match is None:
        raise Refused(f"{text.strip() or 'An empty text'} is no amount of money.")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def take(connection: sqlite3.Connection, today: date, giver: str, purpose: str, amount: str) -> Gift:
    giver, purpose = " ".join(giver.split()), purpose.strip().lower()
    if not giver:
        raise Refused("Write down who gives it, or `unknown`.")
    if purpose not in PURPOSES:
        raise Refused(f"Gifts are for {', '.join(PURPOSES)}, not for {purpose or 'nothing'}.")
    number = cents(amount)
    if not number:
        raise Refused("A gift is more than nothing.")
    with connection:
        return gifts.add(connection, giver, purpose, number, today)


def receipt(connection: sqlite3.Connection, gift_id: int) -> Gift:
    """Write a receipt, with the next number. A gift that has one keeps it."""
    gift = find(connection, gift_id)
    if gift.receipt is not None:
        return gift
    if gift.cents < LEAST_FOR_RECEIPT:
        raise Refused(f"Receipts are written from {LEAST_FOR_RECEIPT // 100} on.")
    with connection:
        gifts.write_receipt(connection, gift.id, gifts.last_receipt(connection) + 1)
    return find(connection, gift_id)


def year(connection: sqlite3.Connection, number: int) -> Year:
    purposes = tuple(gifts.by_purpose(connection, number))
    return Year(number, sum(total for _, total in purposes), purposes)


def find(connection: sqlite3.Connection, gift_id: int) -> Gift:
    found = gifts.get(connection, gift_id)
    if found is None:
        raise NotThere(f"There is no gift number {gift_id}.")
    return found
