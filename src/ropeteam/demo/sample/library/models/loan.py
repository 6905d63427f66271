"""Loans: who has, or had, which book. An open loan has no `returned_on`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Loan:
    id: int
    book_id: int
    member_id: int
    lent_on: date
    due_on: date
    returned_on: date | None
    renewals: int

    @property
    def open(self) -> bool:
        return self.returned_on is None

    def days_late(self, today: date) -> int:
        """Days after the due date, until it came back or until `today`; never negative."""
        return max(0, ((self.returned_on or today) - self.due_on).days)


def add(connection: sqlite3.Connection, book_id: int, member_id: int, lent_on: date, due_on: date) -> Loan:
    cursor = connection.execute(
        "INSERT INTO loan (book_id, member_id, lent_on, due_on) VALUES (?, ?, ?, ?)",
        (book_id, member_id, lent_on.isoformat(), due_on.isoformat()),
    )
    assert cursor.lastrowid is not None
    return Loan(cursor.lastrowid, book_id, member_id, lent_on, due_on, None, 0)


def get(connection: sqlite3.Connection, loan_id: int) -> Loan | None:
    row = connection.execute("SELECT * FROM loan WHERE id = ?", (loan_id,)).fetchone()
    return _loan(row) if row else None


def open_of_member(connection: sqlite3.Connection, member_id: int) -> list[Loan]:
    rows = connection.execute(
        "SELECT * FROM loan WHERE member_id = ? AND returned_on IS NULL ORDER BY due_on, id", (member_id,)
    )
    return [_loan(row) for row in rows]


def open_of_book(connection: sqlite3.Connection, book_id: int) -> list[Loan]:
    rows = connection.execute(
        "SELECT * FROM loan WHERE book_id = ? AND returned_on IS NULL ORDER BY due_on, id", (book_id,)
    )
    return [_loan(row) for row in rows]


def extend(connection: sqlite3.Connection, loan_id: int, due_on: date) -> None:
    connection.execute(
        "UPDATE loan SET due_on = ?, renewals = renewals + 1 WHERE id = ?", (due_on.isoformat(), loan_id)
    )


def close(connection: sqlite3.Connection, loan_id: int, returned_on: date) -> None:
    connection.execute("UPDATE loan SET returned_on = ? WHERE id = ?", (returned_on.isoformat(), loan_id))


def _loan(row: sqlite3.Row) -> Loan:
    returned = row["returned_on"]
    return Loan(
        id=row["id"],
        book_id=row["book_id"],
        member_id=row["member_id"],
        lent_on=date.fromisoformat(row["lent_on"]),
        due_on=date.fromisoformat(row["due_on"]),
        returned_on=date.fromisoformat(returned) if returned else None,
        renewals=row["renewals"],
    )
