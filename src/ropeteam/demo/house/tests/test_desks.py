from __future__ import annotations

from datetime import date, timedelta

from library.models import desk as table
from library.models.desk import Booking
from library.services import NotThere, Refused, desks
from tests.support import MONDAY, LibraryTest


class DesksTest(LibraryTest):
    def booked(self, member_id: int, day: date = MONDAY) -> Booking:
        return desks.book(self.connection, self.today, member_id, day, "morning")

    def test_the_lowest_free_desk_is_booked(self) -> None:
        self.assertEqual(self.booked(self.member("Ada").id).desk, 1)
        self.assertEqual(self.booked(self.member("Bea").id).desk, 2)
        self.assertEqual(desks.free(self.connection, MONDAY, "morning"), [3, 4, 5, 6])
        self.assertEqual(len(desks.free(self.connection, MONDAY, "afternoon")), desks.DESKS)

    def test_a_cancelled_desk_is_free_again(self) -> None:
        booking = self.booked(self.member().id)
        desks.cancel(self.connection, self.today, booking.id)
        self.assertEqual(len(desks.free(self.connection, MONDAY, "morning")), desks.DESKS)
        with self.assertRaises(NotThere):
            desks.cancel(self.connection, self.today, booking.id)

    def test_a_member_sits_at_one_desk_at_a_time(self) -> None:
        ada = self.member()
        self.booked(ada.id)
        with self.assertRaisesRegex(Refused, "has a desk then"):
            self.booked(ada.id)

    def test_when_all_desks_are_taken_it_is_said_so(self) -> None:
        for number in range(desks.DESKS):
            self.booked(self.member(f"Member{number}").id)
        with self.assertRaisesRegex(Refused, "All 6 desks"):
            self.booked(self.member("Late").id)

    def test_days_that_cannot_be_booked(self) -> None:
        ada = self.member()
        for days in (-1, 6, 15):
            with self.subTest(days), self.assertRaises(Refused):
                self.booked(ada.id, MONDAY + timedelta(days=days))

    def test_one_member_has_few_bookings(self) -> None:
        ada = self.member()
        for days in range(desks.MOST_BOOKINGS):
            self.booked(ada.id, MONDAY + timedelta(days=days))
        self.assertEqual(len(table.of_member(self.connection, ada.id, MONDAY)), desks.MOST_BOOKINGS)
        with self.assertRaisesRegex(Refused, "at most"):
            self.booked(ada.id, MONDAY + timedelta(days=5))

    def test_what_is_over_is_not_cancelled(self) -> None:
        booking = self.booked(self.member().id)
        with self.assertRaisesRegex(Refused, "over"):
            desks.cancel(self.connection, self.later(1), booking.id)
