from __future__ import annotations

from library.models import gift as table
from library.models.gift import Gift
from library.services import NotThere, Refused, gifts
from tests.support import LibraryTest


class GiftsTest(LibraryTest):
    def taken(self, amount: str = "20", purpose: str = "books", giver: str = "Ada") -> Gift:
        return gifts.take(self.connection, self.today, giver, purpose, amount)

    def test_amounts_are_read_as_people_write_them(self) -> None:
        for text, number in (("12", 1200), ("12.5", 1250), (" 12,50 ", 1250), ("0.05", 5)):
            with self.subTest(text):
                self.assertEqual(gifts.cents(text), number)
        for text in ("", "-3", "1.234", "a lot", "1 000"):
            with self.subTest(text), self.assertRaises(Refused):
                gifts.cents(text)

    def test_a_gift_is_written_down(self) -> None:
        gift = self.taken("12,50", " Books ", " Ada  L. ")
        self.assertEqual((gift.giver, gift.purpose, gift.cents), ("Ada L.", "books", 1250))
        self.assertEqual(gifts.find(self.connection, gift.id), gift)

    def test_what_is_no_gift_is_refused(self) -> None:
        for amount, purpose, giver in (("0", "books", "Ada"), ("5", "cake", "Ada"), ("5", "books", " ")):
            with self.subTest(amount=amount, purpose=purpose, giver=giver), self.assertRaises(Refused):
                self.taken(amount, purpose, giver)

    def test_receipts_are_numbered_and_written_once(self) -> None:
        first, second = self.taken(), self.taken(giver="Bea")
        self.assertEqual(gifts.receipt(self.connection, second.id).receipt, 1)
        self.assertEqual(gifts.receipt(self.connection, first.id).receipt, 2)
        self.assertEqual(gifts.receipt(self.connection, second.id).receipt, 1)

    def test_for_little_no_receipt_is_written(self) -> None:
        with self.assertRaisesRegex(Refused, "from 10 on"):
            gifts.receipt(self.connection, self.taken("9.99").id)

    def test_a_year_is_added_up_by_purpose(self) -> None:
        self.taken("5")
        self.taken("10", "building")
        self.taken("7", "books")
        self.later(365)
        self.taken("99")
        year = gifts.year(self.connection, 2026)
        self.assertEqual((year.total, year.purposes), (2200, (("books", 1200), ("building", 1000))))
        self.assertEqual(len(table.of_year(self.connection, 2026)), 3)

    def test_what_is_not_there_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            gifts.receipt(self.connection, 7)
