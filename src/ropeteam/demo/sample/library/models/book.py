"""Books: what the library owns. `copies` counts all of them, lent ones included."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True)
class Book:
    id: int
    title: str
    author: str
    isbn: str
    copies: int


def add(connection: sqlite3.Connection, title: str, author: str, isbn: str, copies: int) -> Book:
    cursor = connection.execute(
        "INSERT INTO book (title, author, isbn, copies) VALUES (?, ?, ?, ?)", (title, author, isbn, copies)
    )
    assert cursor.lastrowid is not None
    return Book(cursor.lastrowid, title, author, isbn, copies)


def get(connection: sqlite3.Connection, book_id: int) -> Book | None:
    row = connection.execute("SELECT * FROM book WHERE id = ?", (book_id,)).fetchone()
    return Book(**row) if row else None


def by_isbn(connection: sqlite3.Connection, isbn: str) -> Book | None:
    row = connection.execute("SELECT * FROM book WHERE isbn = ?", (isbn,)).fetchone()
    return Book(**row) if row else None


def search(connection: sqlite3.Connection, text: str) -> list[Book]:
    """Books whose title or author contains `text` (all for an empty one), by author and title."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"%{escaped}%"
    rows = connection.execute(
        "SELECT * FROM book WHERE title LIKE ? ESCAPE '\\' OR author LIKE ? ESCAPE '\\' ORDER BY author, title",
        (pattern, pattern),
    )
    return [Book(**row) for row in rows]
