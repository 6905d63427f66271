"""What the library owns, and how much of it stands on the shelf."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from library.models import book as books
from library.models import loan as loans
from library.models import reservation as reservations
from library.models.book import Book
from library.services import NotThere, Refused


@dataclass(frozen=True)
class Availability:
    """Copies of one book: all of them, those that are lent, and those kept for who reserved one."""

    copies: int
    lent: int
    kept: int = 0

    @property
    def free(self) -> int:
        return self.copies - self.lent - self.kept


def find(connection: sqlite3.Connection, book_id: int) -> Book:
    found = books.get(connection, book_id)
    if found is None:
        raise NotThere(f"There is no book number {book_id}.")
    return found


def availability(connection: sqlite3.Connection, book: Book) -> Availability:
    return Availability(
        copies=book.copies,
        lent=len(loans.open_of_book(connection, book.id)),
        kept=len(reservations.kept_of_book(connection, book.id)),
    )


def search(connection: sqlite3.Connection, text: str) -> list[tuple[Book, Availability]]:
    return [(book, availability(connection, book)) for book in books.search(connection, text.strip())]


def add(connection: sqlite3.Connection, title: str, author: str, isbn: str, copies: int) -> Book:
    """Take a book into the catalogue. The ISBN is kept without hyphens."""
    title, author, isbn = title.strip(), author.strip(), re.sub(r"[\s-]", "", isbn).upper()
    if not title or not author:
        raise Refused("A book needs a title and an author.")
    if not valid_isbn(isbn):
        raise Refused(f"{isbn or 'An empty text'} is no ISBN: its check digit does not fit.")
    if copies < 1:
        raise Refused("A book needs at least one copy.")
    if books.by_isbn(connection, isbn):
        raise Refused(f"The ISBN {isbn} is in the catalogue already.")
    with connection:
        return books.add(connection, title, author, isbn, copies)


def valid_isbn(isbn: str) -> bool:
    """Whether `isbn` (no hyphens) is an ISBN-10 or ISBN-13 with the right check digit."""
    if re.fullmatch(r"\d{9}[\dX]", isbn):
        digits = [10 if digit == "X" else int(digit) for digit in isbn]
        return sum(weight * digit for weight, digit in zip(range(10, 0, -1), digits, strict=True)) % 11 == 0
    if re.fullmatch(r"\d{13}", isbn):
        return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(isbn)) % 10 == 0
    return False
