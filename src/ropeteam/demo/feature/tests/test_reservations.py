from __future__ import annotations

from library.models import loan as loans
from library.models import reservation as table
from library.models.book import Book
from library.models.member import Member
from library.models.reservation import Reservation
from library.services import NotThere, Refused, catalogue, lending, notices, reservations
from tests.support import LibraryTest


class WaitingListTest(LibraryTest):
    """Both copies of Emma are lent: loan 1 to Ada, loan 2 to Bea."""

    def setUp(self) -> None:
        super().setUp()
        self.emma = self.book("Emma", copies=2)
        self.ada, self.bea, self.cleo, self.dora, self.eve = map(self.member, ("Ada", "Bea", "Cleo", "Dora", "Eve"))
        for member in (self.ada, self.bea):
            lending.lend(self.connection, self.config, self.today, self.emma.id, member.id)

    def reserve(self, member: Member, book: Book | None = None) -> Reservation:
        book_id = (book or self.emma).id
        return reservations.reserve(self.connection, self.config, self.today, book_id, member.id)

    def bring_back(self, loan_id: int) -> None:
        with self.connection:
            loans.close(self.connection, loan_id, self.today)
            reservations.keep_free_copies(self.connection, self.config, self.today, self.emma.id)

    def settle(self) -> int:
        return reservations.settle(self.connection, self.config, self.today)

    def state(self, reservation: Reservation) -> str:
        return reservations.state(self.connection, reservations.find(self.connection, reservation.id))

    def outcome(self, reservation: Reservation) -> str | None:
        return reservations.find(self.connection, reservation.id).outcome

    def subjects(self, member: Member) -> list[str]:
        return [notice.subject for notice in notices.of_member(self.connection, member.id)]

    def test_places_follow_the_order_of_asking(self) -> None:
        first, second = self.reserve(self.cleo), self.reserve(self.dora)
        self.assertEqual([self.state(first), self.state(second)], ["place 1", "place 2"])
        self.assertEqual(reservations.waiting(self.connection, self.emma.id), 2)

    def test_a_book_on_the_shelf_cannot_be_reserved(self) -> None:
        with self.assertRaisesRegex(Refused, "on the shelf"):
            self.reserve(self.cleo, self.book("The Trial"))

    def test_nobody_reserves_what_they_have_or_wait_for(self) -> None:
        with self.assertRaisesRegex(Refused, "has Emma already"):
            self.reserve(self.ada)
        self.reserve(self.cleo)
        with self.assertRaisesRegex(Refused, "on the list for Emma already"):
            self.reserve(self.cleo)

    def test_more_than_the_most_is_refused(self) -> None:
        for title in ("A", "B", "C"):
            book = self.book(title)
            lending.lend(self.connection, self.config, self.today, book.id, self.eve.id)
            self.reserve(self.cleo, book)
        with self.assertRaisesRegex(Refused, "3 at most"):
            self.reserve(self.cleo)

    def test_what_does_not_exist_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            reservations.reserve(self.connection, self.config, self.today, 99, self.cleo.id)
        with self.assertRaises(NotThere):
            reservations.cancel(self.connection, self.config, self.today, 99)

    def test_a_returned_copy_is_kept_for_the_first_who_is_told(self) -> None:
        first, second = self.reserve(self.cleo), self.reserve(self.dora)
        self.bring_back(1)
        self.assertEqual([self.state(first), self.state(second)], ["kept until 2026-03-09", "place 1"])
        self.assertEqual(self.subjects(self.cleo), ["Emma is here for you"])
        self.assertEqual(self.subjects(self.dora), [])

    def test_two_copies_on_one_day_go_to_the_first_two_of_three(self) -> None:
        places = [self.reserve(member) for member in (self.cleo, self.dora, self.eve)]
        self.bring_back(1)
        self.bring_back(2)
        self.assertEqual([self.state(one)[:5] for one in places], ["kept ", "kept ", "place"])
        self.assertEqual(catalogue.availability(self.connection, self.emma).free, 0)

    def test_a_copy_that_is_not_collected_goes_to_the_next(self) -> None:
        first, second = self.reserve(self.cleo), self.reserve(self.dora)
        self.bring_back(1)
        self.later(7)
        self.assertEqual(self.settle(), 0)
        self.later(1)
        self.assertEqual(self.settle(), 1)
        self.assertEqual(self.outcome(first), "expired")
        self.assertEqual(self.state(second), "kept until 2026-03-17")
        self.assertEqual(self.subjects(self.cleo)[0], "Emma was not collected")

    def test_settling_twice_tells_once(self) -> None:
        self.reserve(self.cleo)
        self.bring_back(1)
        self.later(8)
        self.assertEqual([self.settle(), self.settle()], [1, 0])
        self.assertEqual(len(self.subjects(self.cleo)), 2)

    def test_nobody_next_leaves_the_copy_free(self) -> None:
        self.reserve(self.cleo)
        self.bring_back(1)
        self.later(8)
        self.settle()
        self.assertEqual(catalogue.availability(self.connection, self.emma).free, 1)

    def test_cancelling_a_kept_copy_hands_it_on(self) -> None:
        first, second = self.reserve(self.cleo), self.reserve(self.dora)
        self.bring_back(1)
        reservations.cancel(self.connection, self.config, self.today, first.id)
        self.assertEqual(self.outcome(first), "cancelled")
        self.assertTrue(reservations.kept_for(self.connection, self.emma.id, self.dora.id))
        self.assertEqual(table.waiting_for(self.connection, second.book_id), [])

    def test_cancelling_twice_is_refused(self) -> None:
        first = self.reserve(self.cleo)
        reservations.cancel(self.connection, self.config, self.today, first.id)
        with self.assertRaisesRegex(Refused, "ended already"):
            reservations.cancel(self.connection, self.config, self.today, first.id)

    def test_collecting_closes_the_reservation(self) -> None:
        first = self.reserve(self.cleo)
        self.bring_back(1)
        reservations.collected(self.connection, self.today, self.emma.id, self.cleo.id)
        self.assertEqual(self.outcome(first), "collected")
