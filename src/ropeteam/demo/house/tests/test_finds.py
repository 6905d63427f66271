from __future__ import annotations

from library.models.find import Find
from library.services import NotThere, Refused, finds
from tests.support import LibraryTest


class FindsTest(LibraryTest):
    def put_in(self, what: str = "Red scarf", place: str = "") -> Find:
        return finds.put_in(self.connection, self.today, what, place)

    def test_a_find_is_kept(self) -> None:
        found = self.put_in(" Red  scarf ")
        self.assertEqual((found.what, found.place), ("Red scarf", "somewhere in the house"))
        self.assertTrue(found.kept)
        self.assertEqual(finds.find(self.connection, found.id), found)

    def test_nothing_is_no_find(self) -> None:
        with self.assertRaises(Refused):
            self.put_in(" ")

    def test_the_search_wants_all_words(self) -> None:
        scarf = self.put_in(place="reading room")
        glove = self.put_in("Red glove", "entrance")
        self.assertEqual(finds.search(self.connection, "RED room"), [scarf])
        self.assertEqual(finds.search(self.connection, ""), [glove, scarf])
        self.assertEqual(finds.search(self.connection, "umbrella"), [])

    def test_a_find_is_handed_out_once_with_a_name(self) -> None:
        found = self.put_in()
        with self.assertRaisesRegex(Refused, "name"):
            finds.hand_out(self.connection, self.today, found.id, "")
        handed = finds.hand_out(self.connection, self.later(2), found.id, "Ada")
        self.assertEqual((handed.taken_by, handed.gone_on), ("Ada", self.today))
        with self.assertRaisesRegex(Refused, "went to Ada"):
            finds.hand_out(self.connection, self.today, found.id, "Bea")

    def test_what_is_old_is_given_away(self) -> None:
        old = self.put_in()
        self.later(100)
        young = self.put_in("Umbrella")
        self.assertEqual(finds.give_away(self.connection, self.today), [])
        self.assertEqual(finds.days_left(old, self.later(79)), 1)
        self.assertEqual(finds.give_away(self.connection, self.later(1)), [old])
        self.assertEqual(finds.search(self.connection, ""), [young])
        with self.assertRaisesRegex(Refused, "nobody in particular"):
            finds.hand_out(self.connection, self.today, old.id, "Ada")

    def test_what_is_not_there_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            finds.find(self.connection, 7)
