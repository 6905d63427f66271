from __future__ import annotations

from tests.support import LibraryTest


class TipsPagesTest(LibraryTest):
    def test_a_tip_is_given_and_shown(self) -> None:
        book, ada = self.book("Emma"), self.member()
        answer = self.post(f"/tips/{book.id}", member_id=ada.id, stars=5, sentence="Funny & wise.")
        self.assertEqual((answer.status, answer.location), (303, f"/tips/{book.id}"))
        self.assertIn("Ada</a>, 5 stars: Funny &amp; wise.", self.get(answer.location).text)

    def test_the_best_books_are_listed(self) -> None:
        book = self.book("Emma")
        for name, stars in (("Ada", 5), ("Bea", 4)):
            self.post(f"/tips/{book.id}", member_id=self.member(name).id, stars=stars, sentence="Good.")
        self.assertIn("Emma</a>, 4.5 stars: 2 tips", self.get("/tips").text)

    def test_a_tip_is_taken_down(self) -> None:
        book = self.book("Emma")
        self.post(f"/tips/{book.id}", member_id=self.member().id, stars=1, sentence="She marries him.")
        self.assertEqual(self.post(f"/tips/{book.id}/1/hide").status, 303)
        self.assertNotIn("marries", self.get(f"/tips/{book.id}").text)

    def test_a_book_that_is_not_there_is_404(self) -> None:
        self.assertEqual(self.get("/tips/9").status, 404)
