from __future__ import annotations

import json

from library.services import lending, reservations
from tests.support import LibraryTest


class WaitingTest(LibraryTest):
    def test_nobody_waits(self) -> None:
        self.assertEqual(json.loads(self.get("/api/waiting").text), {"books": []})

    def test_each_list_has_its_length_and_names_nobody(self) -> None:
        emma = self.book("Emma")
        ada, bea, cleo = (self.member(name) for name in ("Ada", "Bea", "Cleo"))
        lending.lend(self.connection, self.config, self.today, emma.id, ada.id)
        for member in (bea, cleo):
            reservations.reserve(self.connection, self.config, self.today, emma.id, member.id)
        answer = self.get("/api/waiting")
        self.assertEqual(json.loads(answer.text), {"books": [{"book": emma.id, "title": "Emma", "waiting": 2}]})
        self.assertNotIn("Bea", answer.text)
