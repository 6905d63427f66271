from __future__ import annotations

from library.models import wish as table
from library.models.wish import Wish
from library.services import NotThere, Refused, wishes
from tests.support import LibraryTest


class WishesTest(LibraryTest):
    def wished(self, member_id: int, title: str = "Ulysses") -> Wish:
        return wishes.wish(self.connection, self.today, member_id, title, "Joyce")

    def test_a_wish_is_open_and_shared_by_who_wishes(self) -> None:
        wish = self.wished(self.member().id)
        self.assertTrue(wish.open)
        self.assertEqual((wish.voices, wish.wished_on), (1, self.today))

    def test_the_same_wish_of_two_is_one_wish(self) -> None:
        first = self.wished(self.member("Ada").id)
        second = self.wished(self.member("Bea").id, " ulysses ")
        self.assertEqual((second.id, second.voices), (first.id, 2))

    def test_nobody_wishes_twice(self) -> None:
        ada = self.member()
        self.wished(ada.id)
        with self.assertRaisesRegex(Refused, "already"):
            self.wished(ada.id)

    def test_what_is_in_the_catalogue_is_refused(self) -> None:
        self.book("Emma", author="Austen")
        with self.assertRaisesRegex(Refused, "in the catalogue"):
            wishes.wish(self.connection, self.today, self.member().id, "emma", "Austen")

    def test_a_wish_needs_title_and_author(self) -> None:
        with self.assertRaises(Refused):
            self.wished(self.member().id, "  ")

    def test_a_decision_closes_a_wish(self) -> None:
        ada = self.member()
        wish = wishes.decide(self.connection, self.today, self.wished(ada.id).id, buy=True)
        self.assertTrue(wish.bought)
        self.assertEqual(wish.decided_on, self.today)
        self.assertEqual(table.all_open(self.connection), [])
        with self.assertRaisesRegex(Refused, "was decided"):
            wishes.share(self.connection, wish.id, ada.id)

    def test_those_that_most_share_come_first(self) -> None:
        ada, bea = self.member("Ada"), self.member("Bea")
        self.wished(ada.id, "Dubliners")
        wishes.share(self.connection, self.wished(ada.id).id, bea.id)
        self.assertEqual([wish.title for wish in table.all_open(self.connection)], ["Ulysses", "Dubliners"])

    def test_what_is_not_there_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            wishes.find(self.connection, 7)
