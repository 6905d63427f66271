from __future__ import annotations

from datetime import timedelta

from library.models.book import Book
from library.models.loan import Loan
from library.models.member import Member
from library.services import Refused, catalogue, lending, reservations
from tests.support import LibraryTest


class LendingTest(LibraryTest):
    def lend(self, book: Book, member: Member) -> Loan:
        return lending.lend(self.connection, self.config, self.today, book.id, member.id)

    def test_a_loan_is_due_after_the_configured_days(self) -> None:
        loan = self.lend(self.book(), self.member())
        self.assertEqual(loan.due_on, self.today + timedelta(days=14))

    def test_the_last_copy_is_lent_once(self) -> None:
        book = self.book()
        self.lend(book, self.member("Ada"))
        with self.assertRaisesRegex(Refused, "No copy"):
            self.lend(book, self.member("Bea"))

    def test_nobody_gets_the_same_book_twice(self) -> None:
        book, ada = self.book(copies=2), self.member()
        self.lend(book, ada)
        with self.assertRaisesRegex(Refused, "already"):
            self.lend(book, ada)

    def test_more_than_the_most_is_refused(self) -> None:
        ada = self.member()
        for title in ("A", "B", "C"):
            self.lend(self.book(title), ada)
        with self.assertRaisesRegex(Refused, "3 at most"):
            self.lend(self.book("D"), ada)

    def test_who_has_a_late_book_gets_no_other(self) -> None:
        ada = self.member()
        self.lend(self.book("A"), ada)
        self.later(15)
        with self.assertRaisesRegex(Refused, "late"):
            self.lend(self.book("B"), ada)

    def test_a_book_that_is_back_can_be_lent_again(self) -> None:
        book = self.book()
        loan = self.lend(book, self.member("Ada"))
        lending.take_back(self.connection, self.config, self.today, loan.id)
        self.assertTrue(self.lend(book, self.member("Bea")).open)

    def test_taking_back_twice_is_refused(self) -> None:
        loan = self.lend(self.book(), self.member())
        lending.take_back(self.connection, self.config, self.today, loan.id)
        with self.assertRaisesRegex(Refused, "came back already"):
            lending.take_back(self.connection, self.config, self.today, loan.id)

    def test_the_fine_grows_by_the_day(self) -> None:
        loan = self.lend(self.book(), self.member())
        receipt = lending.take_back(self.connection, self.config, self.later(17), loan.id)
        self.assertEqual((receipt.days_late, receipt.fine_cents), (3, 60))

    def test_in_time_costs_nothing(self) -> None:
        loan = self.lend(self.book(), self.member())
        self.assertEqual(lending.take_back(self.connection, self.config, self.later(14), loan.id).fine_cents, 0)

    def test_renewing_counts_from_today_and_is_limited(self) -> None:
        loan = self.lend(self.book(), self.member())
        renewed = lending.renew(self.connection, self.config, self.later(10), loan.id)
        self.assertEqual(renewed.due_on, self.today + timedelta(days=14))
        with self.assertRaisesRegex(Refused, "1 times"):
            lending.renew(self.connection, self.config, self.today, loan.id)

    def test_a_late_book_cannot_be_renewed(self) -> None:
        loan = self.lend(self.book(), self.member())
        with self.assertRaisesRegex(Refused, "late"):
            lending.renew(self.connection, self.config, self.later(15), loan.id)


class LendingWithAWaitingListTest(LibraryTest):
    """Ada has the only copy; Bea waits for it."""

    def setUp(self) -> None:
        super().setUp()
        self.emma = self.book("Emma")
        self.ada, self.bea, self.cleo = (self.member(name) for name in ("Ada", "Bea", "Cleo"))
        self.loan = lending.lend(self.connection, self.config, self.today, self.emma.id, self.ada.id)
        reservations.reserve(self.connection, self.config, self.today, self.emma.id, self.bea.id)

    def lend(self, member: Member) -> Loan:
        return lending.lend(self.connection, self.config, self.today, self.emma.id, member.id)

    def bring_back(self) -> None:
        lending.take_back(self.connection, self.config, self.today, self.loan.id)

    def test_a_copy_that_came_back_is_kept_and_not_free(self) -> None:
        self.bring_back()
        self.assertEqual(catalogue.availability(self.connection, self.emma).free, 0)
        with self.assertRaisesRegex(Refused, "No copy"):
            self.lend(self.cleo)

    def test_who_waited_gets_it_and_leaves_the_list(self) -> None:
        self.bring_back()
        self.assertTrue(self.lend(self.bea).open)
        self.assertEqual(catalogue.availability(self.connection, self.emma).kept, 0)

    def test_who_brought_it_back_cannot_take_it_again(self) -> None:
        self.bring_back()
        with self.assertRaisesRegex(Refused, "No copy"):
            self.lend(self.ada)

    def test_it_cannot_be_renewed_while_somebody_waits(self) -> None:
        with self.assertRaisesRegex(Refused, "1 wait"):
            lending.renew(self.connection, self.config, self.today, self.loan.id)

    def test_it_can_be_renewed_when_nobody_waits_any_more(self) -> None:
        reservations.cancel(self.connection, self.config, self.today, 1)
        self.assertEqual(lending.renew(self.connection, self.config, self.today, self.loan.id).renewals, 1)
