from __future__ import annotations

import sqlite3
from datetime import timedelta

from library.models import reservation
from tests.support import MONDAY, LibraryTest


class ReservationModelTest(LibraryTest):
    def setUp(self) -> None:
        super().setUp()
        self.emma = self.book("Emma")
        self.ada, self.bea = self.member("Ada"), self.member("Bea")

    def test_what_is_added_is_found_again(self) -> None:
        added = reservation.add(self.connection, self.emma.id, self.ada.id, MONDAY)
        self.assertEqual(reservation.get(self.connection, added.id), added)
        self.assertTrue(added.open)
        self.assertFalse(added.kept)

    def test_one_member_waits_once_for_a_book(self) -> None:
        reservation.add(self.connection, self.emma.id, self.ada.id, MONDAY)
        with self.assertRaises(sqlite3.IntegrityError):
            reservation.add(self.connection, self.emma.id, self.ada.id, MONDAY)

    def test_after_the_end_a_member_can_wait_again(self) -> None:
        first = reservation.add(self.connection, self.emma.id, self.ada.id, MONDAY)
        reservation.end(self.connection, first.id, MONDAY, "cancelled")
        again = reservation.add(self.connection, self.emma.id, self.ada.id, MONDAY)
        self.assertEqual(reservation.open_of_member(self.connection, self.ada.id), [again])

    def test_the_list_is_in_the_order_of_asking(self) -> None:
        first = reservation.add(self.connection, self.emma.id, self.bea.id, MONDAY)
        second = reservation.add(self.connection, self.emma.id, self.ada.id, MONDAY)
        self.assertEqual(reservation.waiting_for(self.connection, self.emma.id), [first, second])
        self.assertEqual(reservation.lengths(self.connection), {self.emma.id: 2})

    def test_a_kept_copy_is_not_waited_for_and_has_a_last_day(self) -> None:
        first = reservation.add(self.connection, self.emma.id, self.ada.id, MONDAY)
        until = MONDAY + timedelta(days=7)
        reservation.keep(self.connection, first.id, MONDAY, until)
        self.assertEqual(reservation.waiting_for(self.connection, self.emma.id), [])
        self.assertEqual(len(reservation.kept_of_book(self.connection, self.emma.id)), 1)
        self.assertEqual(reservation.not_collected(self.connection, until), [])
        self.assertEqual(len(reservation.not_collected(self.connection, until + timedelta(days=1))), 1)
