"""Lending, renewing and taking back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import date, timedelta

from library.config import Config
from library.models import loan as loans
from library.models.loan import Loan
from library.services import NotThere, Refused, catalogue, membership, reservations


@dataclass(frozen=True)
class Receipt:
    """A book that came back: its loan, how late it was, and what that costs."""

    loan: Loan
    days_late: int
    fine_cents: int


def lend(connection: sqlite3.Connection, config: Config, today: date, book_id: int, member_id: int) -> Loan:
    book = catalogue.find(connection, book_id)
    member = membership.find(connection, member_id)
    theirs = loans.open_of_member(connection, member.id)
    if any(loan.book_id == book.id for loan in theirs):
        raise Refused(f"{member.name} has {book.title} already.")
    if any(loan.days_late(today) for loan in theirs):
        raise Refused(f"{member.name} has a book that is late; it must come back first.")
    if len(theirs) >= config.max_loans:
        raise Refused(f"{member.name} has {len(theirs)} books; one member gets {config.max_loans} at most.")
    kept = reservations.kept_for(connection, book.id, member.id)
    if not kept and catalogue.availability(connection, book).free < 1:
        raise Refused(f"No copy of {book.title} is on the shelf.")
    with connection:
        reservations.collected(connection, today, book.id, member.id)
        return loans.add(connection, book.id, member.id, today, today + timedelta(days=config.loan_days))


def renew(connection: sqlite3.Connection, config: Config, today: date, loan_id: int) -> Loan:
    """Lend on for another full period, counted from today."""
    loan = find(connection, loan_id)
    if not loan.open:
        raise Refused("That book came back already.")
    if loan.days_late(today):
        raise Refused("A book that is late cannot be renewed.")
    if waiting := reservations.waiting(connection, loan.book_id):
        raise Refused(f"That book cannot be renewed: {waiting} wait for it.")
    if loan.renewals >= config.max_renewals:
        raise Refused(f"A loan can be renewed {config.max_renewals} times; this one was.")
    with connection:
        loans.extend(connection, loan.id, today + timedelta(days=config.loan_days))
    return find(connection, loan_id)


def take_back(connection: sqlite3.Connection, config: Config, today: date, loan_id: int) -> Receipt:
    loan = find(connection, loan_id)
    if not loan.open:
        raise Refused("That book came back already.")
    with connection:
        loans.close(connection, loan.id, today)
        reservations.keep_free_copies(connection, config, today, loan.book_id)
    days = loan.days_late(today)
    return Receipt(loan=find(connection, loan_id), days_late=days, fine_cents=days * config.fine_cents)


def find(connection: sqlite3.Connection, loan_id: int) -> Loan:
    found = loans.get(connection, loan_id)
    if found is None:
        raise NotThere(f"There is no loan number {loan_id}.")
    return found
