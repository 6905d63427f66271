from __future__ import annotations

from tests.support import LibraryTest


class ReservationPagesTest(LibraryTest):
    """Ada has the only copy of Emma."""

    def setUp(self) -> None:
        super().setUp()
        self.emma = self.book("Emma")
        self.ada, self.bea, self.cleo = (self.member(name) for name in ("Ada", "Bea", "Cleo"))
        self.post("/loans", book_id=self.emma.id, member_id=self.ada.id)

    def test_reserving_leads_back_to_the_book_which_shows_the_list(self) -> None:
        answer = self.post("/reservations", book_id=self.emma.id, member_id=self.bea.id)
        self.assertEqual((answer.status, answer.location), (303, f"/books/{self.emma.id}"))
        self.assertIn("1 waiting", self.get(answer.location).text)

    def test_the_members_page_shows_place_and_notice(self) -> None:
        for member in (self.bea, self.cleo):
            self.post("/reservations", book_id=self.emma.id, member_id=member.id)
        self.assertIn("place 2", self.get(f"/members/{self.cleo.id}").text)
        self.post("/loans/1/return")
        page = self.get(f"/members/{self.bea.id}").text
        self.assertIn("kept until 2026-03-09", page)
        self.assertIn("Emma is here for you", page)

    def test_the_desk_sees_what_is_kept_and_who_waits(self) -> None:
        for member in (self.bea, self.cleo):
            self.post("/reservations", book_id=self.emma.id, member_id=member.id)
        self.post("/loans/1/return")
        kept, waiting = self.get("/reservations").text.split("<h2>Waiting</h2>")
        self.assertIn("Bea", kept)
        self.assertIn("Cleo", waiting)

    def test_cancelling_leads_back_to_the_member(self) -> None:
        self.post("/reservations", book_id=self.emma.id, member_id=self.bea.id)
        answer = self.post("/reservations/1/cancel")
        self.assertEqual(answer.location, f"/members/{self.bea.id}")
        self.assertIn("0 waiting", self.get(f"/books/{self.emma.id}").text)

    def test_any_page_settles_what_fell_due(self) -> None:
        self.post("/reservations", book_id=self.emma.id, member_id=self.bea.id)
        self.post("/loans/1/return")
        self.later(8)
        self.assertIn("1 of 1", self.get("/books").text)
        self.assertIn("Emma was not collected", self.get(f"/members/{self.bea.id}").text)

    def test_a_refusal_is_a_page_with_its_sentence(self) -> None:
        answer = self.post("/reservations", book_id=self.emma.id, member_id=self.ada.id)
        self.assertEqual(answer.status, 409)
        self.assertIn("Ada has Emma already", answer.text)

    def test_a_reservation_that_is_not_there_is_404(self) -> None:
        self.assertEqual(self.post("/reservations/7/cancel").status, 404)
