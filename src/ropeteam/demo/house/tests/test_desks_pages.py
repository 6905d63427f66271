from __future__ import annotations

from tests.support import LibraryTest


class DesksPagesTest(LibraryTest):
    def test_a_desk_is_booked_and_shown(self) -> None:
        ada = self.member()
        answer = self.post("/desks", member_id=ada.id, day="2026-03-03", half="afternoon")
        self.assertEqual((answer.status, answer.location), (303, "/desks?day=2026-03-03"))
        page = self.get(answer.location).text
        self.assertIn("6 desks free in the morning, 5 in the afternoon", page)
        self.assertIn("Desk 1 in the afternoon", page)

    def test_the_page_is_about_today_unless_it_is_asked(self) -> None:
        self.assertIn("2026-03-02: 6 desks free", self.get("/desks").text)

    def test_a_booking_is_cancelled(self) -> None:
        self.post("/desks", member_id=self.member().id, day="2026-03-02", half="morning")
        self.assertEqual(self.post("/desks/1/cancel").location, "/desks?day=2026-03-02")
        self.assertIn("6 desks free in the morning", self.get("/desks").text)

    def test_what_cannot_be_read_is_400(self) -> None:
        ada = self.member()
        self.assertEqual(self.get("/desks?day=soon").status, 400)
        self.assertEqual(self.post("/desks", member_id=ada.id, day="2026-03-02", half="night").status, 400)
