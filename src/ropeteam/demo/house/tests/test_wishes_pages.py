from __future__ import annotations

from tests.support import LibraryTest


class WishesPagesTest(LibraryTest):
    def test_a_wish_is_shown_with_how_many_share_it(self) -> None:
        ada, bea = self.member("Ada"), self.member("Bea")
        self.assertEqual(self.post("/wishes", member_id=ada.id, title="Ulysses", author="Joyce").location, "/wishes")
        self.assertIn("Ulysses by Joyce, since 2026-03-02, 1 member\n", self.get("/wishes").text)
        self.post("/wishes/1/share", member_id=bea.id)
        self.assertIn("2 members", self.get("/wishes").text)

    def test_what_is_decided_is_gone(self) -> None:
        ada = self.member()
        for number, answer in ((1, "buy"), (2, "decline")):
            self.post("/wishes", member_id=ada.id, title=f"Volume {number}", author="Joyce")
            self.assertEqual(self.post(f"/wishes/{number}/{answer}").status, 303)
        self.assertIn("0 open", self.get("/wishes").text)

    def test_a_second_decision_is_refused(self) -> None:
        self.post("/wishes", member_id=self.member().id, title="Ulysses", author="Joyce")
        self.post("/wishes/1/buy")
        self.assertEqual(self.post("/wishes/1/decline").status, 409)

    def test_a_wish_that_is_not_there_is_404(self) -> None:
        self.assertEqual(self.post("/wishes/9/buy").status, 404)
