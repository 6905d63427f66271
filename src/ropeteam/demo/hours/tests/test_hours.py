from __future__ import annotations

from datetime import timedelta

from library.services import hours
from tests.support import MONDAY, LibraryTest


class HoursTest(LibraryTest):
    def test_a_day_in_words(self) -> None:
        self.assertEqual(hours.in_words(MONDAY), "open from 14 to 18")
        self.assertEqual(hours.in_words(MONDAY + timedelta(days=2)), "closed")

    def test_the_next_open_day_may_be_the_day_itself(self) -> None:
        self.assertEqual(hours.next_open(MONDAY), MONDAY)
        self.assertEqual(hours.next_open(MONDAY + timedelta(days=6)), MONDAY + timedelta(days=7))

    def test_the_page_shows_a_week_from_today_on(self) -> None:
        page = self.get("/hours").text
        self.assertIn("Monday open from 14 to 18; Tuesday open from 10 to 18; Wednesday closed", page)
        self.later(2)
        self.assertIn('<p class="problem">Wednesday closed', self.get("/hours").text)
