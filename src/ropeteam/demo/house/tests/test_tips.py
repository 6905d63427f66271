from __future__ import annotations

from library.models import tip as table
from library.models.tip import Tip
from library.services import NotThere, Refused, tips
from tests.support import LibraryTest


class TipsTest(LibraryTest):
    def given(self, book_id: int, name: str = "Ada", stars: int = 4, sentence: str = "Read it.") -> Tip:
        return tips.give(self.connection, self.today, book_id, self.member(name).id, stars, sentence)

    def test_a_tip_is_found_with_the_book(self) -> None:
        tip = self.given(self.book().id, sentence=" Long,  but good. ")
        self.assertEqual(tip.sentence, "Long, but good.")
        self.assertEqual(table.of_book(self.connection, tip.book_id), [tip])

    def test_what_is_no_tip_is_refused(self) -> None:
        book = self.book()
        for number, (stars, sentence) in enumerate(((0, "x"), (6, "x"), (3, " "), (3, "x" * 201))):
            with self.subTest(stars=stars, sentence=sentence), self.assertRaises(Refused):
                self.given(book.id, f"Member{number}", stars, sentence)

    def test_a_member_gives_one_tip_for_a_book(self) -> None:
        tip = self.given(self.book().id)
        with self.assertRaisesRegex(Refused, "already"):
            tips.give(self.connection, self.today, tip.book_id, tip.member_id, 1, "No.")

    def test_the_best_have_the_most_stars(self) -> None:
        good, better, once = self.book("Emma"), self.book("Ulysses"), self.book("Walden")
        for name, book, stars in (
            ("Ada", good, 3),
            ("Bea", good, 4),
            ("Cid", better, 5),
            ("Dan", better, 4),
            ("Eve", once, 5),
        ):
            self.given(book.id, name, stars)
        best = tips.best(self.connection)
        self.assertEqual([(one.book, one.stars, one.tips) for one in best], [(better, 4.5, 2), (good, 3.5, 2)])
        self.assertEqual(len(tips.best(self.connection, most=1)), 1)

    def test_what_is_taken_down_counts_no_more(self) -> None:
        book = self.book()
        first = self.given(book.id, "Ada")
        self.given(book.id, "Bea")
        self.assertTrue(tips.hide(self.connection, first.id).hidden)
        self.assertEqual(len(table.of_book(self.connection, book.id)), 1)
        self.assertEqual(tips.best(self.connection), [])
        with self.assertRaisesRegex(Refused, "already"):
            tips.hide(self.connection, first.id)

    def test_what_is_not_there_is_said_so(self) -> None:
        with self.assertRaises(NotThere):
            tips.hide(self.connection, 7)
