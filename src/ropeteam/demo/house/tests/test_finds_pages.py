from __future__ import annotations

from tests.support import LibraryTest


class FindsPagesTest(LibraryTest):
    def test_a_find_is_put_in_and_shown(self) -> None:
        answer = self.post("/finds", what="Red scarf", place="stairs")
        self.assertEqual((answer.status, answer.location), (303, "/finds"))
        self.assertIn("Red scarf, stairs, 2026-03-02, kept for 180 more days", self.get("/finds").text)
        self.assertIn("0 in the box", self.get("/finds?q=umbrella").text)

    def test_a_find_is_handed_out(self) -> None:
        self.post("/finds", what="Red scarf")
        self.assertEqual(self.post("/finds/1/hand-out", name="Ada").status, 303)
        self.assertIn("0 in the box", self.get("/finds").text)
        self.assertEqual(self.post("/finds/1/hand-out", name="Bea").status, 409)

    def test_what_is_old_is_given_away(self) -> None:
        self.post("/finds", what="Red scarf")
        self.assertIn("nothing to give away", self.post("/finds/give-away").text)
        self.later(180)
        self.assertIn("Given away: Red scarf.", self.post("/finds/give-away").text)

    def test_a_find_that_is_not_there_is_404(self) -> None:
        self.assertEqual(self.post("/finds/9/hand-out", name="Ada").status, 404)
