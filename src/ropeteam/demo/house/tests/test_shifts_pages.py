from __future__ import annotations

from tests.support import LibraryTest


class ShiftsPagesTest(LibraryTest):
    def test_help_is_asked_for_and_found(self) -> None:
        answer = self.post("/shifts", day="2026-03-02", task="Cover books", helpers=2)
        self.assertEqual((answer.status, answer.location), (303, "/shifts"))
        self.assertIn("2026-03-02: Cover books, 2 more wanted", self.get("/shifts").text)
        self.post("/shifts/1/helpers", member_id=self.member().id)
        page = self.get("/shifts").text
        self.assertIn("1 more wanted", page)
        self.assertIn("Ada (0 h 00 min so far)", page)

    def test_minutes_are_written_down(self) -> None:
        ada = self.member()
        self.post("/shifts", day="2026-03-02", task="Cover books", helpers=1)
        self.post("/shifts/1/helpers", member_id=ada.id)
        self.assertEqual(self.post("/shifts/1/minutes", member_id=ada.id, minutes=75).status, 303)
        self.assertIn("Ada (1 h 15 min so far)", self.get("/shifts").text)

    def test_a_day_that_is_none_is_400(self) -> None:
        self.assertEqual(self.post("/shifts", day="soon", task="Cover books", helpers=1).status, 400)

    def test_a_shift_that_is_not_there_is_404(self) -> None:
        self.assertEqual(self.post("/shifts/9/helpers", member_id=self.member().id).status, 404)
