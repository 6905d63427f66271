from __future__ import annotations

from datetime import timedelta

from library.models.shift import Shift
from library.services import NotThere, Refused, shifts
from tests.support import MONDAY, LibraryTest


class ShiftsTest(LibraryTest):
    def asked(self, days: int = 2, helpers: int = 1) -> Shift:
        return shifts.ask(self.connection, self.today, MONDAY + timedelta(days=days), "Cover books", helpers)

    def test_what_comes_in_the_next_weeks_is_listed(self) -> None:
        later, soon = self.asked(9), self.asked(2)
        self.asked(40)
        self.assertEqual(shifts.coming(self.connection, self.today), [soon, later])

    def test_what_is_no_shift_is_refused(self) -> None:
        for task, days, helpers in ((" ", 1, 1), ("Dust", -1, 1), ("Dust", 1, 0)):
            with self.subTest(task=task, days=days, helpers=helpers), self.assertRaises(Refused):
                shifts.ask(self.connection, self.today, MONDAY + timedelta(days=days), task, helpers)

    def test_a_shift_has_as_many_helpers_as_are_wanted(self) -> None:
        shift, ada, bea = self.asked(), self.member("Ada"), self.member("Bea")
        self.assertEqual(shifts.wanted(self.connection, shift), 1)
        shifts.take(self.connection, self.today, shift.id, ada.id)
        self.assertEqual(shifts.wanted(self.connection, shift), 0)
        with self.assertRaisesRegex(Refused, "already"):
            shifts.take(self.connection, self.today, shift.id, ada.id)
        with self.assertRaisesRegex(Refused, "all its helpers"):
            shifts.take(self.connection, self.today, shift.id, bea.id)

    def test_minutes_are_added_up_and_the_last_word_counts(self) -> None:
        ada = self.member()
        for minutes, again in ((90, 95), (90, 90)):
            shift = self.asked(0)
            shifts.take(self.connection, self.today, shift.id, ada.id)
            for number in (minutes, again):
                shifts.write_down(self.connection, self.today, shift.id, ada.id, number)
        self.assertEqual(shifts.hours(self.connection, ada.id), "3 h 05 min")

    def test_what_cannot_be_written_down(self) -> None:
        ada, bea, shift = self.member("Ada"), self.member("Bea"), self.asked(1)
        shifts.take(self.connection, self.today, shift.id, ada.id)
        with self.assertRaisesRegex(Refused, "still to come"):
            shifts.write_down(self.connection, self.today, shift.id, ada.id, 60)
        self.later(1)
        for member, minutes in ((ada, 0), (ada, 721), (bea, 60)):
            with self.subTest(member=member, minutes=minutes), self.assertRaises(Refused):
                shifts.write_down(self.connection, self.today, shift.id, member.id, minutes)

    def test_what_is_over_cannot_be_taken(self) -> None:
        shift, ada = self.asked(1), self.member()
        with self.assertRaisesRegex(Refused, "over"):
            shifts.take(self.connection, self.later(2), shift.id, ada.id)

    def test_what_is_not_there_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            shifts.find(self.connection, 7)
