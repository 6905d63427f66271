from __future__ import annotations

from tests.support import LibraryTest


class ReadingsPagesTest(LibraryTest):
    def test_a_reading_is_announced_and_shown(self) -> None:
        answer = self.post("/readings", title="Kafka aloud", held_on="2026-03-05", seats=2)
        self.assertEqual((answer.status, answer.location), (303, "/readings"))
        self.assertIn("2026-03-05: Kafka aloud, 2 of 2 seats free", self.get("/readings").text)

    def test_guests_sign_up_and_off(self) -> None:
        self.post("/readings", title="Kafka aloud", held_on="2026-03-05", seats=1)
        ada, bea = self.member("Ada"), self.member("Bea")
        for member in (ada, bea):
            self.assertEqual(self.post("/readings/1/guests", member_id=member.id).status, 303)
        page = self.get("/readings").text
        self.assertIn("0 of 1 seats free, 1 waiting", page)
        self.assertIn('<p class="guests">Ada</p>', page)
        self.post(f"/readings/1/guests/{ada.id}/remove")
        self.assertIn('<p class="guests">Bea</p>', self.get("/readings").text)

    def test_a_day_that_is_none_is_400(self) -> None:
        self.assertEqual(self.post("/readings", title="Kafka", held_on="soon", seats=1).status, 400)

    def test_a_reading_that_is_not_there_is_404(self) -> None:
        self.assertEqual(self.post("/readings/9/guests", member_id=self.member().id).status, 404)
