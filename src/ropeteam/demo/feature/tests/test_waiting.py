from __future__ import annotations

import json

from library.models import reservation
from tests.support import LibraryTest


class WaitingTest(LibraryTest):
    def test_nobody_waits(self) -> None:
        self.assertEqual(json.loads(self.get("/api/waiting").text), {"books": []})

    def test_each_list_has_its_length_and_names_nobody(self) -> None:
        emma = self.book("Emma")
        for name in ("Bea", "Cleo"):
            reservation.add(self.connection, emma.id, self.member(name).id, self.today)
        answer = self.get("/api/waiting")
        self.assertEqual(json.loads(answer.text), {"books": [{"book": emma.id, "title": "Emma", "waiting": 2}]})
        self.assertNotIn("Bea", answer.text)
