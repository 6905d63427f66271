from __future__ import annotations

from library.services import NotThere, Refused, catalogue, lending
from tests.support import LibraryTest


class CatalogueTest(LibraryTest):
    def test_the_isbn_is_kept_without_hyphens(self) -> None:
        book = catalogue.add(self.connection, "Emma", "Austen", "978-0-14-143958-7", 1)
        self.assertEqual(book.isbn, "9780141439587")

    def test_a_wrong_check_digit_is_refused(self) -> None:
        with self.assertRaisesRegex(Refused, "check digit"):
            catalogue.add(self.connection, "Emma", "Austen", "9780141439586", 1)

    def test_isbn_10_may_end_in_x(self) -> None:
        self.assertTrue(catalogue.valid_isbn("080442957X"))
        self.assertFalse(catalogue.valid_isbn("0804429570"))

    def test_the_same_isbn_twice_is_refused(self) -> None:
        catalogue.add(self.connection, "Emma", "Austen", "9780141439587", 1)
        with self.assertRaisesRegex(Refused, "already"):
            catalogue.add(self.connection, "Emma again", "Austen", "978 0141439587", 1)

    def test_a_book_without_a_copy_is_refused(self) -> None:
        with self.assertRaisesRegex(Refused, "one copy"):
            catalogue.add(self.connection, "Emma", "Austen", "9780141439587", 0)

    def test_a_book_that_is_not_there_is_said_so(self) -> None:
        with self.assertRaisesRegex(NotThere, "book number 12"):
            catalogue.find(self.connection, 12)

    def test_a_lent_copy_is_not_on_the_shelf(self) -> None:
        book, ada = self.book(copies=2), self.member()
        lending.lend(self.connection, self.config, self.today, book.id, ada.id)
        self.assertEqual(catalogue.availability(self.connection, book).free, 1)

    def test_the_search_looks_at_title_and_author(self) -> None:
        self.book("Emma", author="Austen")
        self.book("The Trial", author="Kafka")
        self.assertEqual([book.title for book, _ in catalogue.search(self.connection, "kaf")], ["The Trial"])
        self.assertEqual(len(catalogue.search(self.connection, " ")), 2)
