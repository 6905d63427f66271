from __future__ import annotations

from library.services import lending
from tests.support import LibraryTest


class PagesTest(LibraryTest):
    def test_the_root_leads_to_the_catalogue(self) -> None:
        answer = self.get("/")
        self.assertEqual((answer.status, answer.location), (303, "/books"))

    def test_the_catalogue_shows_what_is_on_the_shelf(self) -> None:
        self.book("Emma", copies=2)
        self.assertIn("2 of 2", self.get("/books").text)
        self.assertIn("0 found", self.get("/books?q=kafka").text)

    def test_a_book_is_added_and_shown(self) -> None:
        answer = self.post("/books", title="Emma", author="Austen", isbn="9780141439587", copies=1)
        self.assertEqual(answer.status, 303)
        self.assertIn("Austen", self.get(answer.location).text)

    def test_a_member_joins_and_is_listed(self) -> None:
        answer = self.post("/members", name="Ada", email="ada@example.org")
        self.assertEqual(answer.status, 303)
        self.assertIn("Ada", self.get("/members").text)

    def test_lend_renew_and_take_back(self) -> None:
        book, ada = self.book("Emma"), self.member()
        self.assertEqual(self.post("/loans", book_id=book.id, member_id=ada.id).location, f"/members/{ada.id}")
        self.assertIn("0 of 1", self.get(f"/books/{book.id}").text)
        self.assertEqual(self.post("/loans/1/renew").status, 303)
        self.later(16)
        self.assertIn("Fine: 0.40", self.post("/loans/1/return").text)
        self.assertIn("1 of 1", self.get(f"/books/{book.id}").text)

    def test_a_late_loan_is_marked(self) -> None:
        book, ada = self.book(), self.member()
        lending.lend(self.connection, self.config, self.today, book.id, ada.id)
        self.assertNotIn('class="late"', self.get(f"/members/{ada.id}").text)
        self.later(15)
        self.assertIn('class="late"', self.get(f"/members/{ada.id}").text)

    def test_a_refusal_is_a_page_with_its_sentence(self) -> None:
        book = self.book("Emma")
        self.post("/loans", book_id=book.id, member_id=self.member("Ada").id)
        answer = self.post("/loans", book_id=book.id, member_id=self.member("Bea").id)
        self.assertEqual(answer.status, 409)
        self.assertIn("No copy of Emma", answer.text)

    def test_what_is_not_there_is_404(self) -> None:
        for path in ("/books/9", "/members/9", "/nowhere"):
            with self.subTest(path):
                self.assertEqual(self.get(path).status, 404)

    def test_a_form_without_its_number_is_400(self) -> None:
        self.assertEqual(self.post("/loans", book_id="x", member_id=1).status, 400)
