from __future__ import annotations

from tests.support import LibraryTest


class LockersPagesTest(LibraryTest):
    def test_a_key_is_given_and_shown(self) -> None:
        self.assertIn("Free: 1, 2, 3", self.get("/lockers").text)
        answer = self.post("/lockers", member_id=self.member().id, locker=1)
        self.assertEqual((answer.status, answer.location), (303, "/lockers"))
        page = self.get("/lockers").text
        self.assertIn("Free: 2, 3", page)
        self.assertIn("for 0 days, deposit 5.00", page)

    def test_a_key_comes_back(self) -> None:
        self.post("/lockers", member_id=self.member().id, locker=1)
        self.later(9)
        self.assertIn("Deposit to hand back: 4.00", self.post("/lockers/1/return").text)
        self.assertEqual(self.post("/lockers/1/return").status, 409)

    def test_only_late_ones_are_shown_when_asked(self) -> None:
        self.post("/lockers", member_id=self.member("Ada").id, locker=1)
        self.later(8)
        self.post("/lockers", member_id=self.member("Bea").id, locker=2)
        page = self.get("/lockers?late=1").text
        self.assertIn("Ada", page)
        self.assertNotIn("Bea", page)

    def test_a_locker_that_is_not_there_is_404(self) -> None:
        self.assertEqual(self.post("/lockers", member_id=self.member().id, locker=99).status, 404)
