"""Tips: members recommend books to each other, and the best ones hang in the entrance."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from library.models import tip as tips
from library.models.book import Book
from library.models.tip import Tip
from library.services import NotThere, Refused, catalogue, membership

LONGEST = 200
"""Letters of a sentence: it has to fit on a card."""
LEAST_TIPS = 2
"""So many members must have given one before a book is among the best."""


@dataclass(frozen=True)
class Recommended:
    """A book with the mean of its stars, and how many tips that is made of."""

    book: Book
    stars: float
    tips: int


def give(connection: sqlite3.Connection, today: date, book_id: int, member_id: int, stars: int, sentence: str) -> Tip:
    book, member = catalogue.find(connection, book_id), membership.find(connection, member_id)
    sentence = " ".join(sentence.split())
    if not 1 <= stars <= 5:
        raise Refused("A tip has 1 to 5 stars.")
    if not sentence:
        raise Refused("A tip needs a sentence.")
    if len(sentence) > LONGEST:
        raise Refused(f"A tip has {LONGEST} letters at most; this one has {len(sentence)}.")
    try:
        with connection:
            return tips.add(connection, book.id, member.id, stars, sentence, today)
    except sqlite3.IntegrityError:
        raise Refused(f"{member.name} has given a tip for {book.title} already.") from None


def hide(connection: sqlite3.Connection, tip_id: int) -> Tip:
    """Take a tip down, because it is rude or gives the end away."""
    found = find(connection, tip_id)
    if found.hidden:
        raise Refused("That tip was taken down already.")
    with connection:
        tips.hide(connection, found.id)
    return find(connection, tip_id)


def best(connection: sqlite3.Connection, most: int = 10) -> list[Recommended]:
    """Books with the most stars in the mean; of equal ones first those with more tips, then by title."""
    stars: dict[int, list[int]] = defaultdict(list)
    for tip in tips.everything(connection):
        stars[tip.book_id].append(tip.stars)
    found = [
        Recommended(catalogue.find(connection, book_id), sum(given) / len(given), len(given))
        for book_id, given in stars.items()
        if len(given) >= LEAST_TIPS
    ]
    return sorted(found, key=lambda one: (-one.stars, -one.tips, one.book.title))[:most]


def find(connection: sqlite3.Connection, tip_id: int) -> Tip:
    found = tips.get(connection, tip_id)
    if found is None:
        raise NotThere(f"There is no tip number {tip_id}.")
    return found
