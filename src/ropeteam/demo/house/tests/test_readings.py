from __future__ import annotations

from datetime import timedelta

from library.models import reading as table
from library.models.reading import Reading
from library.services import NotThere, Refused, readings
from tests.support import MONDAY, LibraryTest


class ReadingsTest(LibraryTest):
    def announced(self, seats: int = 1) -> Reading:
        return readings.announce(self.connection, self.today, " Kafka aloud ", MONDAY + timedelta(days=3), seats)

    def test_what_is_announced_is_found(self) -> None:
        reading = self.announced()
        self.assertEqual(reading.title, "Kafka aloud")
        self.assertEqual(readings.find(self.connection, reading.id), reading)

    def test_a_reading_needs_title_seats_and_a_day_to_come(self) -> None:
        for title, days, seats in (("", 1, 1), ("Kafka", -1, 1), ("Kafka", 1, 0)):
            with self.subTest(title=title, days=days, seats=seats), self.assertRaises(Refused):
                readings.announce(self.connection, self.today, title, MONDAY + timedelta(days=days), seats)

    def test_who_comes_late_waits(self) -> None:
        reading, ada, bea = self.announced(), self.member("Ada"), self.member("Bea")
        self.assertTrue(readings.sign_up(self.connection, self.today, reading.id, ada.id))
        self.assertFalse(readings.sign_up(self.connection, self.today, reading.id, bea.id))
        self.assertEqual(readings.guests(self.connection, reading), readings.Guests((ada.id,), (bea.id,)))

    def test_nobody_signs_up_twice(self) -> None:
        reading, ada = self.announced(), self.member()
        readings.sign_up(self.connection, self.today, reading.id, ada.id)
        with self.assertRaisesRegex(Refused, "already"):
            readings.sign_up(self.connection, self.today, reading.id, ada.id)

    def test_a_free_seat_goes_to_who_waits(self) -> None:
        reading, ada, bea = self.announced(), self.member("Ada"), self.member("Bea")
        for member in (ada, bea):
            readings.sign_up(self.connection, self.today, reading.id, member.id)
        self.assertEqual(readings.sign_off(self.connection, reading.id, ada.id), bea.id)
        self.assertIsNone(readings.sign_off(self.connection, reading.id, bea.id))
        with self.assertRaisesRegex(Refused, "not on the list"):
            readings.sign_off(self.connection, reading.id, bea.id)

    def test_what_is_over_takes_no_guests_and_is_not_listed(self) -> None:
        reading, ada = self.announced(), self.member()
        with self.assertRaisesRegex(Refused, "over"):
            readings.sign_up(self.connection, self.later(4), reading.id, ada.id)
        self.assertEqual(table.since(self.connection, self.today), [])

    def test_what_is_not_there_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            readings.find(self.connection, 7)
