from __future__ import annotations

import sqlite3

from library import database
from library.models import book, loan, member
from tests.support import MONDAY, LibraryTest


class DatabaseTest(LibraryTest):
    def test_migrating_twice_changes_nothing(self) -> None:
        self.assertEqual(database.migrate(self.connection), 0)

    def test_every_migration_has_a_number_of_its_own(self) -> None:
        numbers = [path.name.split("_")[0] for path in database.MIGRATIONS.glob("*.sql")]
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_a_loan_needs_a_book_that_exists(self) -> None:
        ada = self.member()
        with self.assertRaises(sqlite3.IntegrityError):
            loan.add(self.connection, 99, ada.id, MONDAY, MONDAY)


class ModelsTest(LibraryTest):
    def test_what_is_added_is_found_again(self) -> None:
        added = book.add(self.connection, "Emma", "Austen", "x", 2)
        self.assertEqual(book.get(self.connection, added.id), added)
        self.assertEqual(book.by_isbn(self.connection, "x"), added)

    def test_members_are_listed_by_name(self) -> None:
        member.add(self.connection, "Zoe", "z@example.org")
        member.add(self.connection, "Ada", "a@example.org")
        self.assertEqual([one.name for one in member.everyone(self.connection)], ["Ada", "Zoe"])

    def test_open_loans_are_listed_by_due_date(self) -> None:
        ada, first, second = self.member(), self.book(), self.book("Emma")
        late = loan.add(self.connection, first.id, ada.id, MONDAY, MONDAY.replace(day=20))
        soon = loan.add(self.connection, second.id, ada.id, MONDAY, MONDAY.replace(day=10))
        self.assertEqual(loan.open_of_member(self.connection, ada.id), [soon, late])

    def test_a_search_takes_wildcards_as_letters(self) -> None:
        book.add(self.connection, "100% Wool", "Knitter", "x", 1)
        book.add(self.connection, "1000 Nights", "Unknown", "y", 1)
        self.assertEqual([one.title for one in book.search(self.connection, "100%")], ["100% Wool"])
