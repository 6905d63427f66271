from __future__ import annotations

from tests.support import LibraryTest


class GiftsPagesTest(LibraryTest):
    def test_a_gift_is_taken_and_shown(self) -> None:
        answer = self.post("/gifts", giver="Ada", purpose="books", amount="12,50")
        self.assertEqual((answer.status, answer.location), (303, "/gifts"))
        page = self.get("/gifts").text
        self.assertIn("2026: 12.50 (12.50 for books)", page)
        self.assertIn("12.50 by Ada for books, no receipt", page)

    def test_a_receipt_is_written(self) -> None:
        self.post("/gifts", giver="Ada", purpose="books", amount="20")
        answer = self.post("/gifts/1/receipt")
        self.assertEqual((answer.status, answer.location), (303, "/gifts?year=2026"))
        self.assertIn("receipt 1", self.get(answer.location).text)

    def test_other_years_are_shown_when_asked(self) -> None:
        self.assertIn("2025: 0.00 (nothing)", self.get("/gifts?year=2025").text)
        self.assertEqual(self.get("/gifts?year=soon").status, 400)

    def test_what_is_no_amount_is_refused(self) -> None:
        self.assertEqual(self.post("/gifts", giver="Ada", purpose="books", amount="a lot").status, 409)
